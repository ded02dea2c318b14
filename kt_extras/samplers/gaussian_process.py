"""Suggest points by a Gaussian process that learns from all learning curves, long and short.

The suggested point minimises mean - exploration * standard deviation of the loss that
`kt_extras.samplers.curve_model` predicts at the end of training: the confidence bound of Srinivas
et al. (ICML 2010, algorithm 1), among points drawn uniformly and variations of the best trials.
Some suggestions are random, since a model of few observations may be confident and wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer, is_finite
from kt_extras.arrays import FloatArray
from kt_extras.samplers.candidates import first_untried, varied
from kt_extras.samplers.curve_model import CurveModel
from kt_extras.samplers.random import check_random_fraction
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.space import Space

_PARENTS = 10  # number of the best trials that are varied
_MUTATIONS = 0.5  # expected number of changed dimensions beyond the first
_SCALES = (0.02, 0.3)  # smallest and largest standard deviation of a step on the unit cube


@dataclass(frozen=True)
class GaussianProcess:
    """Suggest the point whose loss at the end of training is predicted to be lowest.

    It learns from running and paused trials as well as from finished ones, so it suits schedulers
    that train most trials for few epochs.  A suggestion takes some 10 ms, whatever the number of
    trials.

    Args:
        n_startup_trials: Number of random trials before the model is used, at least 1. Defaults
            to 10.
        candidates: Number of points among which the model chooses, half of them random and half of
            them variations of the best trials; at least 2. Defaults to 120.
        exploration: Number of standard deviations by which the prediction of a point is lowered, at
            least 0; with a larger one, points are tried that are more uncertain. Defaults to 2.
        random_fraction: Fraction of the later suggestions that are random, too, in [0, 1]. Defaults
            to 0.2.

    Raises:
        ValueError: An argument is out of its range.

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
        if not (is_finite(self.exploration) and self.exploration >= 0):
            raise ValueError(
                f"`exploration` must be a finite number of at least 0, got {self.exploration!r}; "
                "2 is usual."
            )
        check_random_fraction(self.random_fraction)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        at_random = rng.random() < self.random_fraction or len(history) < self.n_startup_trials
        model = None if at_random else CurveModel.of(history, rng)
        ranked: list[FloatArray] = []
        if model is not None and len(space):
            unit = self._candidates(history, space, rng)
            mean, deviation = model.at_points(unit)
            ranked = list(unit[np.argsort(mean - self.exploration * deviation, kind="stable")])
        return first_untried(ranked, history, space, rng)

    def forecast(self, history: History, rng: np.random.Generator) -> FloatArray | None:
        """Return the predicted losses of all trials; see `Forecaster.forecast`."""
        model = CurveModel.of(history, rng) if len(history) >= self.n_startup_trials else None
        return None if model is None else model.of_trials(history)[0]

    def _candidates(self, history: History, space: Space, rng: np.random.Generator) -> FloatArray:
        """Return points on the unit cube, on their grids, NaN where inactive."""
        anywhere = rng.random((self.candidates, len(space)))
        losses = history.best_by(int(history.epochs.max()))
        losses = np.where(history.epochs > 0, losses, history.losses)
        losses[history.states == State.INFEASIBLE] = np.inf
        parents = np.argsort(losses, kind="stable")[:_PARENTS]
        parents = parents[np.isfinite(losses[parents])]
        if len(parents):
            chosen = history.unit[rng.choice(parents, self.candidates // 2)]
            others = anywhere[: len(chosen)]
            anywhere[: len(chosen)] = varied(
                chosen, others, space, rng, mutations=_MUTATIONS, scales=_SCALES
            )
        return _on_grid(anywhere, space)


def _on_grid(unit: FloatArray, space: Space) -> FloatArray:
    """Return points on the grids of their dimensions, NaN where inactive."""
    if any(dimension.conditions for dimension in space.dimensions):
        return np.array([space.encode(space.decode(row)) for row in unit])
    cells = [d.cells(u) for d, u in zip(space.dimensions, unit.T, strict=True)]
    return np.stack([0.5 * (lower + upper) for lower, upper in cells], axis=1)
