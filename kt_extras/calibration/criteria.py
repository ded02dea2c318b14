"""Criteria that thresholds are fitted to.

A criterion is a function of confusion matrices.  In a binary problem F-beta, Youden's J, recall and
precision are those of the positive class; in a multi-class one they are averaged over the classes
that have at least one row, each against the rest.  A ratio without a denominator is 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Union

import numpy as np

from kt_extras.arguments import is_finite
from kt_extras.arrays import FloatArray
from kt_extras.calibration.confusion import ROUNDING, ConfusionPath, Counts, ratio
from kt_extras.class_arguments import numbers


class Criterion(Protocol):
    """What thresholds are fitted to and judged by."""

    @property
    def name(self) -> str:
        """The name in logs."""

    def values(self, path: ConfusionPath) -> FloatArray:
        """Return what is reported at each of c stops, shape ``(c,)``."""

    def preferences(self, path: ConfusionPath) -> list[FloatArray]:
        """Return what is maximised, shape ``(c,)`` each; a later one decides ties of the former."""


CriterionLike = Union[str, Criterion]  # noqa: UP007 - Python 3.10


@dataclass(frozen=True)
class FBeta:
    """Weighted harmonic mean of precision and recall, in which recall counts `beta` times as much.

    Args:
        beta: Above 0; 1 is F1. Defaults to `1.0`.

    Source: van Rijsbergen, "Information Retrieval", 1979, ch. 7.

    >>> path = ConfusionPath.of(np.array([[5.0, 1.0], [1.0, 3.0]]))
    >>> FBeta(1.0).values(path).item()
    0.75
    """

    beta: float = 1.0

    def __post_init__(self) -> None:
        if not (is_finite(self.beta) and self.beta > 0):
            raise ValueError(f"`beta` must be above 0 and finite, got {self.beta!r}; 1 is F1.")

    @property
    def name(self) -> str:
        """`"f1"`, `"f2"`, `"f0.5"`, ..."""
        return f"f{self.beta:g}"

    def values(self, path: ConfusionPath) -> FloatArray:
        """Return F-beta at each stop."""
        b2 = self.beta**2

        def f_beta(n: Counts) -> FloatArray:
            hits = (1 + b2) * n.tp
            return ratio(hits, hits + b2 * n.fn + n.fp)

        return path.mean(f_beta)

    def preferences(self, path: ConfusionPath) -> list[FloatArray]:
        """Return the values."""
        return [self.values(path)]


@dataclass(frozen=True)
class YoudenJ:
    """Recall plus specificity less 1 (Youden, Cancer 1950).

    >>> YoudenJ().values(ConfusionPath.of(np.array([[6.0, 2.0], [1.0, 3.0]]))).item()
    0.5
    """

    name: ClassVar[str] = "youden_j"

    def values(self, path: ConfusionPath) -> FloatArray:
        """Return J at each stop."""
        return path.mean(lambda n: n.recall + n.specificity - 1)

    def preferences(self, path: ConfusionPath) -> list[FloatArray]:
        """Return the values."""
        return [self.values(path)]


@dataclass(frozen=True)
class BalancedAccuracy:
    """Mean of the classes' recalls, the negative class among them.

    >>> BalancedAccuracy().values(ConfusionPath.of(np.array([[6.0, 2.0], [1.0, 3.0]]))).item()
    0.75
    """

    name: ClassVar[str] = "balanced_accuracy"

    def values(self, path: ConfusionPath) -> FloatArray:
        """Return the mean recall at each stop."""
        return path.sum(lambda n: n.recall, path.present) / len(path.present)

    def preferences(self, path: ConfusionPath) -> list[FloatArray]:
        """Return the values."""
        return [self.values(path)]


@dataclass(frozen=True)
class GeometricMean:
    """Geometric mean of the classes' recalls, the negative class among them.

    Source: Kubat & Matwin, ICML 1997.

    >>> GeometricMean().values(ConfusionPath.of(np.array([[4.0, 0.0], [3.0, 1.0]]))).item()
    0.5
    """

    name: ClassVar[str] = "geometric_mean"

    def values(self, path: ConfusionPath) -> FloatArray:
        """Return the geometric mean of the recalls at each stop."""
        logs = path.sum(lambda n: np.log(np.where(n.tp > 0, n.recall, 1.0)), path.present)
        return np.where(_lost(path) > 0, 0.0, np.exp(logs / len(path.present)))

    def preferences(self, path: ConfusionPath) -> list[FloatArray]:
        """Return the values; and how many classes are found, without which they are 0."""
        return [self.values(path), -_lost(path)]


def _lost(path: ConfusionPath) -> FloatArray:
    """Return of how many classes no row is found, at each stop."""
    return path.sum(lambda n: (n.tp <= 0).astype(np.float64), path.present)


@dataclass(frozen=True)
class Matthews:
    """Matthews' correlation coefficient, for more than two classes as Gorodkin has it.

    Sources: Matthews, BBA 1975; Gorodkin, Computational Biology and Chemistry 2004.

    >>> Matthews().values(ConfusionPath.of(np.array([[2.0, 0.0], [0.0, 2.0]]))).item()
    1.0
    """

    name: ClassVar[str] = "mcc"

    def values(self, path: ConfusionPath) -> FloatArray:
        """Return the correlation at each stop; 0 if all decisions are the same."""
        rows, actual = path.sizes.sum(), path.sizes / path.sizes.sum()

        def covariance(n: Counts) -> FloatArray:
            return n.tp / rows - (n.tp + n.fp) / rows * (n.tp + n.fn) / rows

        def spread(n: Counts) -> FloatArray:
            return (n.tp + n.fp) / rows * (1 - (n.tp + n.fp) / rows)

        spreads = path.sum(spread) * np.sum(actual * (1 - actual))
        return ratio(path.sum(covariance), np.sqrt(np.where(spreads > ROUNDING, spreads, 0.0)))

    def preferences(self, path: ConfusionPath) -> list[FloatArray]:
        """Return the values."""
        return [self.values(path)]


@dataclass(frozen=True)
class ExpectedCost:
    """Mean cost of a decision; lower is better (Elkan, IJCAI 2001).

    Args:
        costs: Shape ``(k, k)``, finite: the cost of a row by its true class (row) and by
            the decision (column); of shape ``(2, 2)`` for each label of a multi-label problem.

    >>> cost = ExpectedCost([[0, 1], [5, 0]])
    >>> cost.values(ConfusionPath.of(np.array([[7.0, 1.0], [1.0, 1.0]]))).item()
    0.6
    """

    costs: Sequence[Sequence[float]]

    name: ClassVar[str] = "expected_cost"

    def __post_init__(self) -> None:
        matrix = numbers("costs", self.costs)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
            raise ValueError(
                "`costs` must have a row for each true class and a column for each "
                f"decision, shape (k, k) with k at least 2, got shape {matrix.shape}."
            )
        if not np.isfinite(matrix).all():
            raise ValueError(f"`costs` must be finite, got {matrix.tolist()}.")
        object.__setattr__(self, "costs", tuple(map(tuple, matrix.tolist())))

    def values(self, path: ConfusionPath) -> FloatArray:
        """Return the mean cost at each stop."""
        if path.start.shape != (len(self.costs),) * 2:
            raise ValueError(
                f"`costs` must have shape {path.start.shape} for these classes, got "
                f"{(len(self.costs),) * 2}."
            )
        return path.cost(np.asarray(self.costs)) / path.sizes.sum()

    def preferences(self, path: ConfusionPath) -> list[FloatArray]:
        """Return the saving."""
        return [-self.values(path)]


_NAMED: dict[str, Callable[[], Criterion]] = {
    kind.name: kind for kind in (YoudenJ, BalancedAccuracy, GeometricMean, Matthews)
}


def criterion_of(metric: CriterionLike, *, name: str = "metric") -> Criterion:
    """Return a criterion by its name, or as it was given.

    Args:
        metric: `"f1"`, `"f2"`, `"f0.5"` and so on, `"youden_j"`, `"balanced_accuracy"`,
            `"geometric_mean"`, `"mcc"`, or a criterion.
        name: Name of the argument, for the messages. Defaults to `"metric"`.

    Raises:
        ValueError: The name is not known, or is that of a criterion with an argument.
        TypeError: The value is not a criterion.

    >>> criterion_of("f2")
    FBeta(beta=2.0)
    """
    if not isinstance(metric, str):
        if hasattr(metric, "values") and hasattr(metric, "preferences"):
            return metric
        raise TypeError(
            f"`{name}` must be a name or a criterion of `kte.calibration`, got "
            f"{type(metric).__name__} {metric!r}; Keras' metrics and those of `kte.metrics` are "
            "not criteria."
        )
    if re.fullmatch(r"f\d+(\.\d+)?", metric):
        return FBeta(float(metric[1:]))
    if metric in _NAMED:
        return _NAMED[metric]()
    raise ValueError(
        f"`{name}` must be 'f1' (or another beta), {', '.join(map(repr, _NAMED))}, or a criterion "
        "such as `ExpectedCost(costs)`, `RecallAtPrecision(0.9)` or "
        f"`PrecisionAtRecall(0.9)`, got {metric!r}."
    )
