"""Answers workers in other processes, whose calls may come twice, late, or never again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.bridge.metrics import encoded, split_last_epoch
from kt_extras.bridge.trial_state import TrialState
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.oracles.workers import worker_of

TIMEOUT = 60.0  # seconds


class OracleService:
    """Gives the trials of an oracle to workers in other processes.

    Workers are named by their process; one that is started anew has another name.  It may be called
    by several threads.

    Args:
        oracle: The oracle, in an open session.  Trials that were running when it was loaded stay
            with their workers until these are silent for too long.
        timeout: Seconds after which a worker that is not heard from has died, or a function that
            returns them for one. Defaults to 60.
        clock: Returns the time in seconds. Defaults to `time.monotonic`.
    """

    def __init__(
        self,
        oracle: SamplerOracle,
        timeout: float | Callable[[str], float] = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._oracle, self._clock = oracle, clock
        self._timeout_of = timeout if callable(timeout) else lambda _: timeout
        self._lock = threading.RLock()
        self._last: dict[str, tuple[int, Any]] = {}  # the last call of each worker, its answer
        self._stop_asked = False
        oracle.share()
        now = clock()
        self._heard = {worker_of(name): now for name in oracle.adopt()}

    # Workers.

    @property
    def workers(self) -> set[str]:
        """Those that were heard from, or had trials when the oracle was loaded; not the lost."""
        return set(self._heard)

    def hear(self, worker: str) -> None:
        """Note that a worker lives."""
        self._heard[worker] = self._clock()

    def lose(self, worker: str) -> list[str]:
        """Let the trials of a worker that has died be run again; return their ids."""
        self._heard.pop(worker, None)
        self._last.pop(worker, None)
        return self._oracle.lose(worker)

    def lose_silent(self) -> list[str]:
        """Lose the workers that were not heard from for too long, and return them."""
        now = self._clock()
        silent = [
            worker
            for worker, heard in list(self._heard.items())
            if now - heard > self._timeout_of(worker)
        ]
        for worker in silent:
            self.lose(worker)
        return silent

    def stop(self) -> None:
        """Give out no more trials, and let workers stop after their running epoch."""
        self._stop_asked = True

    @property
    def stop_asked(self) -> bool:
        """Whether the user has asked for the end of the search."""
        return self._stop_asked

    # Calls.

    def call(self, worker: str, number: int, method: str, *args: Any) -> Any:
        """Answer a call of a worker; one that comes again gets the same answer again.

        That there is no trial yet is no such answer: there may be one now.

        Args:
            worker: The name of its process.
            number: Of the call, from 0; a worker makes one after the other.
            method: Name of a method below.
            *args: Its arguments.

        Raises:
            TrialTakenError: The call is about a trial that was given to another worker.
        """
        with self._lock:
            self.hear(worker)
            known = self._last.get(worker)
            if known is None or known[0] != number:
                known = number, getattr(self, method)(*args)
                if not (isinstance(known[1], Trial) and known[1].status == TrialStatus.IDLE):
                    self._last[worker] = known
            return known[1]

    def create_trial(self, name: str) -> Trial:
        """Return what there is to do, as `SamplerOracle.create_trial`.

        Args:
            name: The name under which the worker trains a trial.
        """
        if self._stop_asked:
            space = self._oracle.get_space()
            return Trial(space, trial_id="", status=TrialStatus.STOPPED)
        return self._oracle.create_trial(name)

    def update_trial(
        self, name: str, trial_id: str, metrics: Mapping[str, float], step: int
    ) -> str:
        """Take the metrics of an epoch; return the trial's status.

        Args:
            name: The name under which the worker trains the trial.
            trial_id: The trial.
            metrics: As for `SamplerOracle.update_trial`.
            step: As for `SamplerOracle.update_trial`.
        """
        self._check_holds(name, trial_id)
        if worker_of(name) not in self._last and self._was_reported(trial_id, metrics, step):
            record = self._oracle.trial_record(trial_id)
            ends = record.stop_asked or record.budget_used_up
            return str(TrialStatus.STOPPED if ends else TrialStatus.RUNNING)
        return str(self._oracle.update_trial(trial_id, metrics, step=step).status)

    def end_trial(self, name: str, trial: Trial) -> None:
        """Take a trial that has ended, as `SamplerOracle.end_trial`.

        Args:
            name: The name under which the worker has trained it.
            trial: The trial.
        """
        record = self._oracle.trial_record(trial.trial_id)
        has_ended = record.worker == name and record.state is not TrialState.RUNNING
        if has_ended and worker_of(name) not in self._last:
            return  # by this very call, which a process has answered that has died since
        self._check_holds(name, trial.trial_id)
        self._oracle.end_trial(trial)

    def give_back(self, name: str) -> None:
        """Take back a trial that its worker will not end; the attempt does not count.

        Args:
            name: The name under which it trains the trial.
        """
        self._oracle.abandon(name)

    def get_trial(self, trial_id: str) -> Trial:
        """Return a trial."""
        return self._oracle.get_trial(trial_id)

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """Return the best trials."""
        return list(self._oracle.get_best_trials(num_trials))

    def get_space(self) -> keras_tuner.HyperParameters:
        """Return the space as it is declared now."""
        return self._oracle.get_space()

    def update_space(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        """Add hyperparameters to the space."""
        self._oracle.update_space(hyperparameters)

    def end_search(self) -> None:
        """Give out no more trials, as `SamplerOracle.stop`."""
        self._oracle.stop()

    def _check_holds(self, name: str, trial_id: str) -> None:
        if not self._oracle.holds(name, trial_id):
            raise TrialTakenError(trial_id)

    def _was_reported(self, trial_id: str, metrics: Mapping[str, float], step: int) -> bool:
        """Tell whether the last epoch on record is this one."""
        runs = self._oracle.trial_record(trial_id).executions
        last = max(runs[-1], default=None) if runs else None
        given, _ = split_last_epoch(metrics)
        return last == step and encoded(runs[-1][step]) == encoded(given)
