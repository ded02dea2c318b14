"""Parzen estimators of points on the unit cube: mixtures of products of one-dimensional kernels.

There is one kernel for each observation.  Along a real axis it is a normal truncated to [0, 1];
along a grid, the same normal integrated over the cell of each value; along a category, most of its
mass is on the value of the observation and the rest is spread evenly (Aitchison & Aitken,
Biometrika 1976).  Where a coordinate is NaN, inactive or unknown, the kernel is uniform, so one
mixture can hold observations of different branches.  One more kernel, the prior, is uniform along
every axis.

All densities are relative to the uniform one, so axes can be left out without changing the scale.

There are two rules for the bandwidths.  Scott's has one for all kernels of an axis: right for a
density as a whole, but as wide as the cloud of the observations, so that samples stay inside it.
By neighbours (Bergstra et al., NeurIPS 2011, section 4.2) the bandwidth of a kernel is the distance
to the further of its two neighbours along the axis: narrow where observations are dense and wide at
the rim, so that samples leave the cloud.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Dimension

SMALLEST_BANDWIDTH = 0.03  # narrower kernels stop exploring (Watanabe 2304.11127, sec. 3.3.4)
_NARROW = 0.1  # width, in bandwidths, of a cell in which the density is nearly constant
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Mixture:
    """A density over the unit cube, made by `fit`.

    Args:
        dimensions: The d axes.
        centres: Shape ``(n + 1, d)``, NaN where uniform; the last row is the prior.
        weights: Shape ``(n + 1,)``, summing to 1.
        bandwidths: Shape ``(n + 1, d)``, or ``(1, d)`` if all kernels have the same: standard
            deviations before truncation; for a category, the fraction of the mass of a kernel that
            is spread over all values.

    >>> from kt_extras.search import Float
    >>> mixture = Mixture.fit(np.array([[0.2], [0.3]]), np.ones(2), [Float("x", 0, 1)])
    >>> near, far = mixture.log_density(np.array([[0.25], [0.9]]))
    >>> bool(near > 0 > far)
    True
    """

    dimensions: tuple[Dimension, ...]
    centres: FloatArray
    weights: FloatArray
    bandwidths: FloatArray

    @classmethod
    def fit(
        cls,
        unit: FloatArray,
        weights: FloatArray,
        dimensions: Sequence[Dimension],
        *,
        prior_weight: float = 1.0,
        by_neighbours: bool = False,
    ) -> Mixture:
        """Return the mixture of a kernel for each observation and the prior.

        Args:
            unit: Shape ``(n, d)``, in [0, 1], that of a category below 1; NaN where inactive or
                unknown.
            weights: Shape ``(n,)``, positive; 1 for an ordinary observation.
            dimensions: The d axes.
            prior_weight: Weight of the uniform kernel, above 0. Defaults to 1.
            by_neighbours: Whether the bandwidth of a number follows from the neighbours of each
                kernel, not from Scott's rule. Defaults to False.
        """
        centres = np.vstack([unit, np.full((1, len(dimensions)), math.nan)])
        mixed = np.append(weights, prior_weight)
        mixed = mixed / mixed.sum()
        bandwidths = _by_scott(dimensions, centres, mixed)
        if by_neighbours:
            bandwidths = _by_neighbours(dimensions, centres, bandwidths)
        return cls(tuple(dimensions), centres, mixed, bandwidths)

    def narrower(self, unit: FloatArray) -> Mixture:
        """Return a mixture at other points, without a prior, of kernels narrower than the cloud.

        They are three quarters as wide as by Scott's rule for this density.  Added to the
        denominator of a ratio with this density as its numerator, the mixture lowers the ratio
        close to these points; with kernels of the same width it would do so further away, too.

        Args:
            unit: Centres of the kernels, of shape ``(n, d)``, n at least 1.
        """
        weights = np.full(len(unit), 1.0 / len(unit))
        bandwidths = 0.75 * _by_scott(self.dimensions, self.centres, self.weights)
        return Mixture(self.dimensions, unit, weights, bandwidths)

    def sample(self, size: int, rng: np.random.Generator) -> FloatArray:
        """Return random points.

        Args:
            size: Number of points.
            rng: Generator of the draws.

        Returns:
            Shape ``(size, d)``, in [0, 1]; a coordinate on a grid is anywhere in its value's cell.
        """
        kernels = rng.choice(len(self.weights), size=size, p=self.weights)
        bandwidths = np.broadcast_to(self.bandwidths, self.centres.shape)[kernels]
        axes = zip(self.dimensions, self.centres[kernels].T, bandwidths.T, strict=True)
        columns = [_draw(*axis, rng) for axis in axes]
        return np.column_stack(columns) if columns else np.empty((size, 0))

    def log_density(self, unit: FloatArray) -> FloatArray:
        """Return the logarithm of the density, relative to the uniform one.

        Args:
            unit: Shape ``(m, d)``; an axis that is NaN is left out (marginalised).

        Returns:
            Shape ``(m,)``.
        """
        terms = np.tile(np.log(self.weights), (len(unit), 1))
        axes = zip(self.dimensions, unit.T, self.centres.T, self.bandwidths.T, strict=True)
        for axis in axes:
            terms += log_kernels(*axis)
        highest = terms.max(axis=1)
        return np.asarray(highest + np.log(np.exp(terms - highest[:, None]).sum(axis=1)))


def log_kernels(
    dimension: Dimension, x: FloatArray, centres: FloatArray, bandwidths: FloatArray
) -> FloatArray:
    """Return the logarithm of every kernel along one axis, relative to the uniform density.

    Args:
        dimension: The axis.
        x: Shape ``(m,)``: where to evaluate; the result is 0 for NaN.
        centres: Shape ``(n,)``: centres of the kernels; NaN, a uniform kernel, gives 0.
        bandwidths: Shape ``(n,)`` or ``(1,)``, above 0; as in `Mixture`.

    Returns:
        Shape ``(m, n)``.
    """
    if _is_fine(dimension, bandwidths):
        lower, upper = dimension.cells(x)
        pairs = _log_normal(0.5 * (lower + upper)[:, None], centres, bandwidths)
    else:
        kernel = _log_category if dimension.categorical else _log_cell
        if len(bandwidths) == 1:  # a grid has few different kernels, so each is evaluated once
            sites, column = np.unique(centres, return_inverse=True)
            pairs = kernel(dimension, x[:, None], sites, bandwidths)[:, column]
        else:
            pairs = kernel(dimension, x[:, None], centres, bandwidths)
    pairs[:, np.isnan(centres)] = 0.0
    pairs[np.isnan(x)] = 0.0
    return pairs


def log_normal_mass(lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Return log(Phi(upper) - Phi(lower)) without cancellation, also far out in either tail.

    Args:
        lower: Lower limits, each below its upper limit.
        upper: Upper limits, of the same shape.

    >>> mass = log_normal_mass(np.array([-1.0, 40.0]), np.array([1.0, 41.0]))
    >>> mass.round(2).tolist()  # the plain difference is 0 for the second
    [-0.38, -804.61]
    """
    # By symmetry the interval is moved to the left tail, where log_ndtr is exact.
    right = lower > 0
    lower, upper = np.where(right, -upper, lower), np.where(right, -lower, upper)
    top = log_ndtr(upper)
    return np.asarray(top + np.log1p(-np.exp(log_ndtr(lower) - top)))


def _by_scott(
    dimensions: Sequence[Dimension], centres: FloatArray, mixed: FloatArray
) -> FloatArray:
    """Return bandwidths by Scott's rule, sigma n**(-1 / (d + 4)), for weighted kernels and prior.

    Returns:
        Shape ``(1, d)``.
    """
    known = ~np.isnan(centres)
    at = np.where(known, centres, 0.5)
    known[-1] = True
    weights = known * mixed[:, None]
    weights /= weights.sum(axis=0)
    mean = np.sum(weights * at, axis=0)
    variance = np.sum(weights * (at - mean) ** 2, axis=0)
    variance += weights[-1] / 12.0  # variance within the prior
    effective = 1.0 / np.sum(weights**2, axis=0)
    scott = np.sqrt(variance) * effective ** (-1.0 / (len(dimensions) + 4))
    return _limited(dimensions, len(centres), scott[None], SMALLEST_BANDWIDTH)


def _by_neighbours(
    dimensions: Sequence[Dimension], centres: FloatArray, scott: FloatArray
) -> FloatArray:
    """Return the distance of each centre to the further of its neighbours along each axis.

    An outermost centre has one neighbour; the end of the range is none.  A single centre has none,
    and its distance is 1, the whole range.  Distances are at least 1 / (n + 1), where n is the
    number of centres that are known, prior included; or only Scott's bandwidth if that is smaller,
    as it is when the centres are close together: kernels are not wider than their cloud.

    Returns:
        Shape ``(n, d)``.
    """
    order = np.argsort(centres, axis=0, kind="stable")  # NaN comes last
    gaps = np.diff(np.take_along_axis(centres, order, axis=0), axis=0)
    none = np.full((1, centres.shape[1]), math.nan)
    further = np.fmax(np.vstack([none, gaps]), np.vstack([gaps, none]))
    distances = np.empty_like(further)
    np.put_along_axis(distances, order, further, axis=0)
    distances[np.isnan(distances)] = 1.0
    known = np.sum(~np.isnan(centres), axis=0) + 1
    least = np.minimum(1.0 / (known + 1), scott)
    return _limited(dimensions, len(centres), distances, np.maximum(least, SMALLEST_BANDWIDTH))


def _limited(
    dimensions: Sequence[Dimension], n: int, bandwidths: FloatArray, least: FloatArray | float
) -> FloatArray:
    """Return bandwidths that are neither below the least nor below half a cell of a grid.

    The bandwidth of a category is that of one additional observation of each value.
    """
    size = np.array([dimension.size for dimension in dimensions])
    categorical = np.array([dimension.categorical for dimension in dimensions], dtype=bool)
    numeric = np.maximum(np.maximum(bandwidths, least), 0.5 / size)
    return np.where(categorical, 1.0 / (1.0 + n / size), numeric)


def _draw(
    dimension: Dimension, centres: FloatArray, bandwidth: FloatArray, rng: np.random.Generator
) -> FloatArray:
    u, coin = rng.random((2, len(centres)))
    uniform = np.isnan(centres)
    if dimension.categorical:
        return np.asarray(np.where(uniform | (coin < bandwidth), u, centres))
    lower, upper = ndtr(-centres / bandwidth), ndtr((1.0 - centres) / bandwidth)
    normal = centres + bandwidth * ndtri(lower + u * (upper - lower))
    return np.asarray(np.where(uniform, u, np.clip(normal, 0.0, 1.0)))


def _is_fine(dimension: Dimension, bandwidths: FloatArray) -> bool:
    """Return whether the density is nearly constant within every cell."""
    lower, upper = dimension.cells(np.array([0.0, 1.0]))  # on log axes the widest is at an end
    narrowest = bandwidths.min(initial=math.inf)
    return not dimension.categorical and bool(np.max(upper - lower) <= _NARROW * narrowest)


def _log_normal(x: FloatArray, centres: FloatArray, bandwidth: FloatArray) -> FloatArray:
    mass = ndtr((1.0 - centres) / bandwidth) - ndtr(-centres / bandwidth)
    constant = np.log(bandwidth * mass) + _LOG_SQRT_2PI
    return np.asarray(-0.5 * ((x - centres) / bandwidth) ** 2 - constant)


def _log_cell(
    dimension: Dimension, x: FloatArray, centres: FloatArray, bandwidth: FloatArray
) -> FloatArray:
    lower, upper = dimension.cells(np.nan_to_num(x, nan=0.5))
    mass = log_normal_mass((lower - centres) / bandwidth, (upper - centres) / bandwidth)
    whole = log_normal_mass(-centres / bandwidth, (1.0 - centres) / bandwidth)
    return np.asarray(mass - whole - np.log(upper - lower))


def _log_category(
    dimension: Dimension, x: FloatArray, centres: FloatArray, bandwidth: FloatArray
) -> FloatArray:
    size = dimension.size
    same = np.floor(x * size) == np.floor(centres * size)
    return np.asarray(np.log(bandwidth + np.where(same, (1.0 - bandwidth) * size, 0.0)))
