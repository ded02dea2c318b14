"""Saves what can be saved of damaged records, and keeps the damaged ones beside.

What is left is read from the snapshot and the lines after it, or from the lines alone where that is
more.
"""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras_tuner

from kt_extras.records.events import ProjectOpened, to_record
from kt_extras.records.recorded_search import recorded_objective
from kt_extras.records.replay import Source
from kt_extras.records.salvaged import Salvaged
from kt_extras.storage.errors import StorageError
from kt_extras.storage.journal import FILE_NAME, FORMAT, Journal
from kt_extras.storage.salvage import Left, left_of_journal, new_directory, replace_journal
from kt_extras.storage.store import Store

_TRIAL = re.compile(r'"trial":\s?"([0-9A-Za-z_-]{1,64})"')
_FOLDER = re.compile(r"trial_([0-9A-Za-z_-]{1,64})")


@dataclass(frozen=True)
class Repair:
    """What a repair has saved and lost.

    Attributes:
        saved: How many records were saved.
        lost_records: The numbers of those that were not.
        lost_trials: The ids of trials of which nothing is known any more.
        incomplete_trials: The ids of other trials that have lost some of their records, and of
            those without an end, which may have lost it.
        settings_lost: Whether the seed of the search is among what was lost.
        kept: Where the damaged records are; None if all were whole, and nothing was changed.
    """

    saved: int
    lost_records: Sequence[int] = ()
    lost_trials: Sequence[str] = ()
    incomplete_trials: Sequence[str] = ()
    settings_lost: bool = False
    kept: str | None = None


def repair(
    directory: Path | None,
    *,
    storage: str | None = None,
    project: str | None = None,
    objective: keras_tuner.Objective | None = None,
) -> Repair:
    """Save what can be saved of the records of a project.

    Args:
        directory: The project's own, with its journal; with `storage` it may be None.
        storage: The URL of the database that holds the records.  Defaults to None: the journal.
        project: The name of the project in the database.  Defaults to that of the directory.
        objective: The objective of the search, needed if its record is lost.  Defaults to None.

    Raises:
        FileNotFoundError: There is no such project.
        kt_extras.storage.ProjectInUseError: A process searches it.
        RuntimeError: The records have been written by a newer version.
        ValueError: The record of the objective is lost, and `objective` is None.
    """
    if storage is None and directory is not None:
        return _repair_journal(directory, objective)
    name = project or (directory.name if directory is not None else None)
    if storage is None or name is None:
        raise ValueError("`directory` must be given, or `storage` and `project`.")
    return _repair_database(storage, name, directory, objective)


def _repair_journal(directory: Path, objective: keras_tuner.Objective | None) -> Repair:
    journal, source = Journal(directory / FILE_NAME), Source(directory)
    if not journal.exists():
        raise FileNotFoundError(
            f"`directory` must be that of a project, but {journal.path} is not there or is empty."
        )
    journal.acquire()
    try:
        if (whole := _whole(journal, source)) is not None:
            return whole
        found = left_of_journal(journal.path)
        best, saved = _best(found, source, objective)
        kept = replace_journal(journal.path, saved.records)
        lost = _lost_trials(found, saved, directory)
        _set_aside(directory, kept, lost)
        return _outcome(best, saved, lost, str(kept))
    finally:
        journal.release()


def _repair_database(
    storage: str, project: str, directory: Path | None, objective: keras_tuner.Objective | None
) -> Repair:
    from kt_extras.records.query_tables import SearchTables  # SQLAlchemy is optional
    from kt_extras.storage.damaged_database import DamagedDatabase

    source = Source(Path(project), storage)
    database = DamagedDatabase(storage, project, SearchTables())
    database.left()  # raises if there is no such project, which the lock would create a file for
    with database:
        if (whole := _whole(database, source)) is not None:
            return whole
        found = [database.left()]
        best, saved = _best(found, source, objective)
        kept = database.replace(saved.records)
        lost = _lost_trials(found, saved, directory)
        if directory is not None and lost:
            _set_aside(directory, new_directory(directory), lost)
        return _outcome(best, saved, lost, f"the project {kept!r} of the database")


def _whole(store: Store, source: Source) -> Repair | None:
    """Return that there is nothing to do, None if there is something."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a torn end and a damaged snapshot do no harm
        try:
            records = [(number, record) for number, record in enumerate(store.read(), 1)]
            _, saved = _best([Left(records, [], [])], source, None)
        except (StorageError, ValueError):
            return None
    return None if saved.left_out else Repair(saved=len(records))


def _best(
    found: Sequence[Left], source: Source, objective: keras_tuner.Objective | None
) -> tuple[Left, Salvaged]:
    """Return the way to read what is left that saves most, and what comes of it."""
    records = [record for left in found for _, record in left.records]
    opened = [record for record in records if record.get("kind") == ProjectOpened.kind]
    try:
        now = recorded_objective(opened, source)
    except StorageError:
        if objective is None:
            raise ValueError(
                "`objective` must be given, since its record is lost: `--objective NAME "
                "--direction min`, or `max`."
            ) from None
        now = objective
        opened = [to_record(ProjectOpened(format=FORMAT, objective=str(now), seed=None))]
    tried = [(left, Salvaged(left.records, opened[0], now)) for left in found]
    return max(tried, key=lambda one: one[1].worth)


def _outcome(
    best: Left,
    saved: Salvaged,
    lost_trials: Sequence[str],
    kept: str,
) -> Repair:
    named = {str(record.get("trial")) for _, record in saved.left_out}
    named.update(_TRIAL.findall(" ".join(best.pieces)))
    return Repair(
        saved=len(saved.records),
        lost_records=sorted({*best.lost, *(number for number, _ in saved.left_out if number)}),
        lost_trials=lost_trials,
        incomplete_trials=sorted(named & set(saved.state.trials) | saved.with_gaps()),
        settings_lost=saved.state.seed is None,
        kept=kept,
    )


def _lost_trials(found: Iterable[Left], saved: Salvaged, directory: Path | None) -> list[str]:
    """Return the ids of all trials that anything speaks of and that were not saved."""
    named: set[str] = set()
    for left in found:
        named.update(_TRIAL.findall(" ".join(left.pieces)))
        named.update(str(record.get("trial")) for _, record in left.records if "trial" in record)
    if directory is not None and directory.is_dir():
        folders = map(_FOLDER.fullmatch, os.listdir(directory))
        named.update(folder[1] for folder in folders if folder)
    # Others name no folder of the project, whatever they say.
    named = {name for name in named if _FOLDER.fullmatch(f"trial_{name}")}
    return sorted(named - set(saved.state.trials))


def _set_aside(directory: Path, kept: Path, trials: Iterable[str]) -> None:
    """Move the files of lost trials, which a new trial with the same id would take for its own."""
    for name in trials:
        with contextlib.suppress(FileNotFoundError):
            os.rename(directory / f"trial_{name}", kept / f"trial_{name}")
