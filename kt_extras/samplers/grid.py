"""Grid search: every combination of a few values, then finer grids around the best trial.

A coarse grid first and a finer one where it was best is what tutorials of grid search recommend,
such as that of LIBSVM (Hsu, Chang & Lin, "A Practical Guide to Support Vector Classification").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Choice, Dimension, Float, Int, Point, Value
from kt_extras.search.history import History, State
from kt_extras.search.sampler import SpaceExhausted
from kt_extras.search.space import Space, point_key

_VALUES = 10  # of a range without a step
_TOLERANCE = 1e-9  # of coordinates, and relative of values

_Values = Callable[[Dimension], Iterable[Value]]


@dataclass(frozen=True)
class Grid:
    """Suggest all combinations in one order, that of `keras_tuner.GridSearch`.

    The default of a hyperparameter is its first value, and the last hyperparameter changes fastest.
    A hyperparameter that is found late has its default in the trials before.  A range without a
    step has the middles of its tenths and its default.

    With `refine`, a finer grid follows when a grid has been tried: numbers take the best trial's
    value and those halfway to its neighbours, as far as the space has them, and choices stay as
    they are.

    Args:
        refine: How many finer grids follow the first one. Defaults to 0.
        resolution: Number of values of each range in the first grid, from 2: evenly spread from end
            to end; its default is one more if it is not among them. Defaults to None: all values of
            a range with a step, ten of one without.

    Raises:
        ValueError: An argument is out of its range.

    >>> from kt_extras.search import Choice, Int, trial_rng
    >>> space = Space([Choice("act", ("relu", "elu")), Int("units", 1, 3, default=2)])
    >>> history = History(space)
    >>> for trial in range(4):
    ...     number = history.start(Grid().suggest(history, space, trial_rng(0, trial)))
    >>> [(point["act"], point["units"]) for point in history.points]
    [('relu', 2), ('relu', 1), ('relu', 3), ('elu', 2)]
    """

    refine: int = 0
    resolution: int | None = None

    def __post_init__(self) -> None:
        check_integer("refine", self.refine, minimum=0)
        if self.resolution is not None:
            check_integer("resolution", self.resolution, minimum=2, hint="or pass None")

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:  # noqa: ARG002
        """Return the first combination that was not tried.

        Raises:
            SpaceExhausted: All have been tried; those of a finer grid are not known before the
                trials of the last one have ended.
        """
        tried: dict[object, int] = {}
        for number, point in enumerate(history.points):
            tried.setdefault(point_key(space.with_defaults(point)), number)
        values: _Values = partial(_first_values, resolution=self.resolution)
        known = [_coordinates(dimension, self.resolution) for dimension in space.dimensions]
        for _ in range(self.refine + 1):
            last = -1
            for point in space.points(values):
                number = tried.get(point_key(point), -1)
                if number < 0:
                    return point
                last = max(last, number)
            best = _best(history, last + 1)
            if best is None:
                break
            values = _finer(space, space.with_defaults(history.points[best]), known).__getitem__
        raise SpaceExhausted("All points of the grid have been tried.")

    def size(self, space: Space) -> float:
        """Return an upper bound of the number of points of the first grid.

        Conditions are not counted, so a conditional space may have fewer.

        Args:
            space: The space, which may be continuous.

        >>> from kt_extras.search import Float, Int
        >>> Grid().size(Space([Float("x", 0, 1), Int("units", 1, 4)]))
        44
        """
        return math.prod(_count(dimension, self.resolution) for dimension in space.dimensions)


def _first_values(dimension: Dimension, resolution: int | None) -> Iterator[Value]:
    """Yield the values of a dimension in the first grid, its default first."""
    yield dimension.default
    chosen = _chosen(dimension, resolution)
    others = _all_values(dimension) if chosen is None else dict.fromkeys(chosen)
    yield from (value for value in others if not _same(value, dimension.default))


def _count(dimension: Dimension, resolution: int | None) -> float:
    """Return how many values a dimension has in the first grid."""
    if isinstance(dimension, Choice) or _chosen(dimension, resolution) is not None:
        return len(list(_first_values(dimension, resolution)))
    default = dimension.default  # which may lie between the values of a step
    return dimension.size + (not _same(dimension.from_unit(dimension.to_unit(default)), default))


def _chosen(dimension: Dimension, resolution: int | None) -> Sequence[Value] | None:
    """Return the values of a range that the first grid has, None if it has all of them."""
    if isinstance(dimension, Choice):
        return None
    if resolution is not None:
        return [dimension.from_unit(i / (resolution - 1)) for i in range(resolution)]
    counted = isinstance(dimension, Int) and dimension.sampling == "linear"
    return _tenths(dimension) if dimension.step is None and not counted else None


def _all_values(dimension: Dimension) -> Iterable[Value]:
    """Return the values of a dimension in order; those of a range one by one, as needed."""
    if isinstance(dimension, Choice):
        return dict.fromkeys(dimension.declared)
    size = int(dimension.size)
    return (dimension.from_unit((index + 0.5) / size) for index in range(size))


def _tenths(dimension: Float | Int) -> list[Value]:
    """Return the middles of the tenths of a range, those of integers as KerasTuner has them."""
    units = [(i + 0.5) / _VALUES for i in range(_VALUES)]
    if isinstance(dimension, Float):
        return [dimension.from_unit(u) for u in units]
    whole = Float(dimension.name, dimension.low, dimension.high + 1, sampling=dimension.sampling)
    return [int(whole.from_unit(u)) for u in units]


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_TOLERANCE)
    return bool(one == other)


def _coordinates(dimension: Dimension, resolution: int | None) -> FloatArray:
    """Return the sorted coordinates of the values of a range, none if it has no others."""
    if _chosen(dimension, resolution) is None:
        return np.empty(0)
    values = filter(dimension.contains, _first_values(dimension, resolution))
    return np.unique([dimension.to_unit(value) for value in values])


def _best(history: History, count: int) -> int | None:
    """Return which of the first trials is best, None if one of them runs or all have failed."""
    losses = history.losses[:count]
    running = bool(np.any(history.states[:count] == State.RUNNING))
    return None if running or not np.isfinite(losses).any() else int(np.argmin(losses))


def _finer(space: Space, best: Point, known: list[FloatArray]) -> dict[Dimension, Sequence[Value]]:
    """Return the grid around a point, and add its values to the coordinates of those so far."""
    grid: dict[Dimension, Sequence[Value]] = {}
    active = space.active(best)
    for column, dimension in enumerate(space.dimensions):
        value = best[dimension.name] if dimension in active else dimension.default
        new = {}
        if dimension in active and len(known[column]) and dimension.contains(value):
            for between in _halfway(known[column], dimension.to_unit(value)):
                unit = dimension.to_unit(found := dimension.from_unit(between))
                if np.min(np.abs(known[column] - unit)) > _TOLERANCE:
                    new[found] = unit
        known[column] = np.sort([*known[column], *new.values()])
        grid[dimension] = [value, *new]
    return grid


def _halfway(known: FloatArray, unit: float) -> list[float]:
    """Return the middles between a coordinate and its neighbours."""
    below, above = known[known < unit - _TOLERANCE], known[known > unit + _TOLERANCE]
    return [0.5 * (unit + float(side)) for side in (*below[-1:], *above[:1])]
