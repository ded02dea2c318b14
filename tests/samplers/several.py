"""Histories with several objectives, for tests of samplers."""

from __future__ import annotations

import numpy as np

from kt_extras.search import Float, History, Point, Sampler, Space, State, trial_rng
from kt_extras.search.outcome import Goals, Target
from kt_extras.search.pareto import hypervolume

TWO = Goals((Target("first", "min"), Target("second", "min")))
SPACE = Space([Float("x", -1, 1), Float("y", 0, 1), Float("z", 0, 1)])


def losses_of(point: Point) -> tuple[float, float]:
    """Return two losses whose front is where |x| is at most 0.5 and y and z are 0.3."""
    away = (point["y"] - 0.3) ** 2 + (point["z"] - 0.3) ** 2
    return (point["x"] + 0.5) ** 2 + away, (point["x"] - 0.5) ** 2 + away


def finish(history: History, number: int, losses, state=State.COMPLETED, violation=0.0) -> None:
    outcome = np.array([*losses, violation])
    history.report(number, 0, outcome[0], outcome)
    history.finish(number, state, outcome[0], outcome)


def history_of(trials, space: Space = SPACE) -> History:
    """Return a history of (point, losses, state, violation)."""
    history = History(space, goals=TWO)
    for point, losses, state, violation in trials:
        number = history.start(point)
        if state != State.RUNNING:
            finish(history, number, losses, state, violation)
    return history.ranked()


def search(sampler: Sampler, seed: int, trials: int, violation=lambda _: 0.0) -> History:
    history = History(SPACE, goals=TWO)
    for number in range(trials):
        point = sampler.suggest(history.ranked(), SPACE, trial_rng(seed, number))
        finish(history, history.start(point), losses_of(point), violation=violation(point))
    return history


def volume(history: History) -> float:
    feasible = history.violations == 0
    return hypervolume(history.targets[feasible], np.array([1.5, 1.5]))
