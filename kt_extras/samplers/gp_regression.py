"""Gaussian process regression of learning curves (Rasmussen & Williams, "GPML", MIT Press 2006).

Notation: X are the inputs, one row for each observation, the last column its time; y are the
targets, with mean near 0 and variance near 1; K is the covariance of y.  For two observations it is

    signal * matern(r) + own * [same trial] + noise * [same observation],   r^2 = sum_j w_j D_j,

with the Matern kernel of smoothness 5/2 (eq. 4.17), D_j the squared distance along dimension j and
w_j its relevance, the inverse of a squared length scale.  `own` is the variance of an offset of a
whole curve, as of the random initial weights of a trial.  So low losses at the beginning of a curve
lower the prediction for the rest of it and, less so, for the curves of similar configurations.

The hyperparameters maximise the marginal likelihood (eq. 5.8, 5.9) times a log-normal prior, whose
length scales grow with the square root of the number of dimensions (Hvarfner et al., ICML 2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import fmin_l_bfgs_b

from kt_extras.arrays import FloatArray, IntArray

_LENGTH, _LENGTH_SPREAD = 0.5, 2.0  # median length scale of one dimension; spread of log w_j
_TIME_SPREAD = 1.5  # of the log relevance of the time
_VARIANCES = np.log([1.0, 0.005, 0.02])  # medians of signal, own and noise; the log spread is 1
_MAX_SPREADS = 3.0  # largest distance of a hyperparameter from its median, in spreads
_STEPS = 15  # iterations of L-BFGS; the posterior hardly changes after ten


@dataclass(frozen=True)
class Hyperparameters:
    """Hyperparameters of the covariance.

    Args:
        relevance: Shape ``(columns,)``: w_j of each column of X.
        signal: Variance of the part that is similar for similar inputs.
        own: Variance of the part that all observations of one trial have in common.
        noise: Variance of the part that is independent for each observation.
    """

    relevance: FloatArray
    signal: float
    own: float
    noise: float


@dataclass(frozen=True)
class Regression:
    """A Gaussian process given some observations.

    Args:
        inputs: Shape ``(n, columns)``.
        trials: Shape ``(n,)``: the trial of each observation.
        targets: Shape ``(n,)``.
        hyperparameters: Of the covariance, as returned by `fitted`.

    >>> x = np.linspace(0, 1, 20)[:, None]
    >>> trials, y = np.arange(20), np.sin(6 * x[:, 0])
    >>> found = fitted(x, trials, y, owner=np.zeros(1, dtype=int))
    >>> regression = Regression(x, trials, y, found)
    >>> mean, deviation = regression.predict(np.array([[0.51]]), np.array([-1]))
    >>> bool(abs(mean[0] - np.sin(3.06)) < 0.1)
    True
    """

    inputs: FloatArray
    trials: IntArray
    targets: FloatArray
    hyperparameters: Hyperparameters

    def __post_init__(self) -> None:
        covariance = self._covariance(self.inputs, self.trials)
        covariance[np.diag_indices_from(covariance)] += self.hyperparameters.noise
        factor = cho_factor(covariance, lower=True, check_finite=False)
        object.__setattr__(self, "_factor", factor[0])
        object.__setattr__(self, "_weights", cho_solve(factor, self.targets, check_finite=False))

    _factor: FloatArray = None  # type: ignore[assignment]
    _weights: FloatArray = None  # type: ignore[assignment]

    def predict(self, inputs: FloatArray, trials: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of targets without their noise (eq. 2.25, 2.26).

        Args:
            inputs: Shape ``(m, columns)``.
            trials: Shape ``(m,)``: the trial of each prediction, a negative number for a new one.

        Returns:
            Two arrays of shape ``(m,)``.
        """
        across = self._covariance(inputs, trials)
        solved = solve_triangular(self._factor, across.T, lower=True, check_finite=False)
        prior = self.hyperparameters.signal + self.hyperparameters.own
        variance = prior - np.einsum("ij,ij->j", solved, solved)
        return across @ self._weights, np.sqrt(np.maximum(variance, 0.0))

    def _covariance(self, inputs: FloatArray, trials: IntArray) -> FloatArray:
        """Return the covariance of the given inputs with the observations, shape ``(m, n)``."""
        known, scale = self.hyperparameters, np.sqrt(self.hyperparameters.relevance)
        a, b = inputs * scale, self.inputs * scale
        squared = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1) - 2 * a @ b.T
        shared, _ = _matern(np.maximum(squared, 0.0))
        same = trials[:, None] == self.trials
        return np.asarray(known.signal * shared + known.own * same)


def fitted(
    inputs: FloatArray, trials: IntArray, targets: FloatArray, *, owner: IntArray
) -> Hyperparameters:
    """Return the hyperparameters of largest posterior density; see `Regression` for an example.

    Args:
        inputs: Shape ``(n, columns)``, the last column being the time.
        trials: Shape ``(n,)``: the trial of each observation.
        targets: Shape ``(n,)``, with mean near 0 and variance near 1.
        owner: Shape ``(columns,)``: the dimension to which each column belongs, counted from 0
            without gaps, that of the time last; columns of one dimension have one relevance.
    """
    pairs = _pairs(inputs, trials, owner)
    median, spread = _prior(int(owner.max()))

    def objective(logs: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = _minus_log_likelihood(logs, pairs, targets)
        scaled = (logs - median) / spread
        return value + 0.5 * float(scaled @ scaled), gradient + scaled / spread

    bounds = list(zip(median - _MAX_SPREADS * spread, median + _MAX_SPREADS * spread, strict=True))
    logs, _, _ = fmin_l_bfgs_b(objective, median, bounds=bounds, maxiter=_STEPS)
    found = np.exp(logs)
    return Hyperparameters(found[:-3][owner], *map(float, found[-3:]))


class _Pairs(NamedTuple):
    """All pairs i > j of n observations."""

    i: IntArray
    j: IntArray
    squared: FloatArray  # shape (pairs, dimensions): D
    same: FloatArray  # 1.0 where both are of the same trial


def _pairs(inputs: FloatArray, trials: IntArray, owner: IntArray) -> _Pairs:
    i, j = np.tril_indices(len(inputs), -1)
    of_dimension = np.eye(int(owner.max()) + 1)[owner]
    squared = (inputs[i] - inputs[j]) ** 2 @ of_dimension
    return _Pairs(i, j, squared, (trials[i] == trials[j]).astype(float))


def _prior(dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Return medians and spreads of log w_1, ..., log w_d, log w_time, and the log variances."""
    length = _LENGTH * math.sqrt(max(dimensions, 1))
    median = np.concatenate([np.full(dimensions, -2 * math.log(length)), [0.0], _VARIANCES])
    spread = np.concatenate([np.full(dimensions, _LENGTH_SPREAD), [_TIME_SPREAD], np.ones(3)])
    return median, spread


def _minus_log_likelihood(
    logs: FloatArray, pairs: _Pairs, y: FloatArray
) -> tuple[float, FloatArray]:
    """Return -log p(y | X) up to a constant, and its gradient in the logs (eq. 5.8, 5.9)."""
    n, relevance, (signal, own, noise) = len(y), np.exp(logs[:-3]), np.exp(logs[-3:])
    shared, slope = _matern(pairs.squared @ relevance)
    covariance = np.zeros((n, n))
    covariance[pairs.i, pairs.j] = signal * shared + own * pairs.same
    covariance[np.diag_indices(n)] = signal + own + noise
    factor = cho_factor(covariance, lower=True, check_finite=False)
    alpha = cho_solve(factor, y, check_finite=False)
    inverse, _ = dpotri(factor[0], lower=1)
    # dL/dK = (K^-1 - alpha alpha^T) / 2; a pair stands for two entries of K.
    by_pair = inverse[pairs.i, pairs.j] - alpha[pairs.i] * alpha[pairs.j]
    by_diagonal = 0.5 * float(np.sum(np.diag(inverse) - alpha**2))
    gradient = np.empty_like(logs)
    gradient[:-3] = signal * ((by_pair * slope) @ pairs.squared) * relevance
    gradient[-3] = (by_pair @ shared + by_diagonal) * signal
    gradient[-2] = (by_pair @ pairs.same + by_diagonal) * own
    gradient[-1] = by_diagonal * noise
    value = 0.5 * float(y @ alpha) + float(np.sum(np.log(np.diag(factor[0]))))
    return value, gradient


def _matern(squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the Matern kernel of smoothness 5/2 and its derivative in the squared distance."""
    r = np.sqrt(5.0 * squared)
    decay = np.exp(-r)
    return (1.0 + r + r**2 / 3.0) * decay, -(5.0 / 6.0) * (1.0 + r) * decay
