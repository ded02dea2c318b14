"""What is left of the records of a damaged project, and the place of whole ones instead.

Nothing here knows what records mean; `kt_extras.records.repair` decides which are kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kt_extras.atomic_files import atomic_write, sync_entry, sync_file
from kt_extras.storage.encoding import Record
from kt_extras.storage.journal_snapshot import JournalSnapshot
from kt_extras.storage.lines import Line, from_line, to_line

_AROUND = b"\r\0\xef\xbb\xbf"  # what editors and lost sectors leave around a whole line
_SNAPSHOT = 0  # the number of records that a snapshot holds


@dataclass(frozen=True)
class Left:
    """Records that are whole, in order, and what is known of the others.

    Attributes:
        records: Each with its number, from 1; 0 for those of a snapshot.
        lost: The numbers of those that are damaged or missing.
        pieces: What is left of the damaged ones.
    """

    records: list[tuple[int, Record]]
    lost: list[int]
    pieces: list[str]


def left_of_journal(path: Path) -> list[Left]:
    """Return what is left of a journal: its lines alone, and its snapshot with the lines after it.

    Args:
        path: The file of the journal, existing or not.
    """
    content = path.read_bytes() if path.exists() else b""
    whole, pieces, last = _numbered(content)
    found = [Left(sorted(whole.items()), missing(whole, 0, last), pieces)]
    snapshot = JournalSnapshot(path).path
    if not snapshot.exists():
        return found
    *lines, _ = snapshot.read_bytes().split(b"\n")
    parsed = [_parsed(line) for line in lines]
    head = parsed[0].record if parsed and parsed[0] else {}
    if head.get("kind") == "snapshot":
        records = [(_SNAPSHOT, line.record) for line in parsed[1:] if line]
        covered = _covered(head, content)
        records += [(n, record) for n, record in sorted(whole.items()) if n > covered]
        pieces += [_text(line) for line in lines if _parsed(line) is None]
        found.append(Left(records, missing(whole, covered, last), pieces))
    return found


def replace_journal(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """Put other records into a journal; return the new directory that keeps what was there.

    Args:
        path: The file of the journal.
        records: All that it shall hold.
    """
    snapshot = JournalSnapshot(path).path
    kept = new_directory(path.parent)
    for file in (path, snapshot):
        if file.exists():
            shutil.copy2(file, kept)
            sync_file(kept / file.name)
    sync_entry(kept)
    with atomic_write(path) as journal:
        for number, record in enumerate(records, 1):
            journal.write(to_line(record, number))
    snapshot.unlink(missing_ok=True)
    sync_entry(snapshot)
    return kept


def new_directory(directory: Path) -> Path:
    """Make and return a new directory for what was damaged in the directory of a project."""
    number = 1
    while (kept := directory / f"damaged-{number}").exists():
        number += 1
    kept.mkdir()
    return kept


def missing(whole: Mapping[int, Record], after: int, last: int) -> list[int]:
    """Return the numbers after one and up to another that have no record."""
    return [number for number in range(after + 1, last + 1) if number not in whole]


def _numbered(content: bytes) -> tuple[dict[int, Record], list[str], int]:
    """Return the whole records by their numbers, the rest as text, and the last number."""
    whole: dict[int, Record] = {}
    pieces, number = [], 0
    for line in filter(None, content.split(b"\n")):
        found = _parsed(line)
        number = number + 1 if found is None or found.number is None else found.number
        if found is None:
            pieces.append(_text(line))
        else:
            whole.setdefault(number, found.record)
    return whole, pieces, max(number, *whole, 0)


def _parsed(line: bytes) -> Line | None:
    try:
        return from_line(line.strip(_AROUND))
    except ValueError:
        return None


def _covered(head: Record, content: bytes) -> int:
    """Return the number of the last record that a snapshot replaces."""
    if "number" in head:
        return int(head["number"])
    return content[: head["last"][1]].count(b"\n")  # of format 1, which has no numbers


def _text(piece: bytes) -> str:
    return piece.decode("ascii", "replace")
