"""The books of a search on disk: the journal, and the files that KerasTuner's readers look at."""

from __future__ import annotations

import json
import time
from pathlib import Path

import keras_tuner
from keras_tuner.engine.trial import Trial

from kt_extras.records.search_state import Event, Ledger
from kt_extras.records.snapshot import summary
from kt_extras.storage.journal import FORMAT, replace_file
from kt_extras.storage.store import Store, open_store


class Books:
    """Writes every event down before it happens in the ledger.

    Without a directory the search lives in memory alone.

    Args:
        objective: With its direction settled.
        hyperparameters: The declared space; grows as hyperparameters come to light.
        seed: Noted for those who come back without one.

    Attributes:
        ledger: The state.
        directory: The project's, None until it is known.
        storage: The URL of a database to write to, None for a journal in the directory.
    """

    def __init__(
        self,
        objective: keras_tuner.Objective,
        hyperparameters: keras_tuner.HyperParameters,
        seed: int,
    ) -> None:
        self.ledger = Ledger(objective, hyperparameters)
        self.directory: Path | None = None
        self.seed = seed
        self.storage: str | None = None
        self._store: Store | None = None
        self._begun = False  # whether the store's records are those of the ledger
        self._session_began = time.monotonic()

    def settle(self, directory: Path) -> None:
        """Be told where the project is."""
        self.directory = directory
        self._store = open_store(self.storage, directory)
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

    def record(self, event: Event, *, sync: bool = False) -> None:
        """Write an event, then let it happen.

        Args:
            event: What happens.
            sync: Whether to wait until it is on the disk.
        """
        event = {**event, "t": round(self.seconds(), 3)}
        if self._store is not None:
            self._begin(self._store)
            self._store.append(event, sync=sync)
        self.ledger.apply(event)
        if self._store is not None and sync and self._store.outgrown():
            self._store.compact(summary(self.ledger))

    def load(self) -> None:
        """Let everything happen again that the project's records tell of."""
        if self._store is not None:
            self.ledger.forget_space()  # what counts is what the search has done until now
            for event in self._store.read():
                self.ledger.apply(event)
            self._begun = True
        self._session_began = time.monotonic() - self.ledger.clock
        self._check_objective()

    def open_session(self) -> bool:
        """Keep others from writing, and let the clock go on.

        Returns:
            Whether another process has gone on with the search in the meantime.

        Raises:
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        before = self.ledger.clock
        if self._store is not None:
            self._store.acquire()
            if not self._begun and self._store.exists():
                self.load()
            for event in self._store.news() if self._begun else ():
                self.ledger.apply(event)
        self._session_began = time.monotonic() - self.ledger.clock
        return self.ledger.clock > before

    def close_session(self) -> None:
        """Let others write."""
        if self._store is not None:
            self._store.release()

    def save_trial(self, trial: Trial) -> None:
        """Keep the file that KerasTuner's readers look at."""
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
        objective = str(self.ledger.objective)
        self.record(
            {"kind": "project", "format": FORMAT, "objective": objective, "seed": self.seed}
        )

    def _check_objective(self) -> None:
        """Scores of two objectives cannot be compared; before the first score nothing is lost."""
        now, recorded = str(self.ledger.objective), self.ledger.objective_recorded
        if now == recorded:
            return
        if self.ledger.totals.best is not None:
            raise ValueError(
                f"`objective` is now {now}, but {self.directory} holds scores of {recorded}.  "
                "Choose another `project_name`, or pass `overwrite=True`."
            )
        self._record_project()
