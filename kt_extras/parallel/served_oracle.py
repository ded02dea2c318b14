"""The services that an actor of Ray has: of an oracle of kt_extras, or of KerasTuner."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.workers import worker_of, would_overtake
from kt_extras.parallel.oracle_service import OracleService
from kt_extras.storage.lock import ProjectInUseError

_ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED, TrialStatus.INVALID)


def served(oracle: Any, timeout: float, *, last_try: bool) -> Any:
    """Return the service of an oracle that takes up what is on record.

    Args:
        oracle: As another process has sent it.
        timeout: Seconds after which a worker that is not heard from has died.
        last_try: Whether it is an error that another process has the project.

    Returns:
        The service; None if another process has the project, as one that is about to end.

    Raises:
        kt_extras.storage.lock.ProjectInUseError: Another process is searching.
    """
    if not isinstance(oracle, SamplerOracle):
        return KerasTunerService(QueuedOracle(oracle), timeout)
    try:
        if oracle.is_recorded():
            oracle.reload()
        oracle.open_session()
    except ProjectInUseError:
        if last_try:
            raise
        return None
    return SessionService(oracle, timeout)


class SessionService(OracleService):
    """Serves an oracle of kt_extras in a session."""

    @property
    def ended_because(self) -> str | None:
        """Why there was no further trial."""
        return self._oracle.ended_because

    def attempt(self, trial_id: str) -> int:
        """Return how often a trial was begun."""
        return self._oracle.trial_record(trial_id).attempt

    def would_overtake(self) -> bool:
        """As `kt_extras.oracles.workers.would_overtake`."""
        return would_overtake(self._oracle.trial_records())

    def close(self) -> None:
        """Give back all trials, and end the session."""
        for name in list(self._oracle.ongoing_trials):
            with suppress(Exception):  # it counts as lost
                self._oracle.abandon(name)
        self._oracle.close_session()


class KerasTunerService(OracleService):
    """Serves an oracle of KerasTuner.

    Args:
        oracle: The oracle.
        timeout: As for `OracleService`.
    """

    _oracle: Any
    ended_because = None

    def __init__(self, oracle: QueuedOracle, timeout: float) -> None:
        super().__init__(oracle, timeout)  # type: ignore[arg-type]

    def update_trial(
        self, name: str, trial_id: str, metrics: Mapping[str, float], step: int
    ) -> str:
        """Take metrics; what is given twice is the same."""
        self._check_holds(name, trial_id)
        return str(self._oracle.update_trial(trial_id, metrics, step=step).status)

    def end_trial(self, name: str, trial: Trial) -> None:
        """Take a trial that has ended."""
        known = self._oracle.get_trial(trial.trial_id)
        if known.status in _ENDED and worker_of(name) not in self._last:
            return  # by this very call, which a process has answered that has died since
        self._check_holds(name, trial.trial_id)
        self._oracle.end_trial(trial)

    def close(self) -> None:
        """Give back all trials."""
        for name in list(self._oracle.ongoing_trials):
            self._oracle.abandon(name)


class QueuedOracle:
    """An oracle of KerasTuner whose trials are queued again if their workers die.

    Args:
        oracle: The oracle, as it was before its records are read.
    """

    def __init__(self, oracle: keras_tuner.Oracle) -> None:
        self._oracle = oracle
        self._held: dict[str, str] = {}
        path = oracle._get_oracle_fname()
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self._held = json.load(file)["ongoing_trials"]
            oracle.reload()
            self._queue_orphans()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._oracle, name)

    def _queue_orphans(self) -> None:
        """Run trials again that KerasTuner has begun to record, but not queued."""
        oracle = self._oracle
        for name, trial in sorted(oracle.trials.items()):
            if trial.status == TrialStatus.RUNNING and name not in oracle._retry_queue:
                oracle._retry_queue.append(name)
            if name not in oracle.start_order:
                oracle.start_order.append(name)

    def share(self) -> None:
        """Do nothing: KerasTuner records who has a trial."""

    def adopt(self, is_alive: Callable[[str], bool] = lambda _: True) -> list[str]:
        """As `SamplerOracle.adopt`."""
        queue, adopted = self._oracle._retry_queue, []
        for name, trial_id in self._held.items():
            if trial_id in queue and is_alive(name):
                queue.remove(trial_id)
                trial = self._oracle.trials[trial_id]
                trial.status = TrialStatus.RUNNING
                self._oracle.ongoing_trials[name] = trial
                self._show(trial_id)
                adopted.append(name)
        return adopted

    def _show(self, trial_id: str) -> None:
        """Let KerasTuner's display know a trial, which it records only with the next one."""
        display, now = self._oracle._display, datetime.now()
        display.search_start = display.search_start or now
        display.trial_start.setdefault(trial_id, now)
        number = self._oracle.start_order.index(trial_id) + 1
        display.trial_number.setdefault(trial_id, number)

    def holds(self, tuner_id: str, trial_id: str) -> bool:
        """Tell whether a worker has a trial."""
        trial = self._oracle.ongoing_trials.get(tuner_id)
        return trial is not None and trial.trial_id == trial_id

    def abandon(self, tuner_id: str) -> None:
        """Queue the trial of a worker again."""
        trial = self._oracle.ongoing_trials.pop(tuner_id, None)
        self._oracle.tuner_ids.discard(tuner_id)
        if trial is not None:
            self._oracle._retry_queue.append(trial.trial_id)
            self._oracle.save()

    def lose(self, worker: str) -> list[str]:
        """As `SamplerOracle.lose`."""
        held = {
            name: trial.trial_id
            for name, trial in self._oracle.ongoing_trials.items()
            if worker_of(name) == worker
        }
        for name in held:
            self.abandon(name)
        return list(held.values())

    def create_trial(self, name: str) -> Trial:
        """Return a trial, or one that says to wait while a worker that may die has the last one."""
        trial = self._oracle.create_trial(name)
        if trial.status == TrialStatus.STOPPED and self._oracle.ongoing_trials:
            trial.status = TrialStatus.IDLE
        return trial

    def end_trial(self, trial: Trial) -> None:
        """End a trial; that is saved also if too many have failed."""
        try:
            self._oracle.end_trial(trial)
        except RuntimeError:
            self._oracle._save_trial(self._oracle.trials[trial.trial_id])
            self._oracle.save()
            raise
