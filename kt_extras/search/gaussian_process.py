"""Suggest points by a Gaussian process that learns from all curves, long and short.

The point that is suggested minimises mean - exploration * standard deviation of the loss that
`kt_extras.search.curve_model` predicts at the end of training: the confidence bound of Srinivas et
al. (ICML 2010, algorithm 1), among points drawn uniformly and variations of the best trials.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kt_extras.search.curve_model import CurveModel
from kt_extras.search.dimensions import FloatArray, Point
from kt_extras.search.history import History
from kt_extras.search.random import Random
from kt_extras.search.space import Space
from kt_extras.search.variation import vary

_PARENTS = 10  # the best trials, of which variations are made
_MUTATIONS, _SCALES = 1.5, (0.02, 0.3)  # of a variation: see `vary`
_RETRIES = 32  # draws at random if all candidates were tried


@dataclass(frozen=True)
class GaussianProcess:
    """Suggest the point whose loss at the end of training is predicted to be lowest.

    It learns from running and paused trials as much as from finished ones, so it goes well with
    schedulers that train most trials only a little.  A suggestion takes some 10 ms, whatever the
    number of trials.

    Args:
        startup_trials: Trials drawn at random before the model is asked, at least 1.
        candidates: Points among which it chooses, half of them random and half of them variations
            of the best trials; at least 2.
        exploration: How many standard deviations better than predicted a point is taken to be, from
            0; more tries what is less known.

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

    startup_trials: int = 10
    candidates: int = 120
    exploration: float = 0.5

    def __post_init__(self) -> None:
        for name, least in (("startup_trials", 1), ("candidates", 2), ("exploration", 0)):
            if not getattr(self, name) >= least:
                raise ValueError(f"`{name}` must be at least {least}, got {getattr(self, name)!r}.")

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        model = CurveModel.of(history, rng) if len(history) >= self.startup_trials else None
        ranked = []
        if model is not None and len(space):
            unit = self._candidates(history, space, rng)
            mean, deviation = model.at_points(unit)
            ranked = list(unit[np.argsort(mean - self.exploration * deviation, kind="stable")])
        ranked += list(rng.random((_RETRIES, len(space))))
        favourite = space.decode(ranked[0])
        points = map(space.decode, ranked)
        return next((point for point in points if not history.tried(point)), favourite)

    def _candidates(
        self, history: History, space: Space, rng: np.random.Generator
    ) -> FloatArray:
        """Return points on the unit cube, NaN where inactive, each on the grid of its values."""
        anywhere = rng.random((self.candidates - self.candidates // 2, len(space)))
        losses = history.best_by(max(int(history.epochs.max(initial=0)), 1))
        losses = np.minimum(losses, history.losses)
        parents = np.argsort(losses, kind="stable")[:_PARENTS]
        parents = parents[np.isfinite(losses[parents])]
        near = [
            vary(history.unit[parent], space, rng, mutations=_MUTATIONS, scales=_SCALES)
            for parent in rng.choice(parents, self.candidates // 2 if len(parents) else 0)
        ] if len(parents) else []
        return np.array([space.encode(space.decode(row)) for row in [*anywhere, *near]])
