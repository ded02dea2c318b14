"""Grid search: every combination of a few values, then finer grids around the best trial.

A coarse grid first and a finer one where it was best is what tutorials of grid search recommend,
such as that of LIBSVM (Hsu, Chang & Lin, "A Practical Guide to Support Vector Classification").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Choice, Dimension, Float, Int, Point, Value
from kt_extras.search.history import History, State
from kt_extras.search.sampler import SpaceExhausted
from kt_extras.search.space import Space, point_key

_VALUES = 10  # of a range without a step
_TOLERANCE = 1e-9  # of coordinates, and relative of values

_Grid = Mapping[Dimension, Sequence[Value]]


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
            to end. Defaults to None: all values of a range with a step, ten of one without.

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
        grid: _Grid = {d: _first_values(d, self.resolution) for d in space.dimensions}
        coordinates = [_coordinates(d, grid[d]) for d in space.dimensions]
        for _ in range(self.refine + 1):
            last = -1
            for point in space.points(grid.__getitem__):
                number = tried.get(point_key(point), -1)
                if number < 0:
                    return point
                last = max(last, number)
            best = _best(history, last + 1)
            if best is None:
                break
            grid = _finer(space, space.with_defaults(history.points[best]), coordinates)
        raise SpaceExhausted("All points of the grid have been tried.")


def _first_values(dimension: Dimension, resolution: int | None) -> list[Value]:
    """Return the values of a dimension in the first grid, its default first."""
    if isinstance(dimension, Choice):
        others: Sequence[Value] = dimension.declared
    elif resolution is not None:
        others = [dimension.from_unit(i / (resolution - 1)) for i in range(resolution)]
    elif dimension.step is None and not _counts(dimension):
        others = _tenths(dimension)
    else:
        others = dimension.values()
    first = dimension.default
    return [first, *(value for value in dict.fromkeys(others) if not _same(value, first))]


def _counts(dimension: Dimension) -> bool:
    """Tell whether a range without a step has the integers one by one."""
    return isinstance(dimension, Int) and dimension.sampling == "linear"


def _tenths(dimension: Dimension) -> list[Value]:
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


def _coordinates(dimension: Dimension, values: Sequence[Value]) -> FloatArray:
    """Return the sorted coordinates of the values of a range, none of a choice."""
    if isinstance(dimension, Choice):
        return np.empty(0)
    return np.unique([dimension.to_unit(value) for value in values])


def _best(history: History, count: int) -> int | None:
    """Return which of the first trials is best, None if one of them runs or all have failed."""
    losses = history.losses[:count]
    running = bool(np.any(history.states[:count] == State.RUNNING))
    return None if running or not np.isfinite(losses).any() else int(np.argmin(losses))


def _finer(space: Space, best: Point, coordinates: list[FloatArray]) -> _Grid:
    """Return the grid around a point, and add its values to the coordinates of those so far."""
    grid: dict[Dimension, list[Value]] = {}
    active = space.active(best)
    for column, dimension in enumerate(space.dimensions):
        if dimension not in active:
            grid[dimension] = [dimension.default]
            continue
        value, known = best[dimension.name], coordinates[column]
        grid[dimension] = [value]
        if isinstance(dimension, Choice) or not dimension.contains(value):
            continue
        for between in _halfway(known, dimension.to_unit(value)):
            new = dimension.from_unit(between)
            unit = dimension.to_unit(new)
            if np.min(np.abs(coordinates[column] - unit)) > _TOLERANCE:
                grid[dimension].append(new)
                coordinates[column] = np.sort(np.append(coordinates[column], unit))
    return grid


def _halfway(known: FloatArray, unit: float) -> list[float]:
    """Return the middles between a coordinate and its neighbours."""
    below, above = known[known < unit - _TOLERANCE], known[known > unit + _TOLERANCE]
    return [0.5 * (unit + float(side)) for side in (*below[-1:], *above[:1])]
