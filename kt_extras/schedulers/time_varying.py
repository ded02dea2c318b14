"""Gaussian process regression of a function that changes with time (Bogunovic, Scarlett & Cevher,
"Time-Varying Gaussian Process Bandit Optimization", AISTATS 2016).

Notation: two observations at points x, x' and times t, t' have the covariance

    exp(-sum_j w_j D_j / 2) * (1 - forgetting)^(|t - t'| / 2) + noise * [same observation]

with D_j the squared distance along dimension j and w_j its relevance, the inverse of a squared
length scale.  Targets have mean near 0 and variance near 1.
"""  # noqa: D205 - the title is long

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import fmin_l_bfgs_b

from kt_extras.arrays import FloatArray, Mask

_LENGTH = 0.5  # median length scale of one dimension; it grows with the root of their number
_MEMORY, _NOISE = 20.0, 0.05  # medians: time by which a covariance falls to 1/e, and variance
_MAX_SPREADS = 3.0  # largest distance of a logarithm from its median; the spread is 1
_STEPS = 20  # iterations of L-BFGS


@dataclass(frozen=True)
class TimeVarying:
    """A Gaussian process given some observations.

    Args:
        unit: Shape ``(n, d)``: points on the unit cube, NaN where inactive.
        times: Shape ``(n,)``.
        targets: Shape ``(n,)``.
        categorical: Shape ``(d,)``: which dimensions are choices; two options are at distance 1.
        logs: Shape ``(d + 2,)``: logarithms of w_j, of the decay of covariances in a unit of time,
            and of the noise. Defaults to None: those of largest posterior density.

    >>> x = np.linspace(0, 1, 12)[:, None]
    >>> process = TimeVarying(x, np.arange(12) % 3, np.sin(6 * x[:, 0]), np.array([False]))
    >>> mean, deviation = process.predict(np.array([[0.25], [0.8]]), time=3)
    >>> bool(mean[0] > 0.5 > -0.5 > mean[1])
    True
    """

    unit: FloatArray
    times: FloatArray
    targets: FloatArray
    categorical: Mask
    logs: FloatArray | None = None

    def predict(self, unit: FloatArray, time: float) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation at some points, without the noise.

        Args:
            unit: Shape ``(m, d)``.
            time: The time of all predictions.

        Returns:
            Two arrays of shape ``(m,)``.
        """
        squared = squared_distances(unit, self.unit, self.categorical)
        across = _covariance(squared, np.abs(time - self.times), self._known)
        factor = self._factor(self._known)
        solved = solve_triangular(factor[0], across.T, lower=True)
        variance = 1.0 - np.einsum("ij,ij->j", solved, solved)
        return across @ cho_solve(factor, self.targets), np.sqrt(np.maximum(variance, 0.0))

    def believing(self, unit: FloatArray, times: FloatArray) -> TimeVarying:
        """Return the process given that some further observations will be as it predicts.

        Its mean remains, and its deviation falls near them (Desautels, Krause & Burdick, 2014).
        """
        means = [self.predict(row[None], time)[0] for row, time in zip(unit, times, strict=True)]
        return TimeVarying(
            np.concatenate([self.unit, unit]),
            np.concatenate([self.times, times]),
            np.concatenate([self.targets, *means]),
            self.categorical,
            self._known,
        )

    @cached_property
    def _known(self) -> FloatArray:
        """The given or the fitted logarithms."""
        if self.logs is not None:
            return self.logs
        d = self.unit.shape[1]
        length = _LENGTH * math.sqrt(max(d, 1))
        medians = np.array([*[-2 * math.log(length)] * d, -math.log(_MEMORY), math.log(_NOISE)])

        def minus_log_posterior(logs: FloatArray) -> float:
            factor = self._factor(logs)
            fit = 0.5 * float(self.targets @ cho_solve(factor, self.targets))
            size = float(np.sum(np.log(np.diag(factor[0]))))
            return fit + size + 0.5 * float(np.sum((logs - medians) ** 2))

        bounds = [(median - _MAX_SPREADS, median + _MAX_SPREADS) for median in medians]
        found, _, _ = fmin_l_bfgs_b(
            minus_log_posterior, medians, approx_grad=True, bounds=bounds, maxiter=_STEPS
        )
        return np.asarray(found)

    @cached_property
    def _distances(self) -> tuple[FloatArray, FloatArray]:
        squared = squared_distances(self.unit, self.unit, self.categorical)
        return squared, np.abs(self.times[:, None] - self.times)

    def _factor(self, logs: FloatArray) -> tuple[FloatArray, bool]:
        covariance = _covariance(*self._distances, logs)
        covariance[np.diag_indices_from(covariance)] += math.exp(logs[-1])
        factor, lower = cho_factor(covariance, lower=True)
        return factor, lower


def _covariance(squared: FloatArray, apart: FloatArray, logs: FloatArray) -> FloatArray:
    relevance, decay = np.exp(logs[:-2]), math.exp(logs[-2])
    return np.asarray(np.exp(-0.5 * squared @ relevance - decay * apart))


def squared_distances(a: FloatArray, b: FloatArray, categorical: Mask) -> FloatArray:
    """Return squared distances along each dimension; 1 for two options, or where one is inactive.

    Args:
        a: Shape ``(n, d)``: points on the unit cube, NaN where inactive.
        b: Shape ``(m, d)``.
        categorical: Shape ``(d,)``: which dimensions are choices.

    Returns:
        Shape ``(n, m, d)``.

    >>> a, b = np.array([[0.5, 0.2, np.nan]]), np.array([[0.0, 0.8, np.nan], [0.5, 0.2, 0.3]])
    >>> squared_distances(a, b, np.array([False, True, False])).tolist()
    [[[0.25, 1.0, 0.0], [0.0, 0.0, 1.0]]]
    """
    difference = a[:, None, :] - b[None, :, :]
    squared = np.where(categorical, difference != 0, difference**2)
    absent, missing = np.isnan(a)[:, None, :], np.isnan(b)[None, :, :]
    return np.asarray(np.where(absent | missing, absent != missing, squared), dtype=float)
