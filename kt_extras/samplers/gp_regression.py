"""Gaussian process regression of losses (Rasmussen & Williams, "GPML", MIT Press 2006).

Notation: X are the inputs, one row for each observation; y are the targets, with mean near 0 and
variance near 1; K is the covariance of y.  For two observations it is

    signal * matern(r) + own * [same trial] + noise * [same observation],   r^2 = sum_j w_j D_j,

with the Matern kernel of smoothness 5/2 (eq. 4.17), D_j the squared distance along dimension j and
w_j its relevance, the inverse of a squared length scale.  `own` is the variance of an offset of a
whole curve, as of the random initial weights of a trial.  So low losses at the beginning of a curve
lower the prediction for the rest of it and, less so, for the curves of similar configurations.

The hyperparameters maximise the marginal likelihood (eq. 5.8, 5.9) times a log-normal prior, whose
length scales grow with the square root of the number of dimensions (Hvarfner et al., ICML 2024).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.linalg.lapack import dpotri, dtrtri
from scipy.optimize import fmin_l_bfgs_b

from kt_extras.arrays import FloatArray, IntArray

_CURVE_LENGTH, _LOSS_LENGTH = 0.5, 0.2  # median length scale of one dimension
_LENGTH_SPREAD = 2.0  # of log w_j
_TIME_SPREAD = 1.5  # of the log relevance of the time
_OF_CURVES = np.log([1.0, 0.005, 0.02])  # medians of signal, own and noise; the log spread is 1
_OF_LOSSES, _LOSS_SPREADS = np.log([1.0, 1e-12, 1e-3]), np.array([1.0, 1.0, 2.3])
_MAX_SPREADS = 3.0  # largest distance of a hyperparameter from its median, in spreads
_LEAST_NOISE = 1e-8  # with less, rounding may leave a covariance that is not positive definite
_LEAST_VARIANCE = 1e-16  # of a prediction, as rounding may leave less
_STEPS = 15  # iterations of L-BFGS; the posterior hardly changes after ten


class Prior(NamedTuple):
    """Independent normal priors of the logs of hyperparameters.

    Args:
        median: Shape ``(p,)``: of the relevance of each dimension, signal, own and noise.
        spread: Shape ``(p,)``: their standard deviations.
        reach: Shape ``(p,)``: the largest distance of each from its median; 0 keeps it there.
    """

    median: FloatArray
    spread: FloatArray
    reach: FloatArray


def curve_prior(dimensions: int) -> Prior:
    """Return the prior for curves: that of the dimensions, then that of the time.

    >>> len(curve_prior(2).median)
    6
    """
    median = np.concatenate([_log_relevances(dimensions, _CURVE_LENGTH), [0.0], _OF_CURVES])
    spread = np.concatenate([np.full(dimensions, _LENGTH_SPREAD), [_TIME_SPREAD], np.ones(3)])
    return Prior(median, spread, _MAX_SPREADS * spread)


def loss_prior(dimensions: int, noise: float | None = None) -> Prior:
    """Return the prior for one loss a trial, of which `own` and `noise` would be the same.

    Args:
        dimensions: Number of dimensions.
        noise: Variance of the noise where it is known; 1e-8 if it is below. Defaults to None.

    >>> loss_prior(2).reach.tolist()[-2]
    0.0
    """
    median = np.concatenate([_log_relevances(dimensions, _LOSS_LENGTH), _OF_LOSSES])
    spread = np.concatenate([np.full(dimensions, _LENGTH_SPREAD), _LOSS_SPREADS])
    reach = _MAX_SPREADS * spread
    reach[-2] = 0.0
    if noise is not None:
        median[-1], reach[-1] = math.log(max(noise, _LEAST_NOISE)), 0.0
    return Prior(median, spread, reach)


def _log_relevances(dimensions: int, length: float) -> FloatArray:
    return np.full(dimensions, -2 * math.log(length * math.sqrt(max(dimensions, 1))))


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
    >>> found = fitted(x, trials, y, owner=np.zeros(1, dtype=int), prior=loss_prior(1))
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

    _factor: FloatArray = field(init=False)
    _weights: FloatArray = field(init=False)

    @functools.cached_property
    def _inverse_factor(self) -> FloatArray:
        inverse, _ = dtrtri(np.asfortranarray(np.tril(self._factor)), lower=1)
        return np.asarray(inverse)

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
        return across @ self._weights, np.sqrt(np.maximum(variance, _LEAST_VARIANCE))

    def slopes(self, row: FloatArray) -> tuple[float, float, FloatArray, FloatArray]:
        """Return mean and standard deviation for a new trial, and their gradients in its inputs.

        Args:
            row: Shape ``(columns,)``.
        """
        known = self.hyperparameters
        away = row - self.inputs
        shared, slope = matern(away**2 @ known.relevance)
        across = known.signal * shared
        slopes = (2 * known.signal * slope)[:, None] * away * known.relevance
        solved = self._inverse_factor @ across
        variance = max(known.signal + known.own - float(solved @ solved), _LEAST_VARIANCE)
        deviation = math.sqrt(variance)
        of_deviation = -(solved @ self._inverse_factor) @ slopes / deviation
        return float(across @ self._weights), deviation, self._weights @ slopes, of_deviation

    def _covariance(self, inputs: FloatArray, trials: IntArray) -> FloatArray:
        """Return the covariance of the given inputs with the observations, shape ``(m, n)``."""
        known, scale = self.hyperparameters, np.sqrt(self.hyperparameters.relevance)
        a, b = inputs * scale, self.inputs * scale
        squared = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1) - 2 * a @ b.T
        shared, _ = matern(np.maximum(squared, 0.0))
        same = trials[:, None] == self.trials
        return np.asarray(known.signal * shared + known.own * same)


def fitted(
    inputs: FloatArray, trials: IntArray, targets: FloatArray, *, owner: IntArray, prior: Prior
) -> Hyperparameters:
    """Return the hyperparameters of largest posterior density; see `Regression` for an example.

    Args:
        inputs: Shape ``(n, columns)``.
        trials: Shape ``(n,)``: the trial of each observation.
        targets: Shape ``(n,)``, with mean near 0 and variance near 1.
        owner: Shape ``(columns,)``: the dimension to which each column belongs, counted from 0
            without gaps; columns of one dimension have one relevance.
        prior: Of the hyperparameters.
    """
    pairs = _pairs(inputs, trials, owner)
    median, spread, reach = prior

    def objective(logs: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = _minus_log_likelihood(logs, pairs, targets)
        scaled = (logs - median) / spread
        return value + 0.5 * float(scaled @ scaled), gradient + scaled / spread

    bounds = list(zip(median - reach, median + reach, strict=True))
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


def _minus_log_likelihood(
    logs: FloatArray, pairs: _Pairs, y: FloatArray
) -> tuple[float, FloatArray]:
    """Return -log p(y | X) up to a constant, and its gradient in the logs (eq. 5.8, 5.9)."""
    n, relevance, (signal, own, noise) = len(y), np.exp(logs[:-3]), np.exp(logs[-3:])
    shared, slope = matern(pairs.squared @ relevance)
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


def matern(squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the Matern kernel of smoothness 5/2 and its derivative in the squared distance.

    Args:
        squared: Squared distances, in units of the squared length scale; of any shape.

    >>> matern(np.array([0.0, 1.0]))[0].round(3).tolist()
    [1.0, 0.524]
    """
    r = np.sqrt(5.0 * squared)
    decay = np.exp(-r)
    return (1.0 + r + r**2 / 3.0) * decay, -(5.0 / 6.0) * (1.0 + r) * decay
