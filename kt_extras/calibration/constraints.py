"""The best recall at a required precision, and the best precision at a required recall.

What is required holds on the rows that the threshold is fitted to; on others it holds about half of
the time, so ask for a little more than you need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kt_extras.arguments import is_number
from kt_extras.arrays import FloatArray
from kt_extras.calibration.confusion import ROUNDING, ConfusionPath, Counts


@dataclass(frozen=True)
class RecallAtPrecision:
    """The highest recall with at least a required precision.

    If no threshold is precise enough, no row is called positive.

    Args:
        precision: In (0, 1].

    >>> path = ConfusionPath.of(np.array([[5.0, 1.0], [1.0, 3.0]]))
    >>> RecallAtPrecision(0.9).values(path).item()
    0.75
    """

    precision: float

    name: ClassVar[str] = "recall_at_precision"

    def __post_init__(self) -> None:
        _check_fraction("precision", self.precision)

    def values(self, path: ConfusionPath) -> FloatArray:
        """Return the recall at each stop, whatever the precision there."""
        return path.mean(lambda n: n.recall)

    def preferences(self, path: ConfusionPath) -> list[FloatArray]:
        """Return the recall where it counts; and the precision."""

        def counted(n: Counts) -> FloatArray:
            otherwise = np.where(n.tp + n.fp == 0, 0.0, -1.0)  # no row is called positive
            return np.where(n.precision >= self.precision - ROUNDING, n.recall, otherwise)

        return [path.mean(counted), path.mean(lambda n: n.precision)]


@dataclass(frozen=True)
class PrecisionAtRecall:
    """The highest precision with at least a required recall.

    Args:
        recall: In (0, 1].

    >>> path = ConfusionPath.of(np.array([[5.0, 1.0], [3.0, 3.0]]))
    >>> PrecisionAtRecall(0.5).values(path).item()
    0.75
    """

    recall: float

    name: ClassVar[str] = "precision_at_recall"

    def __post_init__(self) -> None:
        _check_fraction("recall", self.recall)

    def values(self, path: ConfusionPath) -> FloatArray:
        """Return the precision at each stop, whatever the recall there."""
        return path.mean(lambda n: n.precision)

    def preferences(self, path: ConfusionPath) -> list[FloatArray]:
        """Return the precision where it counts, elsewhere what is lacking; and the recall."""

        def counted(n: Counts) -> FloatArray:
            return np.where(n.recall >= self.recall - ROUNDING, n.precision, n.recall - 2.0)

        return [path.mean(counted), path.mean(lambda n: n.recall)]


def _check_fraction(name: str, value: float) -> None:
    if not (is_number(value) and 0 < value <= 1):
        raise ValueError(f"`{name}` must lie in (0, 1], got {value!r}.")
