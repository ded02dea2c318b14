"""A model of all learning curves: what loss a configuration will have after how many epochs.

The idea is that of freeze-thaw Bayesian optimisation (Swersky, Snoek & Adams, arXiv 1406.3896) and
of DyHPO (Wistuba, Kadra & Grabocka, NeurIPS 2022): one Gaussian process over configurations and
epochs learns from every trial, however far it got, and predicts where points that were never tried
would end.

Losses are compared through their ranks among all observations, as normal scores: so neither the
scale of the objective matters nor how badly the worst trials diverge, and the loss after 3 epochs
still says how much worse it is than that after 27.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.samplers.gp_regression import Regression, fitted
from kt_extras.search.history import History, State
from kt_extras.search.space import Space

_SPACING = 3  # ratio of the epochs at which a curve is looked at
_MOST = 150  # observations that the model holds
_MOST_FITTED = 64  # and those to which its hyperparameters are fitted
_OTHER_OPTION = math.sqrt(0.5)  # puts any two options of a choice at distance 1
_NEW = -1  # the trial of a point that was not tried


@dataclass(frozen=True)
class CurveModel:
    """Predicts the losses of points at the end of training.

    Predictions are normal scores: 0 is the median of all that was observed, and -2 is better than
    98% of it.

    Args:
        space: The search space.
        longest: The epochs that count as the end: the most that any trial has trained.
        regression: What has seen the observations.

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
        """Fit to a history; None if nothing was observed yet.

        Args:
            history: All trials; the end of a training is taken to be the longest of them.
            rng: Settles what observations are left out if there are many.
        """
        trials, epochs, losses = observations(history)
        if not len(losses):
            return None
        longest = int(epochs.max())
        scores = ndtri((rankdata(losses) - 0.5) / len(losses))
        inputs = _inputs(history.unit[trials], _times(epochs, longest), history.space)
        held = _best_and_some(scores, _MOST, rng)
        inputs, trials, scores = inputs[held], trials[held], scores[held]
        seen = _best_and_some(scores, _MOST_FITTED, rng)
        found = fitted(inputs[seen], trials[seen], scores[seen], owner=_owner(history.space))
        model = cls(history.space, longest, Regression(inputs, trials, scores, found))
        begun = (history.states == State.RUNNING) & (history.epochs == 0)
        return model._without_hope(history.unit[begun], np.flatnonzero(begun))

    def at_points(self, unit: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the scores of new trials at the end.

        Args:
            unit: Shape ``(m, d)``: points on the unit cube, NaN where inactive.

        Returns:
            Two of shape ``(m,)``.
        """
        inputs = _inputs(unit, np.ones(len(unit)), self.space)
        return self.regression.predict(inputs, np.full(len(unit), _NEW))

    def of_trials(self, history: History) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the scores of a history's trials at the end.

        What a trial has shown counts twice: for points like it, and for itself.

        Returns:
            Two of shape ``(n,)``.
        """
        inputs = _inputs(history.unit, np.ones(len(history)), self.space)
        return self.regression.predict(inputs, np.arange(len(history)))

    def _without_hope(self, unit: FloatArray, trials: IntArray) -> CurveModel:
        """Return the model as if some trials had not ended better than the median of all.

        So what is suggested while they run keeps away from them.  This is the constant liar of
        Ginsbourger, Le Riche & Carraro (2010, sec. 4.2); to believe in the prediction itself hardly
        drives points apart where little is left to explore.
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
    """Return what is known of the curves, at epochs a factor of 3 apart and at the end of each.

    A completed trial that has trained less than others has its loss at the end all the same, since
    it was not going to improve; an infeasible one is infinitely bad throughout.

    Returns:
        The trials, the epochs, from 1, and the lowest losses up to there; each of shape ``(n,)``.

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
    """Return where epochs lie between the first, 0, and the longest, 1, on a logarithmic scale."""
    return np.log(epochs) / math.log(longest) if longest > 1 else np.ones(len(epochs))


def _best_and_some(scores: FloatArray, most: int, rng: np.random.Generator) -> IntArray:
    """Return `most` of the observations: half of them the best, and others drawn at random."""
    if len(scores) <= most:
        return np.arange(len(scores))
    order = np.argsort(scores, kind="stable")
    best, rest = order[: most // 2], order[most // 2 :]
    return np.sort(np.concatenate([best, rng.choice(rest, most - len(best), replace=False)]))


def _inputs(unit: FloatArray, times: FloatArray, space: Space) -> FloatArray:
    """Return the columns of the regression: the dimensions as numbers, and the time.

    An unordered choice has a column an option.  A dimension that can be inactive has one that says
    so, and stands in the middle of its range meanwhile.
    """
    columns = []
    for dimension, u in zip(space.dimensions, unit.T, strict=True):
        inactive = np.isnan(u)
        if dimension.categorical:
            option = np.floor(u * dimension.size).clip(0, dimension.size - 1)
            columns += [(option == k) * _OTHER_OPTION for k in range(int(dimension.size))]
        else:
            columns.append(np.where(inactive, 0.5, u))
        if dimension.conditions:
            columns.append(inactive.astype(float))
    return np.stack([*columns, times], axis=1)


def _owner(space: Space) -> IntArray:
    """Return the dimension to which each column belongs; the time's comes last."""
    widths = [
        (int(dimension.size) if dimension.categorical else 1) + bool(dimension.conditions)
        for dimension in space.dimensions
    ]
    return np.repeat(np.arange(len(widths) + 1), [*widths, 1])
