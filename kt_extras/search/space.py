"""The search space: declared hyperparameters, their conditions, and the unit cube.

A *point* is a dictionary of the values of the active hyperparameters only.  On the unit cube a
point is a row with NaN in the columns of inactive dimensions.
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Choice, Dimension, Point, Value


class Space:
    """An ordered set of dimensions, parents before children.

    Two dimensions may share a name if their conditions differ (the same hyperparameter in sibling
    scopes).  Where both are active, the one declared first holds the value.

    Args:
        dimensions: Dimensions in any order; parents are moved before their children.

    Raises:
        ValueError: A dimension is declared twice, the parent of a condition is not declared, or
            conditions depend on each other in a cycle.

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
        """Return the point at given coordinates on the unit cube.

        Args:
            unit: Shape ``(d,)``, each in [0, 1]; coordinates of inactive dimensions are ignored.
        """
        point: Point = {}
        for dimension, u in zip(self.dimensions, unit, strict=True):
            if _is_active(dimension, point):
                point[dimension.name] = dimension.from_unit(float(u))
        return point

    def encode(self, point: Mapping[str, Value]) -> FloatArray:
        """Return the coordinates of a point on the unit cube.

        A value outside its range counts as missing; a value between two values of a grid is moved
        to the nearer one.

        Returns:
            Shape ``(d,)``, NaN where a dimension is inactive or its value missing.
        """
        unit = np.full(len(self), math.nan)
        seen: Point = {}
        for column, dimension in enumerate(self.dimensions):
            if _is_active(dimension, seen) and dimension.name in point:
                value = seen[dimension.name] = point[dimension.name]
                if dimension.contains(value):
                    unit[column] = dimension.to_unit(value)
        return unit

    def encode_all(self, points: Sequence[Mapping[str, Value]]) -> FloatArray:
        """Return the coordinates of many points at once, as `encode` does for each.

        Returns:
            Shape ``(n, d)``.

        >>> from kt_extras.search import Int
        >>> Space([Int("units", 1, 2)]).encode_all([{"units": 2}, {}]).tolist()
        [[0.75], [nan]]
        """
        unit = np.full((len(points), len(self)), math.nan)
        placed = {name: np.zeros(len(points), dtype=bool) for name in self.names}
        for column, dimension in enumerate(self.dimensions):
            name, known = dimension.name, dict[Value, float]()
            finite = math.isfinite(dimension.size)
            for row, point in enumerate(points):
                if name not in point or placed[name][row]:
                    continue
                if not all(condition.holds(point) for condition in dimension.conditions):
                    continue
                placed[name][row] = True
                value = point[name]
                coordinate = known.get(value)
                if coordinate is None:
                    inside = dimension.contains(value)
                    coordinate = dimension.to_unit(value) if inside else math.nan
                    if finite:
                        known[value] = coordinate
                unit[row, column] = coordinate
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
        """Return a point of the given values, on their grids, and of others taken from `unit`.

        Args:
            values: Values of some hyperparameters.
            unit: Shape ``(d,)``, each in [0, 1].

        Raises:
            ValueError: The space does not have a name, a name is inactive with the other values, or
                a value is outside its range.
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
                f"`values` must name active hyperparameters, but {inactive} are not with the other "
                f"values {point!r}; leave them out, or set the parents on which they depend."
            )
        return point

    @property
    def size(self) -> float:
        """Upper bound of the number of distinct points, `inf` if a dimension is continuous.

        Conditions are not counted, so a conditional space may have fewer.
        """
        sizes = [dimension.size for dimension in self.dimensions]
        return math.inf if math.inf in sizes else math.prod(sizes)  # a product may exceed a float

    def with_defaults(self, values: Mapping[str, Value]) -> Point:
        """Return the active hyperparameters of a point, with defaults for those that it lacks.

        >>> from kt_extras.search import Int
        >>> Space([Int("units", 1, 9, default=4), Int("layers", 1, 3)]).with_defaults({"layers": 2})
        {'units': 4, 'layers': 2}
        """
        point: Point = {}
        for dimension in self.dimensions:
            if _is_active(dimension, point):
                point[dimension.name] = values.get(dimension.name, dimension.default)
        return point

    def points(
        self, values: Callable[[Dimension], Iterable[Value]] | None = None
    ) -> Iterator[Point]:
        """Yield every point of a finite space once, in lexicographic order.

        Args:
            values: Returns the values of a dimension, and their order. Defaults to None: all.

        Raises:
            ValueError: A dimension is continuous, and there are no `values`.
        """
        if values is not None:
            return _extend({}, self.dimensions, values)
        if continuous := [d.name for d in self.dimensions if math.isinf(d.size)]:
            raise ValueError(
                f"A space must be finite to list its points, but {continuous} are continuous; "
                "give them a `step`."
            )
        return _extend({}, self.dimensions, lambda dimension: dimension.values())

    def _check_names(self, values: Mapping[str, Value]) -> None:
        for name in values:
            if name not in self.names:
                near = difflib.get_close_matches(name, self.names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {sorted(self.names)}."
                raise ValueError(
                    "`values` must name hyperparameters of the space.  The space has no "
                    f"hyperparameter {name!r}; {hint}"
                )


def point_key(point: Mapping[str, Value]) -> tuple[tuple[str, Value], ...]:
    """Return a hashable key of a point, whatever the order of its values.

    >>> point_key({"b": 1, "a": 2}) == point_key({"a": 2, "b": 1})
    True
    """
    return tuple(sorted(point.items(), key=lambda item: item[0]))


def describe(dimension: Dimension) -> str:
    """Return the range of a dimension, for messages.

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
        raise ValueError(
            "`values` must be in the ranges of the space: "
            f"{dimension.name!r} must be {describe(dimension)}, got {value!r}."
        )
    return dimension.to_unit(value)


def _parents_first(dimensions: list[Dimension]) -> list[Dimension]:
    """Sort stably so that the parent of every condition comes earlier (Kahn, 1962)."""
    declared = Counter((dimension.name, dimension.conditions) for dimension in dimensions)
    if twice := [name for (name, _), count in declared.items() if count > 1]:
        raise ValueError(
            f"A hyperparameter must be declared once under the same conditions, but {twice} are "
            "declared twice."
        )
    pending, ordered = list(dimensions), list[Dimension]()
    while pending:
        waiting = {dimension.name for dimension in pending}
        # The first dimension that is ready, to keep the declared order where possible.
        ready = (d for d in pending if not any(c.parent in waiting for c in d.conditions))
        if (dimension := next(ready, None)) is None:
            raise ValueError(
                f"Conditions must not form a cycle, but those of {sorted(waiting)} do."
            )
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
                    f"The parent of a condition must be declared, but {condition.parent!r}, on "
                    f"which {dimension.name!r} depends, is not."
                )


def _extend(
    point: Point, dimensions: Sequence[Dimension], values: Callable[[Dimension], Iterable[Value]]
) -> Iterator[Point]:
    if not dimensions:
        yield point
        return
    dimension, *rest = dimensions
    if not _is_active(dimension, point):
        yield from _extend(point, rest, values)
        return
    for value in values(dimension):
        yield from _extend({**point, dimension.name: value}, rest, values)
