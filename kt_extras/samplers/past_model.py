"""Predicts how good points are from earlier searches, and from the trials of this one.

Each earlier search has a Gaussian process of its ranks with fixed hyperparameters, a Matern kernel
of smoothness 5/2 whose length scale grows with the square root of the number of dimensions.  The
prediction is the mean over the searches, weighted by how far each is trusted, plus a Gaussian
process of what the trials of this search have shown beyond it.  So an earlier search is the prior
mean of this one, and that counts less and less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from kt_extras.arrays import FloatArray
from kt_extras.samplers.gp_regression import matern
from kt_extras.search.past import Past
from kt_extras.search.space import Space

_LENGTH = 0.5  # length scale of one dimension
_NOISE = 0.1  # variance of a rank that has nothing to do with the point, in units of the signal's
_APART = 0.5  # squared distance of two options
_UNKNOWN = 0.25  # squared distance of a value from none


class PastModel:
    """What earlier searches say of the points of a space.

    Args:
        pasts: The earlier searches, at least one.
        space: The space of this one.

    >>> from kt_extras.search import Float
    >>> space = Space([Float("x", 0, 1)])
    >>> model = PastModel([Past("old", ({"x": 0.25}, {"x": 0.75}), (0.0, 1.0))], space)
    >>> model.ranks(np.array([[0.25], [0.5], [0.75]])).round(1).tolist()
    [[0.1, 0.5, 0.9]]
    """

    def __init__(self, pasts: Sequence[Past], space: Space) -> None:
        self._categorical = np.array([d.categorical for d in space.dimensions], dtype=bool)
        self._units = [past.unit(space) for past in pasts]
        self._targets = [np.array(past.ranks) for past in pasts]
        self._weights = [
            self._solved(unit, ranks - 0.5)
            for unit, ranks in zip(self._units, self._targets, strict=True)
        ]

    def ranks(self, unit: FloatArray) -> FloatArray:
        """Return the ranks of points that each earlier search predicts.

        Args:
            unit: Shape ``(n, d)``, NaN where inactive.

        Returns:
            Shape ``(searches, n)``.
        """
        pairs = zip(self._units, self._weights, strict=True)
        return np.array([0.5 + self._kernel(unit, known) @ weights for known, weights in pairs])

    def best(self, fraction: float) -> FloatArray:
        """Return the points of the best trials of each search, of shape ``(n, d)``.

        Args:
            fraction: Share of each search's trials; those of rank 1, the worst, are left out.
        """
        pairs = zip(self._units, self._targets, strict=True)
        return np.vstack(
            [unit[(ranks <= np.quantile(ranks, fraction)) & (ranks < 1.0)] for unit, ranks in pairs]
        )

    def corrected(
        self, at: FloatArray, trust: FloatArray, unit: FloatArray, ranks: FloatArray
    ) -> FloatArray:
        """Return the ranks of points given the trials of this search.

        Args:
            at: Shape ``(m, d)``: the points.
            trust: Shape ``(searches,)``: the weight of each earlier search.
            unit: Shape ``(n, d)``: the points of the trials of this search.
            ranks: Shape ``(n,)``: their ranks.

        Returns:
            Shape ``(m,)``.
        """
        weights = trust / trust.sum() if trust.any() else np.full(len(trust), 1.0 / len(trust))
        expected = weights @ self.ranks(at)
        if len(unit) < 2:
            return np.asarray(expected)
        beyond = ranks - weights @ self.ranks(unit)
        more = self._kernel(at, unit) @ self._solved(unit, beyond - beyond.mean())
        return np.asarray(expected + more)

    def _solved(self, unit: FloatArray, targets: FloatArray) -> FloatArray:
        covariance = self._kernel(unit, unit) + _NOISE * np.eye(len(unit))
        return np.asarray(cho_solve(cho_factor(covariance), targets))

    def _kernel(self, one: FloatArray, other: FloatArray) -> FloatArray:
        """Return the covariance of all pairs of points."""
        squares = np.zeros((len(one), len(other)))
        for column, categorical in enumerate(self._categorical):
            a, b = one[:, column][:, None], other[:, column]
            apart = np.where(a == b, 0.0, _APART) if categorical else (a - b) ** 2
            lacking = np.where(np.isnan(a) & np.isnan(b), 0.0, _UNKNOWN)
            squares += np.where(np.isnan(a) | np.isnan(b), lacking, apart)
        return matern(squares / (_LENGTH**2 * max(len(self._categorical), 1)))[0]
