"""A model of all learning curves: the loss of a configuration by the number of epochs.

The idea is that of freeze-thaw Bayesian optimisation (Swersky, Snoek & Adams, arXiv 1406.3896) and
of DyHPO (Wistuba, Kadra & Grabocka, NeurIPS 2022): one Gaussian process over configurations and
epochs learns from every trial, however many epochs it has trained, and predicts the loss of new
points at the end of training.

Losses are transformed to normal scores of their ranks among all observations.  So the scale of the
objective and the size of extreme losses do not matter, and losses after 3 and after 27 epochs
remain comparable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.samplers.gp_columns import columns_of, owner_of
from kt_extras.samplers.gp_regression import Regression, curve_prior, fitted
from kt_extras.search.history import History, State
from kt_extras.search.space import Space

_SPACING = 3  # ratio of the epochs at which a curve is observed
_MAX_OBSERVATIONS = 150  # of the regression
_MAX_FITTED = 64  # observations to which the hyperparameters of the regression are fitted
_NEW = -1  # trial number of a point without a trial


@dataclass(frozen=True)
class CurveModel:
    """Predicts the losses of points at the end of training.

    Predictions are normal scores: 0 is the median of all observations, and -2 is better than 98% of
    them.

    Args:
        space: The search space.
        longest: Number of epochs at the end of training: the largest of all trials.
        regression: Gaussian process given the observations.

    >>> from kt_extras.search import Float
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> for x in np.linspace(0, 1, 9):
    ...     number = history.start({"x": float(x)})
    ...     for step in range(3):
    ...         history.report(number, step, loss=(x - 0.75) ** 2 + 1 / (step + 1))
    ...     history.finish(number, State.PAUSED, loss=history.curve(number).best)
    >>> model = CurveModel.of(history, np.random.default_rng(0))
    >>> mean, deviation = model.at_points(np.array([[0.1], [0.7]]))
    >>> bool(mean[1] < mean[0])
    True
    """

    space: Space
    longest: int
    regression: Regression

    @classmethod
    def of(cls, history: History, rng: np.random.Generator) -> CurveModel | None:
        """Fit to a history; None if it has no observations.

        Args:
            history: All trials; the longest one defines the end of training.
            rng: Generator that chooses which observations are left out if there are many.
        """
        trials, epochs, losses = observations(history)
        if not len(losses):
            return None
        longest = int(epochs.max())
        scores = ndtri((rankdata(losses) - 0.5) / len(losses))
        inputs = _inputs(history.unit[trials], _times(epochs, longest), history.space)
        held = subset(scores, _MAX_OBSERVATIONS, rng)
        inputs, trials, scores = inputs[held], trials[held], scores[held]
        seen = subset(scores, _MAX_FITTED, rng)
        owner, prior = _owner(history.space), curve_prior(len(history.space))
        found = fitted(inputs[seen], trials[seen], scores[seen], owner=owner, prior=prior)
        model = cls(history.space, longest, Regression(inputs, trials, scores, found))
        begun = (history.states == State.RUNNING) & (history.epochs == 0)
        return model._with_constant_liar(history.unit[begun], np.flatnonzero(begun))

    def at_points(self, unit: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the scores of new trials at the end.

        Args:
            unit: Shape ``(m, d)``: points on the unit cube, NaN where inactive.

        Returns:
            Two arrays of shape ``(m,)``.
        """
        inputs = _inputs(unit, np.ones(len(unit)), self.space)
        return self.regression.predict(inputs, np.full(len(unit), _NEW))

    def of_trials(self, history: History) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the scores of a history's trials at the end.

        The observations of a trial count both for points near it and for the trial itself.

        Returns:
            Two arrays of shape ``(n,)``.
        """
        inputs = _inputs(history.unit, np.ones(len(history)), self.space)
        return self.regression.predict(inputs, np.arange(len(history)))

    def _with_constant_liar(self, unit: FloatArray, trials: IntArray) -> CurveModel:
        """Return the model given that some trials end no better than the median of all.

        So suggestions made while they run are not close to them.  This is the constant liar of
        Ginsbourger, Le Riche & Carraro (2010, sec. 4.2).  Using the prediction itself as the loss
        hardly separates points in regions that are already explored.
        """
        if not len(unit):
            return self
        mean, _ = self.at_points(unit)
        known, inputs = self.regression, _inputs(unit, np.ones(len(unit)), self.space)
        more = Regression(
            np.concatenate([known.inputs, inputs]),
            np.concatenate([known.trials, trials]),
            np.concatenate([known.targets, np.maximum(mean, 0.0)]),
            known.hyperparameters,
        )
        return CurveModel(self.space, self.longest, more)


def observations(history: History) -> tuple[IntArray, IntArray, FloatArray]:
    """Return points of all curves: at epochs a factor of 3 apart, and the last of each curve.

    The loss of a completed trial that has trained less than others counts at the end of training,
    too, as more epochs would not have lowered it.  The loss of an infeasible trial is `inf` at all
    epochs.

    Returns:
        The trials, the epochs, counted from 1, and the lowest losses up to these epochs, each of
        shape ``(n,)``.

    >>> from kt_extras.search import Float
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> number = history.start({"x": 0.5})
    >>> for step, loss in enumerate([3.0, 2.0, 4.0, 1.0]):
    ...     history.report(number, step, loss)
    >>> [column.tolist() for column in observations(history)]
    [[0, 0], [1, 4], [3.0, 1.0]]
    """
    epochs, states = history.epochs, history.states
    longest = max(int(epochs.max(initial=0)), 1)
    failed, completed = states == State.INFEASIBLE, states == State.COMPLETED
    without_curve = (epochs == 0) & ((states == State.PRUNED) | (states == State.PAUSED))
    columns = []
    for level in _levels(longest):
        reached = np.where(failed, True, epochs >= level)
        losses = np.where(failed, math.inf, history.best_by(level))
        if level == longest:
            given = (completed & (epochs < longest)) | without_curve
            reached, losses = reached | given, np.where(given, history.losses, losses)
        columns.append((np.flatnonzero(reached), np.int64(level), losses[reached]))
    between = ~failed & (epochs > 0) & ~np.isin(epochs, _levels(longest))
    last = history.best_by(longest)
    trials = [np.flatnonzero(between), *(rows for rows, _, _ in columns)]
    at = [epochs[between], *(np.full(len(rows), level) for rows, level, _ in columns)]
    losses = np.concatenate([last[between], *(losses for _, _, losses in columns)])
    order = np.lexsort((np.concatenate(at), np.concatenate(trials)))
    return np.concatenate(trials)[order], np.concatenate(at)[order], losses[order]


def _levels(longest: int) -> list[int]:
    levels = [longest]
    while levels[-1] > 1:
        levels.append(max(round(levels[-1] / _SPACING), 1))
    return levels[::-1]


def _times(epochs: IntArray, longest: int) -> FloatArray:
    """Return epochs on a logarithmic scale on which the first is 0 and the longest is 1."""
    return np.log(epochs) / math.log(longest) if longest > 1 else np.ones(len(epochs))


def subset(scores: FloatArray, size: int, rng: np.random.Generator) -> IntArray:
    """Return `size` observations: the best for one half, and random others for the other."""
    if len(scores) <= size:
        return np.arange(len(scores))
    order = np.argsort(scores, kind="stable")
    best, rest = order[: size // 2], order[size // 2 :]
    return np.sort(np.concatenate([best, rng.choice(rest, size - len(best), replace=False)]))


def _inputs(unit: FloatArray, times: FloatArray, space: Space) -> FloatArray:
    """Return the columns of the regression: those of the dimensions, and the time."""
    return np.concatenate([columns_of(unit, space), times[:, None]], axis=1)


def _owner(space: Space) -> IntArray:
    """Return the dimension to which each column belongs; the time counts as the last one."""
    return np.append(owner_of(space), len(space))
