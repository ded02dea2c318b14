"""Points of a space as the numbers that a regression takes.

Here a *row* has a coordinate on the unit cube for every dimension, inactive ones included, so that
a search over rows can switch a parent and find its children with values.
"""

from __future__ import annotations

import math

import numpy as np

from kt_extras.arrays import BoolArray, FloatArray, IntArray
from kt_extras.search.dimensions import Condition
from kt_extras.search.space import Space

_DIGITS = 9  # decimal places to which coordinates are compared
_OTHER_OPTION = math.sqrt(0.5)  # any two options of a choice are at distance 1


def columns_of(unit: FloatArray, space: Space) -> FloatArray:
    """Return the columns of a regression for points on the unit cube.

    An unordered choice has one column for each option.  A conditional dimension has another column
    that is 1 where it is inactive; its own coordinate is 0.5 there.

    Args:
        unit: Shape ``(n, d)``, NaN where inactive.
        space: The search space.

    >>> from kt_extras.search import Choice, Float
    >>> columns_of(np.array([[0.25, 0.3]]), Space([Choice("a", (1, 2)), Float("x", 0, 1)])).round(1)
    array([[0.7, 0. , 0.3]])
    """
    columns = [np.empty((len(unit), 0))]
    for dimension, u in zip(space.dimensions, unit.T, strict=True):
        inactive = np.isnan(u)
        if dimension.categorical:
            option = np.floor(u * dimension.size).clip(0, dimension.size - 1)
            options = np.arange(int(dimension.size))
            columns.append((option[:, None] == options) * _OTHER_OPTION)
        else:
            columns.append(np.where(inactive, 0.5, u)[:, None])
        if dimension.conditions:
            columns.append(inactive[:, None].astype(float))
    return np.concatenate(columns, axis=1)


def owner_of(space: Space) -> IntArray:
    """Return the dimension to which each column belongs.

    >>> from kt_extras.search import Choice, Float
    >>> owner_of(Space([Choice("a", (1, 2)), Float("x", 0, 1)])).tolist()
    [0, 0, 1]
    """
    widths = [
        (int(dimension.size) if dimension.categorical else 1) + bool(dimension.conditions)
        for dimension in space.dimensions
    ]
    return np.repeat(np.arange(len(widths)), widths)


def snapped(rows: FloatArray, space: Space) -> FloatArray:
    """Return rows whose coordinates are in the middles of their cells.

    >>> from kt_extras.search import Float, Int
    >>> snapped(np.array([[0.1, 0.1]]), Space([Float("x", 0, 1), Int("n", 1, 2)])).tolist()
    [[0.1, 0.25]]
    """
    cells = [d.cells(u) for d, u in zip(space.dimensions, rows.T, strict=True)]
    return np.stack([0.5 * (lower + upper) for lower, upper in cells], axis=1)


def masked(rows: FloatArray, space: Space) -> FloatArray:
    """Return rows with NaN where a dimension is inactive.

    >>> from kt_extras.search import Choice, Float
    >>> b = (Condition("a", ("b",)),)
    >>> space = Space([Choice("a", ("a", "b")), Float("x", 0, 1, conditions=b)])
    >>> masked(np.array([[0.25, 0.5], [0.75, 0.5]]), space).tolist()
    [[0.25, nan], [0.75, 0.5]]
    """
    if not any(dimension.conditions for dimension in space.dimensions):
        return rows
    active = np.zeros(rows.shape, dtype=bool)
    for column, dimension in enumerate(space.dimensions):
        twins = [c for c in range(column) if space.dimensions[c].name == dimension.name]
        active[:, column] = ~active[:, twins].any(axis=1)
        for condition in dimension.conditions:
            active[:, column] &= _met(condition, rows, active, space)
    return np.where(active, rows, math.nan)


def _met(condition: Condition, rows: FloatArray, active: BoolArray, space: Space) -> BoolArray:
    """Return in which rows a condition is met; the columns of its parent are known to be active."""
    met = np.zeros(len(rows), dtype=bool)
    for column, dimension in enumerate(space.dimensions):
        if dimension.name == condition.parent:
            values = filter(dimension.contains, condition.values)
            coordinates = np.round([dimension.to_unit(value) for value in values], _DIGITS)
            lower, upper = dimension.cells(rows[:, column])
            at = np.round(0.5 * (lower + upper), _DIGITS)
            met |= active[:, column] & np.isin(at, coordinates)
    return met
