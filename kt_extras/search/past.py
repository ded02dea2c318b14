"""What an earlier search has found, as points with ranks.

Scores of two searches cannot be compared, so an earlier trial has its rank within its own search: 0
for the best, 1 for the worst.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import is_number
from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Choice, Dimension, Point, Value
from kt_extras.search.space import Space


@dataclass(frozen=True)
class Past:
    """The trials of an earlier search.

    Args:
        source: Name of the search, for messages.
        points: The values of each trial.
        ranks: Rank of each, from 0 for the best to 1 for the worst.

    >>> from kt_extras.search import Float
    >>> past = Past("old", ({"x": 0.5}, {"x": 9.0, "gone": 1}), (0.0, 1.0))
    >>> past.unit(Space([Float("x", 0, 1)])).tolist()
    [[0.5], [1.0]]
    """

    source: str
    points: tuple[Point, ...]
    ranks: tuple[float, ...]

    def unit(self, space: Space) -> FloatArray:
        """Return the points on the unit cube of another space, of shape ``(n, d)``.

        Values are taken over by the names of hyperparameters; a number beyond its range is moved to
        the end of it.  What has no value there is NaN.
        """
        rows = [space.encode(values_in(space, point)) for point in self.points]
        return np.array(rows).reshape(len(rows), len(space))


def values_in(space: Space, point: Mapping[str, Value]) -> Point:
    """Return the values of a point that another space has, each moved into its range.

    >>> from kt_extras.search import Float
    >>> space = Space([Float("rate", 1e-4, 1e-1), Choice("units", (8, 16), ordered=True)])
    >>> values_in(space, {"rate": 5.0, "units": 12, "depth": 3})
    {'rate': 0.1, 'units': 8}
    """
    values: Point = {}
    for dimension in space.dimensions:
        name = dimension.name
        if name in values or not all(condition.holds(values) for condition in dimension.conditions):
            continue
        if name in point and (value := _moved(dimension, point[name])) is not None:
            values[name] = value
    return values


def _moved(dimension: Dimension, value: Value) -> Value | None:
    """Return the nearest value of a dimension; None if there is none, as for an unknown text."""
    if dimension.contains(value):
        return value
    if not is_number(value):
        return None
    if not isinstance(dimension, Choice):
        return dimension.from_unit(dimension.to_unit(value))
    numbers = [option for option in dimension.options if is_number(option)]
    nearest: Value | None = min(numbers, key=lambda n: abs(n - value), default=None)
    return nearest


def ranked(losses: FloatArray) -> FloatArray:
    """Return the rank of each loss, from 0 for the lowest to 1; equal losses share their mean rank.

    >>> ranked(np.array([3.0, 1.0, np.inf, np.inf])).round(2).tolist()
    [0.33, 0.0, 0.83, 0.83]
    """
    _, group, sizes = np.unique(losses, return_inverse=True, return_counts=True)
    means = np.cumsum(sizes) - (sizes + 1) / 2
    return np.asarray(means[group] / max(1, len(losses) - 1))
