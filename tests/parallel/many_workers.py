"""Simulates many workers of one search in virtual time, on its oracle alone.

Workers are slow, die, are started anew, crash, are silent and come back late, and their calls come
twice.  The process of the oracle dies now and then, and goes on from its journal.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kt_extras as kte
from kt_extras.bridge.trial_state import TrialState
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.parallel.oracle_service import OracleService

TIMEOUT = 60.0  # virtual seconds
_TICK = 10.0  # between looks at who is silent
_WAIT = 5.0  # before a worker asks again
_OPEN = {TrialState.RUNNING, TrialState.WAITING, TrialState.PAUSED}


@dataclass
class Worker:
    """A process that trains.

    Attributes:
        name: Of this process.
        number: Of its next call.
        trial: That it trains.
        step: The next epoch.
        ends: Whether the trial is to be ended next.
        silent_until: When it is heard again.
    """

    name: str
    number: int = 0
    trial: Any = None
    step: int = 0
    ends: bool = False
    silent_until: float = 0.0


@dataclass
class Given:
    """What the simulation knows of a trial.

    Attributes:
        holder: Who trains it, None while nobody does.
        attempt: How often it has begun since it was last paused.
        over: Whether it must not be given again.
        paused: Whether it was paused.
    """

    holder: str | None = None
    attempt: int = 0
    over: bool = False
    paused: bool = False


@dataclass
class ManyWorkers:
    """A search with many workers.

    Args:
        make: Makes the oracle.
        directory: Where its project is.
        workers: How many there are.
        epochs: How long a trial trains if no scheduler says so.
        seed: Of what happens.
        oracle_dies: The fraction of calls in which the oracle's process dies.

    Attributes:
        calls: How many calls were made, by method.
        seconds: That they took in all, by method.
        happened: What else has happened.
        idle: How many running trials, and begun ones, there were each time a worker got none.
    """

    make: Callable[[], kte.SamplerOracle]
    directory: Path
    workers: int = 1000
    epochs: int = 5
    seed: int = 0
    oracle_dies: float = 1 / 5000
    now: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    idle: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.trials: dict[str, Given] = {}
        self.alive: dict[str, Worker] = {}
        self.lost: set[str] = set()
        self.queue: list[tuple[float, int, str]] = []
        self.counter = 0
        self.oracle: Any = None
        self._open()

    # What happens.

    def run(self, events: int) -> None:
        """Let the workers make so many calls, or fewer if the search ends before."""
        self.last_heard = {f"w{n}.0": 0.0 for n in range(self.workers)}
        for name in list(self.last_heard):
            self._start(name, self.random.uniform(0, 120))
        tick = 0.0
        while self.queue and sum(self.calls.values()) < events:
            self.now, _, name = heapq.heappop(self.queue)
            while tick < self.now:
                self._tick(tick)
                tick += _TICK
            if name not in self.alive:
                self.alive[name] = Worker(name)
            self._act(self.alive[name])
        self._restart_oracle()
        self.close()

    def close(self) -> None:
        """End the process of the oracle."""
        self.oracle.close_session()

    def _start(self, name: str, delay: float) -> None:
        self.counter += 1
        heapq.heappush(self.queue, (self.now + delay, self.counter, name))

    def _tick(self, moment: float) -> None:
        """Hear the living, and lose the silent."""
        self.now, now = moment, self.now
        for worker in self.alive.values():
            if worker.silent_until <= moment:
                self.service.hear(worker.name)
        for name in self.service.lose_silent():
            self.lost.add(name)
            self.happened["lost"] += 1
            for given in self.trials.values():
                if given.holder == name:
                    given.holder = None
        self.now = now

    def _act(self, worker: Worker) -> None:
        """Let a worker make its next call, or let something happen to it."""
        if self._dies(worker):
            return
        try:
            delay = self._call_next(worker)
        except TrialTakenError:
            self.happened["taken"] += 1
            worker.number += 1
            worker.trial, delay = None, 0.1
        if delay is None:  # there is nothing left
            del self.alive[worker.name]
            return
        if self.random.random() < 0.005:
            self.happened["silent"] += 1
            silence = self.random.uniform(5, 300)
            worker.silent_until, delay = self.now + silence, silence
        self._start(worker.name, delay)

    def _dies(self, worker: Worker) -> bool:
        if self.random.random() >= 0.005:
            return False
        self.happened["died"] += 1
        del self.alive[worker.name]
        place, _, generation = worker.name.partition(".")
        self._start(f"{place}.{int(generation) + 1}", self.random.uniform(1, 300))
        return True

    def _call_next(self, worker: Worker) -> float | None:
        """Make a worker's next call; return after how long it makes another, None if none."""
        if worker.trial is None:
            return self._ask(worker)
        name, trial_id = worker.name, worker.trial.trial_id
        if not worker.ends and self.random.random() < 0.002:
            worker.trial.status, worker.ends = "INVALID", True
            self.happened["crashed"] += 1
        if worker.ends:
            self._call(worker, "end_trial", name, worker.trial)
            self._check_end(trial_id, name)
            worker.trial = None
            return 0.1
        cost = worker.trial.hyperparameters.get("x") + 1 / (worker.step + 1)
        status = self._call(worker, "update_trial", name, trial_id, {"cost": cost}, worker.step)
        worker.step += 1
        without = self.oracle.scheduler is None and worker.step >= self.epochs
        if status == "STOPPED" or without:
            worker.trial.status, worker.ends = "COMPLETED", True
        return self.random.expovariate(1 / 20)

    def _ask(self, worker: Worker) -> float | None:
        trial = self._call(worker, "create_trial", worker.name)
        if trial.status == "STOPPED":
            return None
        if trial.status == "IDLE":
            running = sum(given.holder is not None for given in self.trials.values())
            self.idle.append((running, len(self.trials)))
            return _WAIT
        record = self.oracle.trial_record(trial.trial_id)
        self._check_begin(trial.trial_id, record, worker.name)
        worker.trial, worker.ends = trial, False
        worker.step = record.trained
        return self.random.expovariate(1 / 20)

    def _call(self, worker: Worker, method: str, *arguments: Any) -> Any:
        """Make a call, perhaps twice, and perhaps with the death of the oracle in between."""
        arguments = (worker.name, worker.number, method, *arguments)
        began = time.perf_counter()
        answer = self.service.call(*arguments)
        self.seconds[method] += time.perf_counter() - began
        self.calls[method] += 1
        if self.random.random() < self.oracle_dies:
            self._restart_oracle()
            again = self.service.call(*arguments)
            self._check_same(method, answer, again)
        elif self.random.random() < 0.01 and method != "create_trial":
            self._check_same(method, answer, self.service.call(*arguments))
        worker.number += 1
        return answer

    # The process of the oracle.

    def _open(self) -> None:
        self.oracle = self.make()
        self.oracle._set_project_dir(str(self.directory), "shared")
        if self.oracle.is_recorded():
            self.oracle.reload()
        self.oracle.open_session()
        self.service = OracleService(self.oracle, timeout=TIMEOUT, clock=lambda: self.now)

    def _restart_oracle(self) -> None:
        """Let the process of the oracle die, and another one take its place."""
        before = states_of(self.oracle)
        self.close()
        self._open()
        self.happened["restarts"] += 1
        changed = [
            pair for pair in zip(before, states_of(self.oracle), strict=True) if pair[0] != pair[1]
        ]
        assert not changed, changed[:3]

    # The laws.

    def _check_begin(self, trial_id: str, record: Any, name: str) -> None:
        given = self.trials.setdefault(trial_id, Given())
        assert not given.over, f"{trial_id} has ended, and was given again"
        assert given.holder is None, f"{given.holder} and {name} train {trial_id}"
        given.attempt = 1 if given.paused else given.attempt + 1
        assert record.attempt == given.attempt
        assert record.worker == name
        given.holder, given.paused = name, False
        assert self.oracle.max_trials is None or len(self.trials) <= self.oracle.max_trials

    def _check_end(self, trial_id: str, name: str) -> None:
        given, state = self.trials[trial_id], self.oracle.trial_record(trial_id).state
        assert given.holder in {name, None}  # None if it was lost, but came back in time
        given.holder, given.paused = None, state is TrialState.PAUSED
        given.over = state not in _OPEN

    def _check_same(self, method: str, answer: Any, again: Any) -> None:
        """The trial of a call that comes twice is the same one."""
        if method == "create_trial":
            assert (again.trial_id, again.status) == (answer.trial_id, answer.status)
        else:
            assert again == answer


def states_of(oracle: kte.SamplerOracle) -> list[tuple[Any, ...]]:
    """Return what the records must say of each trial, whoever reads them."""
    return [
        (
            record.trial.trial_id,
            record.state,
            record.attempt,
            record.worker,
            record.epoch_budget,
            record.executions,
            record.trial.score,
            record.trial.values,
            record.counted,
        )
        for record in oracle.trial_records()
    ]
