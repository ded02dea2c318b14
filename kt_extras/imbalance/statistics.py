"""Numbers that say how unequal the classes are.

All of them take the counts of the classes, n_c; p_c = n_c / n is the fraction of a class and C the
number of classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kt_extras.arguments import is_number
from kt_extras.arrays import FloatArray, IntArray
from kt_extras.class_arguments import checked_counts
from kt_extras.imbalance.labels import class_counts


def imbalance_ratio(counts: ArrayLike) -> float:
    """Return max n_c / min n_c: 1 if the classes are equal, `inf` if one has no example.

    Args:
        counts: Shape ``(c,)``: rows of each class.

    >>> imbalance_ratio([90, 10])
    9.0
    """
    n = checked_counts(counts)
    return float(n.max() / n.min()) if n.min() > 0 else math.inf


def gini_index(counts: ArrayLike) -> float:
    """Return 1 - sum p_c^2: the chance that two rows, drawn with replacement, differ in class.

    From 0, all rows in one class, to 1 - 1/C, equal classes.

    Args:
        counts: Shape ``(c,)``: rows of each class.

    Source: Breiman et al. 1984, "Classification and Regression Trees", ch. 4.

    >>> gini_index([50, 50]), round(gini_index([90, 10]), 3)
    (0.5, 0.18)
    """
    return float(1.0 - np.sum(_fractions(counts) ** 2))


def gini_coefficient(counts: ArrayLike) -> float:
    """Return how long the tail is: the mean difference of two classes' counts over twice the mean.

    From 0, equal classes, to 1 - 1/C, all rows in one class.  Unlike the ratio it depends on all
    classes and not on the two extreme ones.

    Args:
        counts: Shape ``(c,)``: rows of each class.

    Source: Yang et al. 2022, "A Survey on Long-Tailed Visual Recognition", IJCV 130.

    >>> gini_coefficient([50, 50]), round(gini_coefficient([90, 10]), 3)
    (0.0, 0.4)
    """
    p = np.sort(_fractions(counts))
    return float(np.sum((2 * np.arange(1, len(p) + 1) - len(p) - 1) * p) / len(p))


def entropy(counts: ArrayLike, *, base: float = math.e, normalised: bool = False) -> float:
    """Return -sum p_c log p_c, Shannon's entropy of the classes: by default in nats.

    From 0, all rows in one class, to log C, equal classes.

    Args:
        counts: Shape ``(c,)``: rows of each class.
        base: Of the logarithm, above 1: 2 for bits, as in many tables; 10 for bans. Defaults to
            `math.e`.
        normalised: Whether to divide by log C, so that equal classes give 1 in any base. Defaults
            to `False`.

    Raises:
        ValueError: `base` is not a number above 1, or the counts are no counts.

    >>> round(entropy([50, 50]), 3), entropy([50, 50], base=2), entropy([9, 9], normalised=True)
    (0.693, 1.0, 1.0)
    """
    if not (is_number(base) and 1 < base < math.inf):
        raise ValueError(f"`base` must be a number above 1, got {base!r}; 2 gives bits.")
    p = _fractions(counts)
    nats = abs(float(-np.sum(p * np.log(np.where(p > 0, p, 1.0)))))
    if normalised:
        return nats / math.log(len(p)) if len(p) > 1 else 0.0
    return nats / math.log(base)


def effective_numbers(counts: ArrayLike, *, beta: float = 0.999) -> FloatArray:
    """Return (1 - beta^n_c) / (1 - beta), the examples of each class that are not redundant.

    Args:
        counts: Shape ``(c,)``: rows of each class.
        beta: In [0, 1).  At 0 every class counts as one example; near 1 as its n_c examples.
            Defaults to `0.999`.

    Returns:
        Shape ``(c,)``, from 0 to 1 / (1 - beta).

    Raises:
        ValueError: An argument out of its range.

    Source: Cui et al. 2019 (1901.05555), eq. 2, 3.

    >>> effective_numbers([1, 10, 1000], beta=0.9).round(3).tolist()
    [1.0, 6.513, 10.0]
    """
    n = checked_counts(counts)
    check_beta(beta)
    if beta == 0:
        return np.minimum(n, 1.0)
    return -np.expm1(n * math.log(beta)) / (1.0 - beta)


def check_beta(beta: object) -> None:
    """Raise unless a number can be the `beta` of `effective_numbers`.

    Raises:
        ValueError: It cannot.
    """
    if not (is_number(beta) and 0 <= beta < 1):  # type: ignore[operator]
        raise ValueError(
            f"`beta` must be at least 0 and below 1, got {beta!r}; the paper's values are "
            "0.9, 0.99, 0.999 and 0.9999."
        )


@dataclass(frozen=True)
class ClassStatistics:
    """How unequal the classes of some labels are; `print` shows it.

    Args:
        counts: Shape ``(c,)``: rows of each class.
        imbalance_ratio: Largest count by smallest.
        gini_index: From 0 to 1 - 1/C, at equal classes.
        gini_coefficient: From 0, at equal classes, to 1 - 1/C.
        entropy: In nats, up to ln C at equal classes; ``entropy(counts, base=2)`` is in bits.

    >>> print(class_statistics([0, 0, 0, 1]))
    class 0: 3 (75.0%)
    class 1: 1 (25.0%)
    imbalance ratio 3, Gini index 0.375, Gini coefficient 0.25, entropy 0.562
    """

    counts: IntArray
    imbalance_ratio: float
    gini_index: float
    gini_coefficient: float
    entropy: float

    def __str__(self) -> str:
        fractions = self.counts / self.counts.sum()
        lines = [
            f"class {number}: {count} ({fraction:.1%})"
            for number, (count, fraction) in enumerate(zip(self.counts, fractions, strict=True))
        ]
        return "\n".join(lines) + (
            f"\nimbalance ratio {self.imbalance_ratio:.3g}, Gini index {self.gini_index:.3g}, "
            f"Gini coefficient {self.gini_coefficient:.3g}, entropy {self.entropy:.3g}"
        )


def class_statistics(
    y: Any, *, num_classes: int | None = None, multi_label: bool | None = None
) -> ClassStatistics:
    """Return how unequal the classes are; for multi-label data, how unequally the labels occur.

    Args:
        y: Labels or a data set, as in `class_counts`.
        num_classes: As in `class_counts`. Defaults to `None`.
        multi_label: As in `class_counts`. Defaults to `None`.

    >>> class_statistics([[1, 0], [1, 0], [0, 1]]).imbalance_ratio
    2.0
    """
    counts = class_counts(y, num_classes=num_classes, multi_label=multi_label).positives
    return ClassStatistics(
        counts,
        imbalance_ratio(counts),
        gini_index(counts),
        gini_coefficient(counts),
        entropy(counts),
    )


def _fractions(counts: ArrayLike) -> FloatArray:
    n = checked_counts(counts)
    return np.asarray(n / n.sum())
