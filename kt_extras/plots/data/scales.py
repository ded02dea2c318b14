"""The scale on which the values of a hyperparameter are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kt_extras.analysis.search_data import SearchData
from kt_extras.arguments import is_number
from kt_extras.arrays import FloatArray
from kt_extras.search import Choice
from kt_extras.search.dimensions import Dimension


@dataclass(frozen=True)
class Scale:
    """Where the values of a hyperparameter stand on an axis.

    Attributes:
        name: Of the hyperparameter.
        sampling: `"linear"`, `"log"` or `"reverse_log"`.
        low, high: The range of a numeric one.
        options: Those of a choice in their order, None for numbers.
        grid: The values of a numeric one that has few.
        whole: Whether all values are integers.
    """

    name: str
    sampling: str = "linear"
    low: float = 0.0
    high: float = 1.0
    options: tuple[Any, ...] | None = None
    grid: tuple[float, ...] = ()
    whole: bool = False

    def places(self, values: Iterable[Any]) -> list[float]:
        """Return numbers for the axis: an option's is its place among the options."""
        if self.options is None:
            return [float(value) for value in values]
        place = {_key(option): float(i) for i, option in enumerate(self.options)}
        return [place[_key(value)] for value in values]

    def units(self, values: Iterable[Any]) -> list[float]:
        """Return numbers in [0, 1], evenly spread on the scale."""
        placed = np.array(self.places(values), dtype=float)
        if self.options is not None:
            return list(((placed + 0.5) / len(self.options)).tolist())
        return list(self.forward(placed).tolist())

    def forward(self, values: FloatArray) -> FloatArray:
        """Return coordinates of numbers: 0 for the lowest and 1 for the highest."""
        if self.high <= self.low:
            return np.full(np.shape(values), 0.5)
        if self.sampling == "log":
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.log(values / self.low) / math.log(self.high / self.low)
        if self.sampling == "reverse_log":
            rest = np.maximum(self.low + self.high - values, self.low * 1e-6)
            return 1.0 - np.log(rest / self.low) / math.log(self.high / self.low)
        return (values - self.low) / (self.high - self.low)

    def backward(self, units: FloatArray) -> FloatArray:
        """Return the numbers at coordinates: the inverse of `forward`."""
        if self.sampling == "log":
            return self.low * (self.high / self.low) ** units
        if self.sampling == "reverse_log":
            return self.low + self.high - self.low * (self.high / self.low) ** (1.0 - units)
        return self.low + units * (self.high - self.low)

    def values(self, units: FloatArray) -> list[float]:
        """Return the numbers at coordinates, as a list."""
        return list(self.backward(np.asarray(units, dtype=float)).tolist())


def scale_of(search: SearchData, name: str, seen: Sequence[Any]) -> Scale:
    """Return the scale of a hyperparameter, wide enough for all values that it had.

    Args:
        search: The search; its space has the name, once or in several scopes.
        name: Of the hyperparameter.
        seen: Values of trials, which may be outside the range that was declared last.
    """
    dimensions = [d for d in search.space.dimensions if d.name == name]
    numeric = [d for d in dimensions if not isinstance(d, Choice)]
    if len(numeric) < len(dimensions) or not all(is_number(value) for value in seen):
        return Scale(name, options=_options(dimensions, seen))
    low = min([d.low for d in numeric] + list(seen))
    high = max([d.high for d in numeric] + list(seen))
    sampling = numeric[0].sampling
    if any(d.sampling != sampling for d in numeric) or (sampling != "linear" and low <= 0):
        sampling = "linear"
    grid: tuple[float, ...] = ()
    if len(numeric) == 1 and numeric[0].size <= 8:
        grid = tuple(float(value) for value in numeric[0].values())
    whole = all(isinstance(d.low, int) for d in numeric) and all(v == int(v) for v in seen)
    return Scale(name, sampling, float(low), float(high), grid=grid, whole=whole)


def _options(dimensions: Sequence[Dimension], seen: Sequence[Any]) -> tuple[Any, ...]:
    """Return all options: those declared in their order, then others that trials had."""
    known: dict[Any, Any] = {}
    for dimension in dimensions:
        if isinstance(dimension, Choice):
            for option in dimension.options:
                known.setdefault(_key(option), option)
    for value in seen:
        known.setdefault(_key(value), value)
    options = list(known.values())
    if all(is_number(option) for option in options):
        options.sort()
    return tuple(options)


def _key(value: Any) -> Any:
    """Return what tells an option from others: 1 and True differ."""
    return (isinstance(value, bool), value)
