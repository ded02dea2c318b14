"""Points of which a model of the losses chooses the next, and the climb from there."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.samplers.gp_columns import snapped
from kt_extras.samplers.mutation import moved
from kt_extras.search.dimensions import Dimension, Point
from kt_extras.search.history import History
from kt_extras.search.space import Space

_MAX_LISTED = 4096  # values of a dimension of which a climb tries neighbours
_MAX_ALL = 16  # values of a number all of which are neighbours
_ROUNDS = 20  # largest number of steps of a climb
_RETRIES = 32  # random points to try if all others were tried already


def around_best(
    history: History,
    parents: IntArray,
    size: int,
    rng: np.random.Generator,
    *,
    mutations: float,
    scales: tuple[float, float],
) -> FloatArray:
    """Return `size` rows on their grids: variations of the given trials, then as many random ones.

    Args:
        history: All trials.
        parents: The numbers of the trials that are varied, at least one.
        size: Number of rows.
        rng: Generator of all draws.
        mutations: Expected number of changed dimensions of a variation beyond the first.
        scales: Smallest and largest standard deviation of a step on the unit cube.
    """
    rows, half = rng.random((size, len(history.space))), size // 2
    chosen = history.unit[parents[np.arange(half) % len(parents)]]
    others, space = rows[:half], history.space
    rows[:half] = varied(chosen, others, space, rng, mutations=mutations, scales=scales)
    return snapped(rows, space)


def first_untried(
    ranked: Iterable[FloatArray], history: History, space: Space, rng: np.random.Generator
) -> Point:
    """Return the first new point of the given rows and then of random ones, or the first of all."""
    rows = itertools.chain(ranked, rng.random((_RETRIES, len(space))))
    first = space.decode(next(rows))
    if not history.tried(first):
        return first
    return next((p for p in map(space.decode, rows) if not history.tried(p)), first)


def varied(
    unit: FloatArray,
    others: FloatArray,
    space: Space,
    rng: np.random.Generator,
    *,
    mutations: float,
    scales: tuple[float, float],
) -> FloatArray:
    """Return the given points, each changed in one or a few dimensions.

    Numbers and ordered choices change by at least one value.  An unordered choice is drawn anew and
    may remain what it was.  A change of a dimension that is inactive or has one value is no change.

    Args:
        unit: Shape ``(n, d)``, NaN where inactive.
        others: Shape ``(n, d)``: coordinates that replace NaN, and a choice that changes.
        space: Space of d dimensions.
        rng: Generator of all draws.
        mutations: Expected number of changed dimensions beyond the first.
        scales: Smallest and largest standard deviation of a step on the unit cube.

    Returns:
        Shape ``(n, d)``, without NaN.
    """
    varied, d = np.where(np.isnan(unit), others, unit), len(space)
    changed = rng.random(unit.shape) < mutations / d
    changed[np.arange(len(unit)), rng.integers(d, size=len(unit))] = True
    smallest, largest = map(math.log, scales)
    steps = np.exp(rng.uniform(smallest, largest, unit.shape)) * rng.standard_normal(unit.shape)
    for column, dimension in enumerate(space.dimensions):
        if dimension.size > 1:
            rows = changed[:, column]
            u, step, other = varied[rows, column], steps[rows, column], others[rows, column]
            varied[rows, column] = other if dimension.categorical else moved(dimension, u, step)
    return varied


def climbed(
    row: FloatArray, space: Space, score: Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, float]:
    """Return the end of steps from a row to the best of its neighbours, and the end's score.

    Neighbours differ in the value of one choice or of one number on a grid.

    Args:
        row: Shape ``(d,)``: coordinates in the middles of their cells.
        space: Space of d dimensions.
        score: Returns the scores of rows of shape ``(n, d)``; larger is better.

    >>> from kt_extras.search import Int
    >>> space = Space([Int("m", 1, 9), Int("n", 1, 9)])
    >>> climbed(np.full(2, 0.5), space, lambda rows: rows.sum(axis=1))[0].round(3).tolist()
    [0.944, 0.944]
    """
    best = float(score(row[None])[0])
    for _ in range(_ROUNDS):
        around = _neighbours(row, space)
        if not len(around):
            break
        scores = score(around)
        top = int(np.argmax(scores))
        if not scores[top] > best:
            break
        row, best = around[top], float(scores[top])
    return row, best


def _neighbours(row: FloatArray, space: Space) -> FloatArray:
    """Return rows of shape ``(n, d)`` that differ in one value from the given one."""
    rows = [np.empty((0, len(row)))]
    for column, dimension in enumerate(space.dimensions):
        if not 1 < dimension.size <= _MAX_LISTED:
            continue
        other = _other_coordinates(dimension, float(row[column]))
        changed = np.repeat(row[None], len(other), axis=0)
        changed[:, column] = other
        rows.append(changed)
    return np.concatenate(rows)


def _other_coordinates(dimension: Dimension, u: float) -> FloatArray:
    """Return the coordinates of all other values, or of those at distances 1, 2, 4, ..."""
    known = _coordinates(dimension)
    at = int(np.argmin(np.abs(known - u)))
    if dimension.categorical or len(known) <= _MAX_ALL:
        return np.delete(known, at)
    steps = 2 ** np.arange(int(math.log2(len(known))) + 1)
    to = np.concatenate([at - steps, at + steps])
    neighbours: FloatArray = known[to[(to >= 0) & (to < len(known))]]
    return neighbours


@functools.lru_cache(maxsize=256)
def _coordinates(dimension: Dimension) -> FloatArray:
    return np.array([dimension.to_unit(value) for value in dimension.values()])
