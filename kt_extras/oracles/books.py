"""The books of a search on disk: the journal, and the files that KerasTuner's readers look at."""

from __future__ import annotations

import json
import time
from pathlib import Path

import keras_tuner
from keras_tuner.engine.trial import Trial

from kt_extras.oracles.journal import FILE_NAME, FORMAT, Journal, replace_file
from kt_extras.oracles.ledger import Event, Ledger


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
        self._journal: Journal | None = None
        self._session_began = time.monotonic()

    def record(self, event: Event, *, sync: bool = False) -> None:
        """Write an event, then let it happen.

        Args:
            event: What happens.
            sync: Whether to wait until it is on the disk.
        """
        event = {**event, "t": round(self.seconds(), 3)}
        if self.directory is not None:
            self._open().append(event, sync=sync)
        self.ledger.apply(event)

    def load(self) -> None:
        """Let everything happen again that the project's journal tells of."""
        self._journal = Journal(self._path)
        for event in self._journal.read():
            self.ledger.apply(event)
        self.ledger.refresh_space()
        self.resume_clock()
        self._check_objective()

    def save_trial(self, trial: Trial) -> None:
        """Keep the file that KerasTuner's readers look at."""
        if self.directory is not None:
            path = self.directory / f"trial_{trial.trial_id}" / "trial.json"
            replace_file(path, json.dumps(trial.get_state()))

    def resume_clock(self) -> None:
        """Begin a session: the time since the last event does not count."""
        self._session_began = time.monotonic() - self.ledger.clock

    def seconds(self) -> float:
        """Return the time that the search has taken, over all sessions."""
        return time.monotonic() - self._session_began

    @property
    def _path(self) -> Path:
        return (self.directory or Path()) / FILE_NAME

    def _open(self) -> Journal:
        if self._journal is None:
            journal = Journal(self._path)
            if journal.exists():
                raise RuntimeError(
                    f"{journal.path} holds another search.  Call `reload()` to go on with it, "
                    "choose another `project_name`, or pass `overwrite=True` to the tuner."
                )
            self._journal = journal
            self._record_project()
        return self._journal

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
                f"`objective` is now {now}, but {self._path} holds scores of {recorded}.  Choose "
                "another `project_name`, or pass `overwrite=True`."
            )
        self._record_project()
