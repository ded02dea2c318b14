"""The search space: declared hyperparameters, their conditions, and the unit cube.

A *point* is a dictionary of the values of the active hyperparameters only.  On the unit cube a
point is a row with NaN in the columns of inactive dimensions, so the row is its own mask.
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Choice, Dimension, Point, Value


class Space:
    """An ordered set of dimensions, parents before children.

    Two dimensions may share a name if their conditions differ (the same hyperparameter in sibling
    scopes).  Where both are active, the one declared first holds the value.

    Args:
        dimensions: In any order; parents are moved before their children.

    Raises:
        ValueError: A dimension is declared twice, or a condition names no declared parent.

    >>> from kt_extras.search import Choice, Condition, Float
    >>> space = Space([
    ...     Choice("model", ("mlp", "svm")),
    ...     Float("dropout", 0, 1, conditions=(Condition("model", ("mlp",)),)),
    ... ])
    >>> space.decode([0.2, 0.5])
    {'model': 'mlp', 'dropout': 0.5}
    >>> space.encode({"model": "svm"}).tolist()
    [0.75, nan]
    """

    def __init__(self, dimensions: Iterable[Dimension]) -> None:
        self.dimensions: tuple[Dimension, ...] = tuple(_parents_first(list(dimensions)))

    def __len__(self) -> int:
        return len(self.dimensions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.dimensions == other.dimensions

    def __hash__(self) -> int:
        return hash(self.dimensions)

    def __repr__(self) -> str:
        return f"Space({list(self.dimensions)!r})"

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each dimension, in order."""
        return tuple(dimension.name for dimension in self.dimensions)

    def decode(self, unit: Sequence[float] | FloatArray) -> Point:
        """Return the point at a place on the unit cube.

        Args:
            unit: Shape ``(d,)``, each in [0, 1]; coordinates of inactive dimensions are ignored.
        """
        point: Point = {}
        for dimension, u in zip(self.dimensions, unit, strict=True):
            if _is_active(dimension, point):
                point[dimension.name] = dimension.from_unit(float(u))
        return point

    def encode(self, point: Mapping[str, Value]) -> FloatArray:
        """Return the place of a point on the unit cube.

        A value outside its range counts as missing, and what is missing is NaN; a value between
        two grid points is moved to the nearer one.

        Returns:
            Shape ``(d,)``, NaN where a dimension is inactive.
        """
        unit = np.full(len(self), math.nan)
        seen: Point = {}
        for column, dimension in enumerate(self.dimensions):
            if _is_active(dimension, seen) and dimension.name in point:
                value = seen[dimension.name] = point[dimension.name]
                if dimension.contains(value):
                    unit[column] = dimension.to_unit(value)
        return unit

    def active(self, point: Mapping[str, Value]) -> list[Dimension]:
        """Return the dimensions whose conditions `point` meets, in order."""
        seen: Point = {}
        dimensions = []
        for dimension in self.dimensions:
            if _is_active(dimension, seen):
                dimensions.append(dimension)
                if dimension.name in point:
                    seen[dimension.name] = point[dimension.name]
        return dimensions

    def complete(self, values: Mapping[str, Value], unit: Sequence[float] | FloatArray) -> Point:
        """Return a whole point: the given values on their grid, the rest taken from `unit`.

        Args:
            values: Values of some hyperparameters.
            unit: Shape ``(d,)``, each in [0, 1].

        Raises:
            ValueError: A name that the space does not have or that is inactive beside the other
                values, or a value outside its range.
        """
        self._check_names(values)
        point: Point = {}
        for dimension, u in zip(self.dimensions, unit, strict=True):
            if not _is_active(dimension, point):
                continue
            if dimension.name in values:
                u = _checked_unit(dimension, values[dimension.name])
            point[dimension.name] = dimension.from_unit(float(u))
        if inactive := sorted(set(values) - set(point)):
            raise ValueError(
                f"The values name {inactive}, inactive beside the other values {point!r}; leave "
                "them out, or set the parent on which they depend."
            )
        return point

    @property
    def size(self) -> float:
        """Upper bound of the number of distinct points, `inf` if a dimension is continuous.

        Conditions are not counted, so a conditional space may have fewer.
        """
        return math.prod(dimension.size for dimension in self.dimensions)

    def points(self) -> Iterator[Point]:
        """Yield every point of a finite space once, in lexicographic order.

        Raises:
            ValueError: A dimension is continuous.
        """
        if not math.isfinite(self.size):
            endless = [d.name for d in self.dimensions if not math.isfinite(d.size)]
            raise ValueError(f"A space with continuous dimensions {endless} has no list of points.")
        return _extend({}, self.dimensions)

    def _check_names(self, values: Mapping[str, Value]) -> None:
        for name in values:
            if name not in self.names:
                near = difflib.get_close_matches(name, self.names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {sorted(self.names)}."
                raise ValueError(f"The space has no hyperparameter {name!r}; {hint}")


def point_key(point: Mapping[str, Value]) -> tuple[tuple[str, Value], ...]:
    """Return a hashable identity: equal for equal points, whatever their order.

    >>> point_key({"b": 1, "a": 2}) == point_key({"a": 2, "b": 1})
    True
    """
    return tuple(sorted(point.items(), key=lambda item: item[0]))


def describe(dimension: Dimension) -> str:
    """Return the range of a dimension in words.

    >>> from kt_extras.search import Float
    >>> describe(Float("rate", 1e-4, 1e-1, sampling="log"))
    '0.0001 to 0.1, log'
    """
    if isinstance(dimension, Choice):
        return "one of " + ", ".join(map(repr, dimension.options))
    words = [f"{dimension.low:g} to {dimension.high:g}"]
    if dimension.step not in {None, 1}:
        words.append(f"step {dimension.step:g}")
    if dimension.sampling != "linear":
        words.append(dimension.sampling)
    return ", ".join(words)


def _is_active(dimension: Dimension, point: Mapping[str, Value]) -> bool:
    return dimension.name not in point and all(c.holds(point) for c in dimension.conditions)


def _checked_unit(dimension: Dimension, value: Value) -> float:
    if not dimension.contains(value):
        raise ValueError(f"{dimension.name!r} cannot be {value!r}; it is {describe(dimension)}.")
    return dimension.to_unit(value)


def _parents_first(dimensions: list[Dimension]) -> list[Dimension]:
    """Sort stably so that every condition's parent comes earlier (Kahn, 1962)."""
    declared = Counter((dimension.name, dimension.conditions) for dimension in dimensions)
    if twice := [name for (name, _), count in declared.items() if count > 1]:
        raise ValueError(f"Hyperparameters declared twice under the same conditions: {twice}.")
    pending, ordered = list(dimensions), list[Dimension]()
    while pending:
        waiting = {dimension.name for dimension in pending}
        # The first that can go, so that the declared order stays wherever it can.
        ready = (d for d in pending if not any(c.parent in waiting for c in d.conditions))
        if (dimension := next(ready, None)) is None:
            raise ValueError(f"The conditions of {sorted(waiting)} form a circle.")
        ordered.append(dimension)
        pending.remove(dimension)
    _check_parents(ordered)
    return ordered


def _check_parents(dimensions: Sequence[Dimension]) -> None:
    names = {dimension.name for dimension in dimensions}
    for dimension in dimensions:
        for condition in dimension.conditions:
            if condition.parent not in names:
                raise ValueError(
                    f"{dimension.name!r} depends on {condition.parent!r}, which is not declared."
                )


def _extend(point: Point, dimensions: Sequence[Dimension]) -> Iterator[Point]:
    if not dimensions:
        yield point
        return
    dimension, *rest = dimensions
    if not _is_active(dimension, point):
        yield from _extend(point, rest)
        return
    for value in dimension.values():
        yield from _extend({**point, dimension.name: value}, rest)
