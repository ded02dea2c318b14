"""The records of a study: kept in a directory, or in memory alone."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kt_extras.analysis.reading import Fold
from kt_extras.analysis.search_data import SearchData
from kt_extras.analysis.space_config import space_config
from kt_extras.records.events import (
    Event,
    PointEnqueued,
    ProjectOpened,
    SpaceDeclared,
    TrialBegun,
    to_record,
)
from kt_extras.search import Point, Space
from kt_extras.search.outcome import Goals, Target
from kt_extras.storage.journal import FORMAT
from kt_extras.storage.store import Store, open_store


class StudyRecords:
    """Writes the events of a study, and reads those of earlier processes.

    Args:
        directory: Where the project's directory is, None for memory alone.
        name: The name of the project.

    Attributes:
        enqueued: The points that were enqueued and not begun before.
        opened: The first record as it was written last; empty for a new study.

    Raises:
        kt_extras.storage.ProjectInUseError: Another process goes on with the study.
    """

    def __init__(self, directory: str | os.PathLike[str] | None, name: str) -> None:
        self.enqueued: list[Point] = []
        self.opened: Mapping[str, Any] = {}
        self._fold, self._began = Fold(name), time.monotonic()
        self._store: Store | None = None
        if directory is not None:
            self._store = open_store(None, Path(directory).absolute() / name)
            self._store.acquire()
            if self._store.exists():
                self._read(self._store)

    def data(self) -> SearchData:
        """Return the study as data."""
        return self._fold.data()

    def open(self, event: ProjectOpened, space: Space) -> None:
        """Write what the study is, and its space, where that is not on record."""
        record = {name: value for name, value in to_record(event).items() if name != "t"}
        if {name: value for name, value in self.opened.items() if name != "t"} != record:
            self.write(event)
        if self.data().space != space:
            self.write(SpaceDeclared(hyperparameters=space_config(space), anew=True))

    def write(self, event: Event, *, sync: bool = False) -> None:
        """Write an event.

        Args:
            event: The event; its time is set here.
            sync: Whether to wait until it is on the disk.  Defaults to False.
        """
        record = {**to_record(event), "t": round(time.monotonic() - self._began, 3)}
        if self._store is not None:
            self._store.append(record, sync=sync)
        self._fold.apply(record)

    def close(self) -> None:
        """Let other processes go on with the study."""
        if self._store is not None:
            self._store.release()

    def _read(self, store: Store) -> None:
        for record in store.read():
            self._fold.apply(record)
            if record["kind"] == ProjectOpened.kind:
                self.opened = record
            elif record["kind"] == PointEnqueued.kind:
                self.enqueued.append(record["values"])
            elif record["kind"] == TrialBegun.kind and record.get("enqueued"):
                del self.enqueued[0]
        self._began -= self.data().seconds


def opening(targets: tuple[Target, ...], goals: Goals | None, seed: int) -> ProjectOpened:
    """Return the first event of a study.

    Args:
        targets: Its objectives.
        goals: What is wanted of outcomes, if that is more than one low loss.
        seed: Its seed.
    """
    first, shares = targets[0], None
    if goals is not None and goals.weights is not None:
        shares = {target.name: w for target, w in zip(targets, goals.weights, strict=True)}
    return ProjectOpened(
        format=FORMAT,
        objective=f'Objective(name="{first.name}", direction="{first.direction}")',
        seed=seed,
        objectives=[target._asdict() for target in targets] if len(targets) > 1 else [],
        constraints=[str(bound) for bound in goals.constraints] if goals else [],
        weights=shares,
    )
