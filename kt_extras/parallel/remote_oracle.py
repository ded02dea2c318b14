"""Stands in for the oracle of a tuner in a worker that Ray has started."""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.oracles.taken import TrialTakenError
from kt_extras.parallel.direct_calls import DirectCalls
from kt_extras.parallel.oracle_actor import BEATS

_FIRST_PAUSE, _LAST_PAUSE = 0.01, 0.64  # seconds between two questions for a trial


class Link:
    """Makes the calls of a worker to the actor that has the oracle.

    A call that is lost since that dies is made again, to the process that takes its place.

    Args:
        ray: The module.
        actor: The handle of the actor.
        worker: The name of this worker.
        stop: Called when the user has asked for the end of the search.
    """

    def __init__(self, ray: Any, actor: Any, worker: str) -> None:
        self._ray, self._actor, self.worker = ray, actor, worker
        self._calls = DirectCalls(ray, actor)
        self._number, self._lock = 0, threading.Lock()
        self.stop: Callable[[], None] = lambda: None
        self.stop_asked = False
        self.has_moved = True  # whether the training has gone on since the last heartbeat

    def call(self, method: str, *args: Any) -> Any:
        """Return what a method of the service returns.

        Raises:
            Exception: What the method raises.
        """
        with self._lock:
            number, self._number = self._number, self._number + 1
            answer = self._calls.call(self.worker, number, method, *args)
            self.has_moved = True
        if answer.stop_asked:
            self.ask_to_stop()
        return answer.result()

    def show(self, trial_id: str, log_dir: str) -> None:
        """Have a trial shown in a directory of TensorBoard."""
        self._ray.get(self._actor.show.remote(trial_id, log_dir))

    def beat(self) -> None:
        """Say that this worker lives."""
        moved, self.has_moved = self.has_moved, False
        hear = self._actor.hear.options(concurrency_group=BEATS)
        if self._ray.get(hear.remote(self.worker, moved)):
            self.ask_to_stop()

    def ask_to_stop(self) -> None:
        """Let the training end after the running epoch."""
        self.stop_asked = True
        self.stop()


class Heart(threading.Thread):
    """Says every few seconds that a worker lives.

    Args:
        link: Of the worker.
        interval: Seconds.
    """

    def __init__(self, link: Link, interval: float) -> None:
        super().__init__(name="kt_extras-heart", daemon=True)
        self._link, self._interval = link, interval
        self._ended = threading.Event()

    def run(self) -> None:
        """Beat until `end`."""
        while not self._ended.wait(self._interval):
            with suppress(Exception):  # the actor has ended, and this process will
                self._link.beat()

    def end(self) -> None:
        """End soon."""
        self._ended.set()


class RemoteOracle:
    """Has the methods of an oracle that a worker calls; what it does not have is the local one's.

    Args:
        local: The oracle of this process, without records.
        link: To the oracle that has them.
        workers: How many workers there are to be.
        waits: Whether `create_trial` waits for a trial, for tuners that ask again at once.
    """

    def __init__(self, local: Any, link: Link, workers: int, *, waits: bool) -> None:
        self._local, self._link, self._waits = local, link, waits
        self.workers = workers
        self.multi_worker, self.should_report = False, True
        self._trials: dict[str, tuple[str, Trial]] = {}  # by id, with the name it runs under
        self._spaceless: set[str] = set()  # those that declare the space while they run

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._local, name)

    # What KerasTuner's oracles have.

    def create_trial(self, tuner_id: str) -> Trial:
        """Return a trial, or one that says that there is none (yet)."""
        name = self._link.worker if self._waits else tuner_id
        for asked in itertools.count(1):
            trial: Trial = self._link.call("create_trial", name)
            if trial.status != TrialStatus.IDLE or not self._waits:
                break
            self.wait(asked)
        if trial.status not in {TrialStatus.IDLE, TrialStatus.STOPPED}:
            self._trials[trial.trial_id] = name, trial
            if not trial.hyperparameters.space:
                self._spaceless.add(trial.trial_id)
        return trial

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Report metrics; return the trial with its status.

        Raises:
            TrialTakenError: It was given to another worker.
        """
        name, trial = self._trials[trial_id]
        if trial_id in self._spaceless and trial.hyperparameters.space:
            self._spaceless.remove(trial_id)
            self.update_space(trial.hyperparameters)  # for which other workers wait
        answer = copy.copy(trial)
        answer.status = self._link.call("update_trial", name, trial_id, dict(metrics), step)
        return answer

    def end_trial(self, trial: Trial) -> None:
        """End a trial, unless it was given to another worker."""
        if trial.trial_id not in self._trials:
            return
        name, _ = self._trials.pop(trial.trial_id)
        with suppress(TrialTakenError):  # tuners of KerasTuner do not know it
            self._link.call("end_trial", name, trial)

    def get_trial(self, trial_id: str) -> Trial:
        """Return a trial."""
        return self._link.call("get_trial", trial_id)

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """Return the best trials."""
        return list(self._link.call("get_best_trials", num_trials))

    def get_space(self) -> Any:
        """Return the space."""
        return self._link.call("get_space")

    def update_space(self, hyperparameters: Any) -> None:
        """Add hyperparameters to the space."""
        self._link.call("update_space", hyperparameters)

    # What those of kt_extras are asked besides.

    def stop(self) -> None:
        """Let the search give out no more trials."""
        self._link.call("end_search")

    def wait(self, asked: int) -> None:
        """Wait since there is no trial yet, the longer the more often that was said in a row."""
        time.sleep(min(_FIRST_PAUSE * 2 ** min(asked, 10), _LAST_PAUSE))

    def attempt(self, trial_id: str) -> int:
        """Return how often a trial was begun."""
        return int(self._link.call("attempt", trial_id))

    def would_overtake(self) -> bool:
        """As `kt_extras.oracles.workers.would_overtake`."""
        return bool(self._link.call("would_overtake"))

    def give_back(self, trial_id: str) -> None:
        """Let a trial be run again."""
        name, _ = self._trials.pop(trial_id)
        self._link.call("give_back", name)

    def give_back_all(self) -> None:
        """Let all trials be run again that this worker has."""
        for trial_id in list(self._trials):
            self.give_back(trial_id)


class RemoteMonitor:
    """Takes the place of what reports a search, which the driver does.

    Args:
        link: To the actor that tells the driver.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def trial_began(self, trial: Trial, log_dir: str) -> None:
        """Have a trial shown in a directory of TensorBoard."""
        self._link.show(trial.trial_id, log_dir)

    def epoch_ended(self, trial_id: str) -> None:
        """Do nothing: the driver reads the records."""
