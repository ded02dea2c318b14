"""Writes the events of a search to its store, and `trial.json` for KerasTuner's readers."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import keras_tuner
from keras_tuner.engine.trial import Trial

from kt_extras.atomic_files import replace_file
from kt_extras.records.events import Event, ProjectOpened, from_record, to_record
from kt_extras.records.search_state import SearchState
from kt_extras.records.snapshot import snapshot_events
from kt_extras.storage.journal import FORMAT
from kt_extras.storage.store import Store, open_store


class Recorder:
    """Writes every event, then applies it to the state.

    Without a directory the search lives in memory alone.

    Args:
        objective: With its direction known.
        hyperparameters: The declared space; grows as hyperparameters are found.
        seed: Recorded, for a session that is begun without one.

    Attributes:
        state: All that is known of the search.
        directory: The project's, None until it is known.
        storage: The URL of a database to write to, None for a journal in the directory.
        model: Recorded, to tell whether another model is searched later.
    """

    def __init__(
        self,
        objective: keras_tuner.Objective,
        hyperparameters: keras_tuner.HyperParameters,
        seed: int,
    ) -> None:
        self.state = SearchState(objective, hyperparameters)
        self.directory: Path | None = None
        self.seed = seed
        self.storage: str | None = None
        self.model: str | None = None
        self._store: Store | None = None
        self._begun = False  # whether the records in the store are those of `state`
        self._session_began = time.monotonic()

    def open_project(self, directory: Path) -> None:
        """Use the store of a project.

        Args:
            directory: The project's.
        """
        self.directory = directory
        self._store = open_project_store(self.storage, directory)
        self._begun = False

    def exists(self) -> bool:
        """Tell whether there is a search to go on with."""
        return self._store is not None and self._store.exists()

    def clear(self) -> None:
        """Remove what an earlier search has recorded.

        Raises:
            kt_extras.storage.lock.ProjectInUseError: It is still being searched.
        """
        if self._store is not None:
            self._store.acquire()
            self._store.delete()
            self._store.release()

    def write(self, event: Event, *, sync: bool = False) -> None:
        """Write an event, then apply it to the state.

        Args:
            event: What happens; its time is set here.
            sync: Whether to wait until it is on the disk. Defaults to False.
        """
        event = replace(event, t=round(self.seconds(), 3))
        if self._store is not None:
            self._begin(self._store)
            self._store.append(to_record(event), sync=sync)
        self.state.apply(event)
        if self._store is not None and sync and self._store.outgrown():
            self._store.compact(map(to_record, snapshot_events(self.state)))

    def load(self) -> None:
        """Apply all events that the project's records hold."""
        if self._store is not None:
            self.state.forget_space()  # the records hold all of it
            for event in self._store.read():
                self.state.apply(from_record(event))
            self._begun = True
        self._session_began = time.monotonic() - self.state.clock
        self._check_objective()

    def open_session(self) -> bool:
        """Keep others from writing, and let the clock go on.

        Returns:
            Whether another process has gone on with the search in the meantime.

        Raises:
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        before = self.state.clock
        if self._store is not None:
            self._store.acquire()
            if not self._begun and self._store.exists():
                self.load()
            for record in self._store.news() if self._begun else ():
                self.state.apply(from_record(record))
        self._session_began = time.monotonic() - self.state.clock
        return self.state.clock > before

    def close_session(self) -> None:
        """Let other processes write."""
        if self._store is not None:
            self._store.release()

    def save_trial(self, trial: Trial) -> None:
        """Write `trial.json`, the file that KerasTuner's readers look at."""
        if self.directory is not None:
            path = self.directory / f"trial_{trial.trial_id}" / "trial.json"
            replace_file(path, json.dumps(trial.get_state()))

    def seconds(self) -> float:
        """Return the time that the search has taken, over all sessions."""
        return time.monotonic() - self._session_began

    def _begin(self, store: Store) -> None:
        """Write the first record, where there is none yet."""
        if self._begun:
            return
        if store.exists():
            raise RuntimeError(
                f"The project {self.directory} holds another search.  Call `reload()` to go on "
                "with it, choose another `project_name`, or pass `overwrite=True` to the tuner."
            )
        self._begun = True
        self._record_project()

    def _record_project(self) -> None:
        objective = str(self.state.objective)
        opened = ProjectOpened(format=FORMAT, objective=objective, seed=self.seed, model=self.model)
        self.write(opened)

    def _check_objective(self) -> None:
        """Scores of two objectives cannot be compared; before the first score nothing is lost."""
        now, recorded = str(self.state.objective), self.state.objective_recorded
        if now == recorded:
            return
        if self.state.totals.best is not None:
            raise ValueError(
                f"`objective` is now {now}, but {self.directory} holds scores of {recorded}.  "
                "Choose another `project_name`, or pass `overwrite=True`."
            )
        self._record_project()


def open_project_store(storage: str | None, directory: Path) -> Store:
    """Return the store of a project.

    Args:
        storage: The URL of a database, None for a journal in the directory.
        directory: The project's.
    """
    if storage is None:
        return open_store(None, directory)
    from kt_extras.records.query_tables import SearchTables  # SQLAlchemy is optional

    return open_store(storage, directory, SearchTables())
