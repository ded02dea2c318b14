"""The typed dimensions of a search space and their coordinates on the unit interval.

Every dimension maps its values to [0, 1] and back.  A dimension with finitely many values divides
the interval into cells, one for each value, and the coordinate of a value is the middle of its
cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np

from kt_extras.arguments import is_finite, is_number
from kt_extras.arrays import FloatArray

Value = Any
Point = dict[str, Value]

SAMPLINGS = ("linear", "log", "reverse_log")
_SIGNIFICANT_DIGITS = 12  # to which values are rounded, so that 0.1 + 0.2 gives 0.3


@dataclass(frozen=True)
class Condition:
    """Met where the hyperparameter `parent` is active and has one of `values`.

    Args:
        parent: Name of another hyperparameter.
        values: Values of the parent that meet the condition.

    >>> Condition("optimizer", ("sgd",)).holds({"optimizer": "sgd"})
    True
    """

    parent: str
    values: tuple[Value, ...]

    def holds(self, point: Mapping[str, Value]) -> bool:
        """Return whether the values meet the condition."""
        return self.parent in point and point[self.parent] in self.values


@dataclass(frozen=True)
class Float:
    """A real number in [`low`, `high`].

    Args:
        name: Unique among the dimensions that can be active at the same time.
        low: Smallest value, included.
        high: Largest value, included.
        step: Distance between neighbouring values if `sampling` is `"linear"`, their ratio (above
            1) otherwise; None for a continuous range. Defaults to None.
        sampling: Scale on which values are uniform: `"linear"`, `"log"` or `"reverse_log"`, with
            which the logarithm of the distance from `high` is. Defaults to `"linear"`.
        conditions: Conditions that must all be met for the dimension to be active. Defaults to
            none.
        default: Value that the model has without a search; two dimensions that differ in it alone
            are equal. Defaults to None: the lowest.

    >>> Float("rate", 1e-4, 1e-2, sampling="log").from_unit(0.5)
    0.001
    >>> Float("drop", 0.0, 0.3, step=0.1).values()
    (0.0, 0.1, 0.2, 0.3)
    """

    name: str
    low: float
    high: float
    step: float | None = None
    sampling: str = "linear"
    conditions: tuple[Condition, ...] = ()
    default: Value = field(default=None, compare=False, repr=False)

    categorical = False

    def __post_init__(self) -> None:
        _check_range(self)
        default = self.low if self.default is None else self.default
        object.__setattr__(self, "default", float(default))

    @property
    def size(self) -> float:
        """Number of values; `inf` without a step."""
        return math.inf if self.step is None and self.low < self.high else _grid_size(self)

    def from_unit(self, u: float) -> float:
        """Return the value at coordinate `u` in [0, 1]."""
        if math.isfinite(self.size):
            value = _tidy(_grid_value(self, _index(u, int(self.size))))
        else:
            value = _tidy(_unwarp(self, u, self.low, self.high))
        return min(max(value, self.low), self.high)

    def to_unit(self, value: Value) -> float:
        """Return the coordinate of the nearest value that the dimension has."""
        value = min(max(float(value), self.low), self.high)
        if math.isfinite(self.size):
            return (_nearest_grid_index(self, value) + 0.5) / self.size
        return min(max(float(_warp(self, value, self.low, self.high)), 0.0), 1.0)

    def cells(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the edges of the cells that hold `u`; without a step they are `u` itself."""
        return _uniform_cells(u, int(self.size)) if math.isfinite(self.size) else (u, u)

    def contains(self, value: Value) -> bool:
        """Return whether `value` lies in the range, on the grid or not."""
        return is_number(value) and self.low <= value <= self.high

    def values(self) -> tuple[Value, ...]:
        """Return all values, ascending.

        Raises:
            ValueError: The dimension has no step.
        """
        return _all_values(self)


@dataclass(frozen=True)
class Int:
    """An integer in [`low`, `high`], both included.

    With a log sampling and no step every integer is possible.  The cell of an integer n is then
    that of [n - 1/2, n + 1/2] on the logarithmic range [`low` - 1/2, `high` + 1/2].

    Args:
        name: Unique among the dimensions that can be active at the same time.
        low: Smallest value, included.
        high: Largest value, included.
        step: Distance between neighbouring values if `sampling` is `"linear"`, their ratio (above
            1) otherwise; None for every integer. Defaults to None.
        sampling: Scale on which values are uniform: `"linear"`, `"log"` or `"reverse_log"`, with
            which the logarithm of the distance from `high` is. Defaults to `"linear"`.
        conditions: Conditions that must all be met for the dimension to be active. Defaults to
            none.
        default: Value that the model has without a search; two dimensions that differ in it alone
            are equal. Defaults to None: the lowest.

    >>> Int("units", 8, 64, step=2, sampling="log").values()
    (8, 16, 32, 64)
    >>> Int("units", 1, 4).to_unit(2)
    0.375
    """

    name: str
    low: int
    high: int
    step: int | None = None
    sampling: str = "linear"
    conditions: tuple[Condition, ...] = ()
    default: Value = field(default=None, compare=False, repr=False)

    categorical = False

    def __post_init__(self) -> None:
        _check_range(self)
        default = self.low if self.default is None else self.default
        object.__setattr__(self, "default", default)

    @property
    def size(self) -> float:
        """Number of values."""
        return self.high - self.low + 1 if self._log_without_step else _grid_size(self)

    def from_unit(self, u: float) -> int:
        """Return the value whose cell holds `u`."""
        if not self._log_without_step:
            return round(_grid_value(self, _index(u, int(self.size))))
        value = round(_unwarp(self, u, self.low - 0.5, self.high + 0.5))
        return int(min(max(value, self.low), self.high))

    def to_unit(self, value: Value) -> float:
        """Return the middle of the cell of the nearest value that the dimension has."""
        value = min(max(value, self.low), self.high)
        if not self._log_without_step:
            return (_nearest_grid_index(self, value) + 0.5) / self.size
        lower, upper = self._edges(np.array([float(round(value))]))
        return float(0.5 * (lower[0] + upper[0]))

    def cells(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the edges of the cells that hold `u`, each of shape ``(n,)``."""
        if not self._log_without_step:
            return _uniform_cells(u, int(self.size))
        values = np.round(_unwarp(self, u, self.low - 0.5, self.high + 0.5))
        return self._edges(np.clip(values, self.low, self.high))

    def contains(self, value: Value) -> bool:
        """Return whether `value` lies in the range, on the grid or not."""
        return is_number(value) and self.low <= value <= self.high and value == int(value)

    def values(self) -> tuple[Value, ...]:
        """Return all values, ascending."""
        return _all_values(self)

    @property
    def _log_without_step(self) -> bool:
        return self.sampling != "linear" and self.step is None and self.low < self.high

    def _edges(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        low, high = self.low - 0.5, self.high + 0.5
        return _warp(self, values - 0.5, low, high), _warp(self, values + 0.5, low, high)


@dataclass(frozen=True)
class Choice:
    """One of `options`, which may be ordered.

    Args:
        name: Unique among the dimensions that can be active at the same time.
        options: Possible values, at least one; sorted if `ordered`.
        ordered: Whether losses of neighbouring options are similar. Defaults to False.
        conditions: Conditions that must all be met for the dimension to be active. Defaults to
            none.
        default: Value that the model has without a search; two dimensions that differ in it alone
            are equal. Defaults to None: the first.

    Attributes:
        declared: The options in the given order.

    >>> Choice("batch", (64, 16, 32), ordered=True).values()
    (16, 32, 64)
    >>> Choice("act", ("relu", "tanh")).from_unit(0.7)
    'tanh'
    """

    name: str
    options: tuple[Value, ...]
    ordered: bool = False
    conditions: tuple[Condition, ...] = ()
    default: Value = field(default=None, compare=False, repr=False)
    declared: tuple[Value, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))  # a list cannot be hashed
        object.__setattr__(self, "declared", self.options)
        if not self.options:
            raise ValueError(f"`options` of {self.name!r} must have at least one value, got ().")
        for option in self.options:
            _check_option(self.name, "options", option)
        if self.default is None:
            object.__setattr__(self, "default", self.options[0])
        if self.ordered:
            object.__setattr__(self, "options", tuple(sorted(self.options)))

    @property
    def categorical(self) -> bool:
        """Whether the options have no order that a sampler may use."""
        return not self.ordered

    @property
    def size(self) -> float:
        """Number of options."""
        return len(self.options)

    def from_unit(self, u: float) -> Value:
        """Return the option whose cell holds `u`."""
        return self.options[_index(u, len(self.options))]

    def to_unit(self, value: Value) -> float:
        """Return the middle of the option's cell; NaN for a value that is not an option."""
        if value not in self.options:
            return math.nan
        return (self.options.index(value) + 0.5) / len(self.options)

    def cells(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the edges of the cells that hold `u`, each of shape ``(n,)``."""
        return _uniform_cells(u, len(self.options))

    def contains(self, value: Value) -> bool:
        """Return whether `value` is one of the options."""
        return value in self.options

    def values(self) -> tuple[Value, ...]:
        """Return all options."""
        return self.options


def Boolean(  # noqa: N802 - spelled like Float, Int and Choice
    name: str, conditions: tuple[Condition, ...] = (), default: bool | None = None
) -> Choice:
    """Return a dimension with the values False and True."""
    return Choice(name, (False, True), conditions=conditions, default=default)


def Fixed(  # noqa: N802
    name: str, value: Value, conditions: tuple[Condition, ...] = ()
) -> Choice:
    """Return a dimension with a single value."""
    _check_option(name, "value", value)
    return Choice(name, (value,), conditions=conditions)


Dimension = Union[Float, Int, Choice]  # noqa: UP007 - Python 3.10 cannot use `|` at run time here


def _check_option(name: str, argument: str, value: Value) -> None:
    if is_number(value) and not is_finite(value):
        raise ValueError(f"`{argument}` of {name!r} must be finite, got {value!r}.")


def _check_range(dimension: Float | Int) -> None:
    name, low, high = dimension.name, dimension.low, dimension.high
    step, sampling = dimension.step, dimension.sampling
    _check_number(dimension, "low", low)
    _check_number(dimension, "high", high)
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(
            f"`low` of {name!r} must not exceed `high`, both finite, got {low!r} and {high!r}."
        )
    if sampling not in SAMPLINGS:
        raise ValueError(f"`sampling` of {name!r} must be one of {SAMPLINGS}, got {sampling!r}.")
    if sampling != "linear" and low <= 0:
        raise ValueError(
            f"`low` of {name!r} must be positive for sampling {sampling!r}, got {low!r}; "
            'use `sampling="linear"` or raise `low`.'
        )
    span, kind = (high - low, "difference") if sampling == "linear" else (high / low, "ratio")
    if math.isinf(span):
        raise ValueError(
            f"`high` of {name!r} must not be so far from `low` that a float cannot hold the "
            f"{kind}, got {low!r} and {high!r}."
        )
    if step is None:
        return
    _check_number(dimension, "step", step)
    smallest = 0 if sampling == "linear" else 1
    if not smallest < step < math.inf:
        raise ValueError(
            f"`step` of {name!r} must be above {smallest} for sampling {sampling!r}, got {step!r}."
        )


def _check_number(dimension: Float | Int, argument: str, value: object) -> None:
    whole = isinstance(dimension, Int)
    if not is_number(value) or (whole and is_finite(value) and value % 1):  # type: ignore[operator]
        raise ValueError(
            f"`{argument}` of {dimension.name!r} must be {'an integer' if whole else 'a number'}, "
            f"got {value!r}."
        )


def _warp(dimension: Float | Int, value: Any, low: float, high: float) -> Any:
    """Map [low, high] to [0, 1] on the scale of the dimension; for scalars and arrays."""
    if dimension.sampling == "log":
        return np.log(value / low) / math.log(high / low)
    if dimension.sampling == "reverse_log":
        return 1.0 - np.log((low + high - value) / low) / math.log(high / low)
    return (value - low) / (high - low)


def _unwarp(dimension: Float | Int, u: Any, low: float, high: float) -> Any:
    """Map [0, 1] to [low, high]: the inverse of `_warp`."""
    if dimension.sampling == "log":
        return low * (high / low) ** u
    if dimension.sampling == "reverse_log":
        return low + high - low * (high / low) ** (1.0 - u)
    return low + u * (high - low)


def _grid_size(dimension: Float | Int) -> int:
    low, high, step = dimension.low, dimension.high, dimension.step or 1
    if low == high:
        return 1
    span = (high - low) / step if dimension.sampling == "linear" else math.log(high / low, step)
    return math.floor(span + 1e-8) + 1


def _grid_value(dimension: Float | Int, index: int) -> float:
    low, high, step = dimension.low, dimension.high, dimension.step or 1
    if dimension.sampling == "linear":
        return low + index * step
    if dimension.sampling == "log":
        return low * step**index
    return low + high - low * step ** (_grid_size(dimension) - 1 - index)


def _nearest_grid_index(dimension: Float | Int, value: float) -> int:
    low, high, step, n = dimension.low, dimension.high, dimension.step or 1, _grid_size(dimension)
    if n == 1:
        return 0
    if dimension.sampling == "linear":
        index = (value - low) / step
    elif dimension.sampling == "log":
        index = math.log(value / low) / math.log(step)
    else:
        index = n - 1 - math.log((low + high - value) / low) / math.log(step)
    return min(max(round(index), 0), n - 1)


def _all_values(dimension: Float | Int) -> tuple[Value, ...]:
    if not math.isfinite(dimension.size):
        raise ValueError(f"`step` of {dimension.name!r} must be set to list its values, got None.")
    if isinstance(dimension, Int) and dimension.step is None:
        return tuple(range(dimension.low, dimension.high + 1))
    n = int(dimension.size)
    return tuple(dimension.from_unit((i + 0.5) / n) for i in range(n))


def _uniform_cells(u: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    index = np.clip(np.floor(u * n), 0, n - 1)
    return index / n, (index + 1) / n


def _index(u: float, n: int) -> int:
    return min(max(int(u * n), 0), n - 1)


def _tidy(value: float) -> float:
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
