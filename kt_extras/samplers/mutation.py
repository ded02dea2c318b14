"""Mutation and crossover on the unit cube, for evolutionary search.

Both work on *genomes*: one coordinate on the unit cube for each dimension, NaN where a dimension is
inactive or its value unknown.  Uniform crossover is that of Syswerda (ICGA 1989).  A step is normal
with a standard deviation that is itself drawn, log-uniformly, as no single length suits all
dimensions and all stages of a search; the breeder genetic algorithm draws its steps over orders of
magnitude for the same reason (Muehlenbein & Schlierkamp-Voosen, 1993, sec. 3).
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Dimension
from kt_extras.search.space import Space

_Coordinates = TypeVar("_Coordinates", float, FloatArray)


def mutate(dimension: Dimension, u: float, rng: np.random.Generator, *, scale: float) -> float:
    """Return the coordinate of another value of the dimension.

    For an unordered choice, that is any other option.  In all other dimensions the coordinate moves
    by a normal step, reflected at the ends of the range; on a grid and among ordered options, by at
    least one value.

    Args:
        dimension: A dimension with more than one value.
        u: The present coordinate, in [0, 1].
        rng: Generator of the step.
        scale: Standard deviation of the step, above 0, on the unit interval.

    Raises:
        ValueError: The dimension has only one value.

    >>> from kt_extras.search import Int
    >>> units = Int("units", 1, 4)
    >>> rng = np.random.default_rng(0)
    >>> {units.from_unit(mutate(units, 0.375, rng, scale=0.01)) for _ in range(20)} == {1, 3}
    True
    """
    if dimension.size <= 1:
        raise ValueError(
            f"`dimension` must have more than one value, but {dimension.name!r} has only one."
        )
    if dimension.categorical:
        n = int(dimension.size)
        return ((int(u * n) + int(rng.integers(1, n))) % n + 0.5) / n
    step = scale * rng.standard_normal(1)
    return float(moved(dimension, np.array([u]), step)[0])


def moved(dimension: Dimension, u: FloatArray, steps: FloatArray) -> FloatArray:
    """Return coordinates after steps, reflected at the ends of the range, with other values.

    A step that ends at the same value of a grid goes to the next one, or to the one before if the
    range ends there.

    Args:
        dimension: A dimension with more than one value, not an unordered choice.
        u: Coordinates, in [0, 1].
        steps: Their steps, none of them 0.

    >>> from kt_extras.search import Int
    >>> moved(Int("units", 1, 4), np.array([0.125, 0.875]), np.array([0.01, 0.01])).tolist()
    [0.3125, 0.6875]
    """
    lower, upper = dimension.cells(u)
    there = reflected(u + steps)
    stays = (lower <= there) & (there <= upper) & (lower < upper)
    # A quarter of a cell beyond its edge lies inside the next cell: none is narrower than 0.46 of
    # its neighbour, the ratio of the first two integers of a logarithmic range from 1.
    quarter = 0.25 * (upper - lower)
    above, below = upper + quarter, lower - quarter
    up = np.where(steps > 0, above < 1.0, below <= 0.0)
    return np.where(stays, np.where(up, above, below), there)


def reflected(u: _Coordinates) -> _Coordinates:
    """Return coordinates reflected at 0 and 1 until they lie in [0, 1].

    Args:
        u: A coordinate or an array of them.

    >>> round(reflected(1.2), 6), reflected(np.array([-0.25, 0.5, 2.25])).tolist()
    (0.8, [0.25, 0.5, 0.25])
    """
    return 1.0 - abs(1.0 - u % 2.0)


def cross(first: FloatArray, second: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a genome that takes each coordinate from either parent, with equal probabilities.

    Where one parent is NaN, the coordinate of the other is taken.  So a choice comes with the
    hyperparameters that depend on it, whichever parent it is from.

    Args:
        first: Genome of one parent, of shape ``(d,)``, NaN where inactive.
        second: Genome of the other parent, of shape ``(d,)``, NaN where inactive.
        rng: Generator of the choice between the parents.

    Returns:
        Shape ``(d,)``, NaN where both parents are.

    >>> rng = np.random.default_rng(0)
    >>> cross(np.array([0.1, 0.2, np.nan]), np.array([0.1, np.nan, np.nan]), rng).tolist()
    [0.1, 0.2, nan]
    """
    of_first = rng.random(len(first)) < 0.5
    child = np.where(of_first, first, second)
    return np.where(np.isnan(child), np.where(of_first, second, first), child)


def vary(
    genome: FloatArray,
    space: Space,
    rng: np.random.Generator,
    *,
    mutations: float,
    scales: tuple[float, float],
) -> FloatArray:
    """Return a genome that differs from the given one in at least one active dimension.

    NaN is replaced by uniform draws, so that the hyperparameters that a mutated choice activates
    have values.  A genome without an active dimension of several values is not changed otherwise.

    Args:
        genome: Shape ``(d,)``, NaN where inactive or unknown.
        space: Space of d dimensions.
        rng: Generator of all draws.
        mutations: Expected number of dimensions that change, at least 1.
        scales: Smallest and largest standard deviation of a step, above 0.

    Returns:
        Shape ``(d,)``, without NaN.
    """
    child = np.where(np.isnan(genome), rng.random(len(space)), genome)
    active = ~np.isnan(space.encode(space.decode(child)))
    free = [c for c in np.flatnonzero(active) if space.dimensions[c].size > 1]
    if not free:
        return child
    others = len(free) - 1
    probability = min((mutations - 1) / others, 1.0) if others else 0.0
    chosen = rng.choice(free, size=1 + rng.binomial(others, probability), replace=False)
    for column in chosen:
        scale = math.exp(rng.uniform(math.log(scales[0]), math.log(scales[1])))
        child[column] = mutate(space.dimensions[column], child[column], rng, scale=scale)
    return child
