"""PED-ANOVA: importance for being among the best trials (Watanabe, Bansal, Hutter, IJCAI 2023).

Notation: gamma is the fraction of good trials; p(x) is the density of all trials along one
hyperparameter, and p'(x) that of the good ones.

The probability that a trial with the value x is good is gamma p'(x) / p(x), by Bayes' rule.  The
importance is the variance of that probability over the trials, gamma**2 times the integral of
p (p' / p - 1)**2: the Pearson divergence of the two densities (theorem 1 of the paper).

*Conditions.*  A hyperparameter that is active in a part of the trials has no density over all of
them.  If only trials in which all are active are compared, such a hyperparameter is missed; if only
its active trials count as all, one of a rare branch is overrated; and if it has some value where it
is inactive, it is credited with what its parent does.  The variance is therefore divided by the law
of total variance.  With beta the fraction of all trials in which x is active, and alpha that of the
good ones, a trial with the value x is good with the probability (gamma alpha / beta) p'(x) / p(x),
where both densities are those of active trials, and the variance is

    beta (gamma alpha / beta)**2 D(p', p)  +  the variance between active and inactive trials.

The second term does not depend on x but on whether it is active, which its parent decides, whose
importance contains it already.  The first one is the importance of x: gamma**2 alpha**2 / beta
times the divergence.  Dimensions of one name in several branches add up.

Densities are on a grid of at most 50 cells, smoothed with Scott's rule, and with one more uniform
observation.  They are those of the search, so where it has looked more often counts more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from kt_extras.arrays import BoolArray, FloatArray, IntArray
from kt_extras.search.dimensions import Dimension

_CELLS = 50
_LEAST_WIDTH = 0.3  # of a kernel, in cells: nearly all of it is in its own cell


def divergences(unit: FloatArray, dimensions: Sequence[Dimension], good: BoolArray) -> FloatArray:
    """Return the importance of each dimension, divided by gamma**2.

    Args:
        unit: Shape ``(n, d)``: the trials on the unit cube, NaN where inactive.
        dimensions: The d dimensions.
        good: Shape ``(n,)``: which trials are good.

    Returns:
        Shape ``(d,)``, from 0.

    >>> from kt_extras.search import Float
    >>> unit = np.random.default_rng(0).random((200, 2))
    >>> found = divergences(unit, (Float("x", 0, 1), Float("y", 0, 1)), unit[:, 0] < 0.1)
    >>> bool(found[0] > 10 * found[1])
    True
    """
    pairs = zip(dimensions, unit.T, strict=True)
    return np.array([_divergence(d, _counts(d, u), _counts(d, u[good])) for d, u in pairs])


def chances(
    unit: FloatArray,
    dimensions: Sequence[Dimension],
    good: BoolArray,
    draws: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return in which part of random choices of as many trials a dimension matters as much.

    Args:
        unit: Shape ``(n, d)``, as for `divergences`.
        dimensions: The d dimensions.
        good: Shape ``(n,)``: which trials are good.
        draws: How many choices.
        rng: Generator of the choices.

    Returns:
        Shape ``(d,)``, in [0, 1].
    """
    found = np.ones(len(dimensions))
    for column, (dimension, u) in enumerate(zip(dimensions, unit.T, strict=True)):
        every = _counts(dimension, u)
        if dimension.size > 1 and every[:-1].sum() > 1:
            chosen = rng.multivariate_hypergeometric(every, int(good.sum()), size=draws)
            sets = np.vstack([_counts(dimension, u[good]), chosen])
            divergences = _divergences_of_sets(dimension, every[:-1], sets[:, :-1])
            found[column] = np.mean(divergences[1:] >= divergences[0])
    return found


def _divergences_of_sets(dimension: Dimension, every: IntArray, sets: IntArray) -> FloatArray:
    """Return the divergences of many sets up to a factor, with the bandwidth of all trials."""
    cells = len(every)
    kernels = np.eye(cells)
    if not dimension.categorical:
        kernels = _kernels(cells, _width(every, np.arange(cells)))
    numbers = sets.sum(axis=1)
    p = (kernels @ every + 1.0 / cells) / (every.sum() + 1.0)
    p_good = (sets @ kernels.T + 1.0 / cells) / (numbers[:, None] + 1.0)
    return np.asarray(numbers**2 * ((p_good / p - 1.0) ** 2 @ p))


def _counts(dimension: Dimension, u: FloatArray) -> IntArray:
    """Return how many trials are in each cell, and last how many are in none."""
    cells = int(min(dimension.size, _CELLS))
    known = u[~np.isnan(u)]
    index = _cell(known, cells, ends=dimension.size > _CELLS)
    return np.append(np.bincount(index, minlength=cells), len(u) - len(known))


def _divergence(dimension: Dimension, every: IntArray, good: IntArray) -> float:
    active, active_good = every[:-1].sum(), good[:-1].sum()
    if dimension.size <= 1 or active < 2 or not active_good:
        return 0.0
    alpha, beta = active_good / good.sum(), active / every.sum()
    smooth = _share if dimension.categorical else _smoothed
    p, p_good = smooth(every[:-1]), smooth(good[:-1])
    return float(alpha**2 / beta * (p @ (p_good / p - 1.0) ** 2))


def _cell(u: FloatArray, cells: int, *, ends: bool) -> IntArray:
    """Return the cell of each coordinate; with `ends` the first and the last are half as wide."""
    place = u * (cells - 1) + 0.5 if ends else u * cells
    return np.minimum(place.astype(np.int64), cells - 1)


def _share(counts: IntArray) -> FloatArray:
    """Return the probability of each category, with one more observation of all together."""
    return np.asarray((counts + 1.0 / len(counts)) / (counts.sum() + 1.0))


def _smoothed(counts: IntArray) -> FloatArray:
    """Return the probability of each cell: truncated normal kernels and a uniform one."""
    n, at = counts.sum(), np.arange(len(counts))
    kernels = _kernels(len(counts), _width(counts, at))
    return np.asarray((kernels @ counts + 1.0 / len(counts)) / (n + 1.0))


def _width(counts: IntArray, at: IntArray) -> float:
    """Return the bandwidth in cells by Scott's rule, with the smaller of two estimates of sigma."""
    n = counts.sum()
    mean = counts @ at / n
    sigma = math.sqrt(counts @ (at - mean) ** 2 / max(n - 1, 1))
    lower, upper = np.searchsorted(np.cumsum(counts), [0.25 * n, 0.75 * n])
    robust = (min(upper, len(at) - 1) - lower) / 1.34
    return float(max(1.059 * min(sigma, robust) * n**-0.2, _LEAST_WIDTH))


def _kernels(cells: int, width: float) -> FloatArray:
    """Return the mass in each cell of a kernel at each cell, shape ``(cells, cells)``."""
    edges = np.arange(cells + 1) - 0.5
    mass = np.diff(ndtr((edges[:, None] - np.arange(cells)) / width), axis=0)
    return np.asarray(mass / mass.sum(axis=0))
