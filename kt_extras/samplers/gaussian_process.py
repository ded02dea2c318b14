"""Suggest points by a Gaussian process that learns from all curves, long and short.

The suggested point minimises mean - exploration * standard deviation of the loss that
`kt_extras.samplers.curve_model` predicts at the end of training: the confidence bound of Srinivas
et al. (ICML 2010, algorithm 1), among points drawn uniformly and variations of the best trials.
Some suggestions are random, since a model that has seen little may be sure and wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer, is_number
from kt_extras.arrays import FloatArray
from kt_extras.samplers.curve_model import CurveModel
from kt_extras.samplers.mutation import reflected
from kt_extras.samplers.random import check_random_fraction
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.space import Space

_PARENTS = 10  # the best trials, of which variations are made
_MUTATIONS = 0.5  # expected beyond the first
_SCALES = (0.02, 0.3)  # smallest and largest standard deviation of a step on the unit cube
_RETRIES = 32  # draws at random if all candidates were tried


@dataclass(frozen=True)
class GaussianProcess:
    """Suggest the point whose loss at the end of training is predicted to be lowest.

    It learns from running and paused trials as much as from finished ones, so it goes well with
    schedulers that train most trials only a little.  A suggestion takes some 10 ms, whatever the
    number of trials.

    Args:
        n_startup_trials: Trials drawn at random before the model is asked, at least 1.
        candidates: Points among which it chooses, half of them random and half of them variations
            of the best trials; at least 2.
        exploration: How many standard deviations better than predicted a point is taken to be, from
            0; more tries what is less known.
        random_fraction: Part of the suggestions that are random later too, in [0, 1].

    Raises:
        ValueError: An argument out of its range.

    >>> from kt_extras.search import Float, Space, History, State, trial_rng
    >>> space = Space([Float("x", 0, 1)])
    >>> history = History(space)
    >>> for number in range(20):
    ...     point = GaussianProcess().suggest(history, space, trial_rng(0, number))
    ...     history.finish(history.start(point), State.COMPLETED, abs(point["x"] - 0.7))
    >>> bool(history.losses.min() < 0.02)
    True
    """

    n_startup_trials: int = 10
    candidates: int = 120
    exploration: float = 2.0
    random_fraction: float = 0.2

    def __post_init__(self) -> None:
        check_integer("n_startup_trials", self.n_startup_trials, minimum=1)
        check_integer("candidates", self.candidates, minimum=2)
        if not (is_number(self.exploration) and self.exploration >= 0):
            raise ValueError(
                f"`exploration` must be a number of at least 0, got {self.exploration!r}; "
                "2 is usual."
            )
        check_random_fraction(self.random_fraction)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        at_random = rng.random() < self.random_fraction or len(history) < self.n_startup_trials
        model = None if at_random else CurveModel.of(history, rng)
        ranked = []
        if model is not None and len(space):
            unit = self._candidates(history, space, rng)
            mean, deviation = model.at_points(unit)
            ranked = list(unit[np.argsort(mean - self.exploration * deviation, kind="stable")])
        ranked += list(rng.random((_RETRIES, len(space))))
        favourite = space.decode(ranked[0])
        points = map(space.decode, ranked)
        return next((point for point in points if not history.tried(point)), favourite)

    def forecast(self, history: History, rng: np.random.Generator) -> FloatArray | None:
        """Return what the model expects of all trials; see `Forecaster.forecast`."""
        model = CurveModel.of(history, rng) if len(history) >= self.n_startup_trials else None
        return None if model is None else model.of_trials(history)[0]

    def _candidates(self, history: History, space: Space, rng: np.random.Generator) -> FloatArray:
        """Return points on the unit cube, NaN where inactive, each on the grid of its values."""
        anywhere = rng.random((self.candidates, len(space)))
        losses = history.best_by(int(history.epochs.max()))
        losses = np.where(history.epochs > 0, losses, history.losses)
        losses[history.states == State.INFEASIBLE] = np.inf
        parents = np.argsort(losses, kind="stable")[:_PARENTS]
        parents = parents[np.isfinite(losses[parents])]
        if len(parents):
            chosen = history.unit[rng.choice(parents, self.candidates // 2)]
            anywhere[: len(chosen)] = _varied(chosen, anywhere[: len(chosen)], space, rng)
        return _on_grid(anywhere, space)


def _varied(
    unit: FloatArray, others: FloatArray, space: Space, rng: np.random.Generator
) -> FloatArray:
    """Return points that differ from some in a dimension or two, at least by one value."""
    varied, d = np.where(np.isnan(unit), others, unit), len(space)
    changed = rng.random(unit.shape) < _MUTATIONS / d
    changed[np.arange(len(unit)), rng.integers(d, size=len(unit))] = True
    smallest, largest = map(math.log, _SCALES)
    scales = np.exp(rng.uniform(smallest, largest, unit.shape))
    steps = scales * rng.standard_normal(unit.shape)
    for column, dimension in enumerate(space.dimensions):
        least = 1.0 / dimension.size  # of a step, 0 without a grid
        step = steps[:, column]
        step = np.copysign(np.maximum(np.abs(step), least), step)
        moved = others if dimension.categorical else reflected(varied + step[:, None])
        varied[:, column] = np.where(changed, moved, varied)[:, column]
    return varied


def _on_grid(unit: FloatArray, space: Space) -> FloatArray:
    """Return each point as a history would hold it."""
    if any(dimension.conditions for dimension in space.dimensions):
        return np.array([space.encode(space.decode(row)) for row in unit])
    cells = [d.cells(u) for d, u in zip(space.dimensions, unit.T, strict=True)]
    return np.stack([0.5 * (lower + upper) for lower, upper in cells], axis=1)
