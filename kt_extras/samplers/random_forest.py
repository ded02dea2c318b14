"""Bayesian optimisation with a random forest, as in SMAC (Hutter, Hoos & Leyton-Brown, 2011).

Trees split a choice or a switched-off branch as readily as a number, and need no scale of the
losses.  Mean and variance of a prediction are those among the trees.  The next point has the
largest logarithm of the expected improvement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.arrays import FloatArray, IntArray
from kt_extras.samplers.candidates import around_best, climbed, first_untried
from kt_extras.samplers.curve_model import subset
from kt_extras.samplers.expected_improvement import log_expected_improvement
from kt_extras.samplers.final_losses import informative, standardised
from kt_extras.samplers.gp_columns import columns_of, masked
from kt_extras.samplers.random import check_random_fraction
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.space import Space

_LEAST_VARIANCE = 1e-6  # of a prediction, in units of the variance of the losses
_MAX_OBSERVATIONS = 1000  # of a forest
_STARTS = 5  # number of the best points from which it climbs
_PARENTS = 10  # number of the best trials that are varied
_MUTATIONS = 0.5  # expected number of changed dimensions beyond the first
_SCALES = (0.01, 0.3)  # smallest and largest standard deviation of a step on the unit cube


@dataclass(frozen=True)
class RandomForest:
    """Suggest the point with the largest expected improvement on a random forest.

    It suits spaces of many choices and conditions.  Where all hyperparameters are numbers,
    `BayesianOptimization` needs fewer trials.

    Args:
        n_startup_trials: Number of random trials before the model is used, at least 1. Defaults
            to 10.
        trees: Number of trees of the forest, at least 2. Defaults to 30.
        candidates: Number of points that the model compares, half of them random and half of them
            variations of the best trials; at least 2. Defaults to 512.
        random_fraction: Fraction of the later suggestions that are random, too, in [0, 1]. Defaults
            to 0.1.

    Raises:
        ValueError: An argument is out of its range.

    >>> from kt_extras.search import Choice, Space, History, State, trial_rng
    >>> space = Space([Choice(name, (1, 2, 3, 4)) for name in "abc"])
    >>> history = History(space)
    >>> for number in range(30):
    ...     point = RandomForest().suggest(history, space, trial_rng(0, number))
    ...     history.finish(history.start(point), State.COMPLETED, sum(point.values()))
    >>> float(history.losses.min())
    3.0
    """

    n_startup_trials: int = 10
    trees: int = 30
    candidates: int = 512
    random_fraction: float = 0.1

    def __post_init__(self) -> None:
        check_integer("n_startup_trials", self.n_startup_trials, minimum=1)
        check_integer("trees", self.trees, minimum=2)
        check_integer("candidates", self.candidates, minimum=2)
        check_random_fraction(self.random_fraction)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        at_random = rng.random() < self.random_fraction or len(history) < self.n_startup_trials
        trials, losses = informative(history)
        ranked: list[FloatArray] = []
        if len(space) and not at_random and np.isfinite(losses).any():
            forest = self._forest(history, trials, losses, rng)
            parents = trials[np.argsort(losses, kind="stable")[:_PARENTS]]
            rows = around_best(
                history, parents, self.candidates, rng, mutations=_MUTATIONS, scales=_SCALES
            )
            ranked = _ranked(rows, forest, space)
        return first_untried(ranked, history, space, rng)

    def _forest(
        self, history: History, trials: IntArray, losses: FloatArray, rng: np.random.Generator
    ) -> _Forest:
        """Return the forest of all trials; a running one counts with the mean loss."""
        targets = standardised(losses)
        held = subset(targets, _MAX_OBSERVATIONS, rng)
        running = np.flatnonzero(history.states == State.RUNNING)
        inputs = columns_of(history.unit[np.append(trials[held], running)], history.space)
        targets = np.append(targets[held], np.zeros(len(running)))
        return _Forest.of(inputs, targets, self.trees, rng)


class _Forest(NamedTuple):
    trees: tuple[Any, ...]
    incumbent: float  # the lowest prediction of the trials

    @classmethod
    def of(
        cls, inputs: FloatArray, targets: FloatArray, trees: int, rng: np.random.Generator
    ) -> _Forest:
        from sklearn.ensemble import RandomForestRegressor  # takes a second to import

        seed = int(rng.integers(2**31))
        forest = RandomForestRegressor(trees, random_state=seed).fit(inputs, targets)
        grown = tuple(tree.tree_ for tree in forest.estimators_)
        mean, _ = cls(grown, 0.0).predict(inputs)
        return cls(grown, float(mean.min()))

    def predict(self, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the losses, each of shape ``(n,)``."""
        x = inputs.astype(np.float32)
        means = np.stack([tree.predict(x)[:, 0] for tree in self.trees])
        return means.mean(axis=0), np.sqrt(np.maximum(means.var(axis=0), _LEAST_VARIANCE))


def _ranked(rows: FloatArray, forest: _Forest, space: Space) -> list[FloatArray]:
    """Return where climbs from the best rows end, and then all rows, the best first."""

    def score(rows: FloatArray) -> FloatArray:
        mean, deviation = forest.predict(columns_of(masked(rows, space), space))
        return log_expected_improvement(mean, deviation, forest.incumbent)

    rows = rows[np.argsort(-score(rows), kind="stable")]
    ends = sorted((climbed(row, space, score) for row in rows[:_STARTS]), key=lambda end: -end[1])
    return [*(row for row, _ in ends), *rows]
