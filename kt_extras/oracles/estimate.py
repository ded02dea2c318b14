"""How many epochs a scheduler will train, found by simulating the rest of a search.

A plan has the smallest rungs.  A scheduler that promotes trials before a rung is complete promotes
more, and the more so the less its order of the trials holds.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.schedulers import Resume, Scheduler, Start
from kt_extras.search import History, State

_REPEATS = 7  # simulations of an estimate
_MAX_TRIALS = 60  # simulated; a longer search trains in proportion
_NOISE = 0.5  # of a simulated forecast, in standard deviations of the losses


@dataclass(frozen=True)
class Estimate:
    """Epochs that a search will train in all.

    Attributes:
        low, high: The range of the simulations, less the two that are farthest out.
        expected: Their median.
    """

    low: int
    expected: int
    high: int


def estimate(scheduler: Scheduler, history: History, max_trials: int) -> Estimate:
    """Return how many epochs a search trains in all, those of its history among them.

    Args:
        scheduler: Its scheduler.
        history: Its trials so far; not changed.
        max_trials: Maximum number of trials.
    """
    trained, begun = int(history.epochs.sum()), len(history)
    new = max(max_trials - begun, 0)
    simulated = min(new, max(_MAX_TRIALS - begun, _MAX_TRIALS // 4))
    more = []
    for repeat in range(_REPEATS):
        simulation = _Simulation(scheduler, history, np.random.default_rng(repeat))
        more.append(simulation.run(begun + simulated))
    scale = new / simulated if simulated > 0 else 1.0
    inner = np.sort(more)[1:-1]
    low, middle, high = (trained + round(scale * float(n)) for n in inner[[0, len(inner) // 2, -1]])
    return Estimate(low, middle, high)


class _Simulation:
    """A search with invented losses, from a history to its end.

    Args:
        scheduler: The scheduler.
        history: Its trials so far.
        rng: Generator of all draws.
    """

    def __init__(self, scheduler: Scheduler, history: History, rng: np.random.Generator) -> None:
        self._history, self._rng = copy.deepcopy(history), rng
        self._scheduler = _with_cheap_forecasts(scheduler)
        finite = history.losses[np.isfinite(history.losses)]
        self._seen = finite if len(finite) > 2 else rng.normal(size=20)
        self._scale = float(np.std(self._seen)) or 1.0
        for number in np.flatnonzero(history.states == State.RUNNING).tolist():
            self._history.finish(number, State.PAUSED, float(history.losses[number]))

    def run(self, max_trials: int) -> int:
        """Return how many epochs are trained until the scheduler has no further step."""
        before = int(self._history.epochs.sum())
        while True:
            may_start = len(self._history) < max_trials
            step = self._scheduler.next_step(self._history, seed=0, may_start=may_start)
            if step is None:
                return int(self._history.epochs.sum()) - before
            number = self._begin(step)
            until = step.until
            while until > self._history.epochs[number]:
                self._train(number, until)
                may_start = len(self._history) < max_trials
                until = self._scheduler.goes_on(self._history, number, seed=0, may_start=may_start)
            self._end(number)

    def _begin(self, step: Start | Resume) -> int:
        history = self._history
        if isinstance(step, Start):
            point = history.space.decode(self._rng.random(len(history.space)))
            return history.start(point, step.bracket)
        history.resume(step.number)
        if step.point is not None:
            history.change(step.number, int(history.epochs[step.number]), step.point)
        return step.number

    def _train(self, number: int, until: int) -> None:
        """Report losses that fall less and less."""
        curve = self._history.curve(number).reported
        loss = float(curve[-1]) if len(curve) else self._first_loss()
        for epoch in range(int(self._history.epochs[number]), until):
            loss -= self._scale * abs(self._rng.normal()) / (epoch + 2) ** 1.5
            self._history.report(number, epoch, loss)

    def _first_loss(self) -> float:
        return float(self._rng.choice(self._seen) + self._scale * (1 + 0.1 * self._rng.normal()))

    def _end(self, number: int) -> None:
        trained = int(self._history.epochs[number])
        whole = trained >= self._scheduler.max_epochs
        unfinished = State.PAUSED if self._scheduler.resumes else State.PRUNED
        state = State.COMPLETED if whole else unfinished
        self._history.finish(number, state, self._history.curve(number).best)


@dataclass(frozen=True)
class _CheapForecaster:
    """Forecasts the losses so far, with noise that falls with the epochs trained."""

    def forecast(self, history: History, rng: np.random.Generator) -> FloatArray:
        best = history.best_by(int(history.epochs.max(initial=1)))
        finite = best[np.isfinite(best)]
        scale = float(np.std(finite)) if len(finite) else 1.0
        noise: FloatArray = rng.normal(size=len(best)) * _NOISE * scale
        return best + noise


def _with_cheap_forecasts(scheduler: Any) -> Any:
    if getattr(scheduler, "forecaster", None) is None:
        return scheduler
    return replace(scheduler, forecaster=_CheapForecaster())
