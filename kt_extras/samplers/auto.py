"""Choose among the samplers by the space and by the trials so far.

A Gaussian process and a tree-structured Parzen estimator fail on different problems.  So the two
take turns, and each learns from the trials of both; the Gaussian process, which learns faster, has
two turns of three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.arrays import FloatArray
from kt_extras.samplers.bayesian_optimization import BayesianOptimization
from kt_extras.samplers.gaussian_process import GaussianProcess
from kt_extras.samplers.tpe import TPE
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.sampler import Sampler
from kt_extras.search.space import Space

_ROUND = 3  # suggestions, of which the last is that of TPE
_MAX_DIMENSIONS = 30  # hyperparameters of a space that a Gaussian process learns from some trials


@dataclass(frozen=True)
class Auto:
    """Suggest points by the sampler that suits the space and the trials so far.

    These are `BayesianOptimization` two times of three and `TPE` the third; `TPE` alone with
    several objectives, or in a space of more than 30 hyperparameters; and `GaussianProcess`, which
    learns from learning curves, while a trial is paused by a scheduler.

    Args:
        n_startup_trials: Number of random trials before a model is used, at least 1. Defaults
            to 10.

    Raises:
        ValueError: `n_startup_trials` is below 1.

    >>> from kt_extras.search import Float, Space, History, State, trial_rng
    >>> space = Space([Float("x", 0, 1)])
    >>> history = History(space)
    >>> for number in range(16):
    ...     point = Auto().suggest(history, space, trial_rng(0, number))
    ...     history.finish(history.start(point), State.COMPLETED, (point["x"] - 0.7) ** 2)
    >>> bool(history.losses.min() < 1e-6)
    True
    """

    n_startup_trials: int = 10

    def __post_init__(self) -> None:
        check_integer("n_startup_trials", self.n_startup_trials, minimum=1)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        return self.chosen(history, space).suggest(history, space, rng)

    def chosen(self, history: History, space: Space) -> Sampler:
        """Return the sampler of the next suggestion.

        Args:
            history: All trials so far.
            space: That of `history`.
        """
        if history.n_objectives > 1:
            return TPE(self.n_startup_trials)
        if (history.states == State.PAUSED).any():
            return self._of_curves()
        if len(space) > _MAX_DIMENSIONS or len(history) % _ROUND == _ROUND - 1:
            return TPE(self.n_startup_trials)
        return BayesianOptimization(self.n_startup_trials)

    def forecast(self, history: History, rng: np.random.Generator) -> FloatArray | None:
        """Return the predicted losses of all trials; see `Forecaster.forecast`."""
        return self._of_curves().forecast(history, rng)

    def _of_curves(self) -> GaussianProcess:
        return GaussianProcess(self.n_startup_trials)
