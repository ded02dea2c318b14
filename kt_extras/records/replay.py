"""Applies what has been recorded, after a check of each record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kt_extras.records.event_check import check
from kt_extras.records.events import Event, from_record
from kt_extras.records.search_state import SearchState
from kt_extras.records.source import Source as Source  # public here too
from kt_extras.storage.errors import StorageError


def replay(records: Iterable[Mapping[str, Any]], state: SearchState, source: Source) -> None:
    """Apply records to a state.

    Args:
        records: All of a project, oldest first.
        state: A new one; it is what the records before the first bad one lead to, if one is bad.
        source: Where the records are, for errors.

    Raises:
        kt_extras.storage.DamagedJournalError: A record says what cannot have happened.
        RuntimeError: The records have been written by a newer version.
    """
    for number, record in enumerate(records, 1):
        state.apply(checked(record, state, source, number))


def checked(record: Mapping[str, Any], state: SearchState, source: Source, number: int) -> Event:
    """Return the event of a record that can be applied to a state.

    Args:
        record: As the store has it.
        state: The search until then.
        source: Where the record is, for errors.
        number: Its number among those that are read, from 1.

    Raises:
        kt_extras.storage.DamagedJournalError: It cannot be applied.
        RuntimeError: It has been written by a newer version.
    """
    try:
        event = from_record(record)
        check(event, state)
    except (StorageError, ValueError) as error:
        raise source.damaged(number, str(error)) from error
    return event
