"""Find the decision thresholds that are best for a criterion, exactly.

A binary decision is ``score >= threshold``, and so is each of a multi-label one.  The multi-class
decision is the class with the largest ``score / threshold``; its thresholds sum to 1, so that with
two classes it is the binary one.

A threshold lies midway between two neighbouring scores, and at the ends of [0, 1] between the
outermost score and the end.  Of several that are equally good the one with the widest gap around it
is taken, then the highest: what the next rows' scores are least likely to fall across.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.calibration.class_thresholds import fit_class_thresholds
from kt_extras.calibration.confusion import ConfusionPath, confusion_matrix
from kt_extras.calibration.criteria import Criterion, CriterionLike, criterion_of
from kt_extras.calibration.sample import Kind, Sample, check_sample, check_scores
from kt_extras.calibration.selection import best_stop


@dataclass(frozen=True)
class Thresholds:
    """Thresholds and what they were fitted for; made by `fit_thresholds`.

    Args:
        kind: The kind of problem.
        values: Shape ``()`` if binary, else ``(k,)``.
        criterion: What they are best for.
        value: The criterion on the rows that they were fitted to; on others expect less.
    """

    kind: Kind
    values: FloatArray
    criterion: Criterion
    value: float

    def decide(self, y_score: ArrayLike) -> IntArray:
        """Return the decisions for scores of the kind that the thresholds were fitted to.

        Returns:
            Numbers of classes, shape ``(n,)``; 0 or 1 for every label, shape ``(n, k)``, if
            multi-label.
        """
        return decide(check_scores(y_score, self.kind), self.values, self.kind)

    def score(
        self, y_true: ArrayLike, y_score: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the criterion on other rows; arguments as in `fit_thresholds`."""
        sample = check_sample(
            y_true,
            y_score,
            sample_weight,
            multi_label=self.kind is Kind.MULTI_LABEL,
            both_classes=False,
        )
        return value_of(sample, self.values, self.criterion)


def fit_thresholds(
    y_true: ArrayLike,
    y_score: ArrayLike,
    metric: CriterionLike = "f1",
    *,
    sample_weight: ArrayLike | None = None,
    multi_label: bool = False,
) -> Thresholds:
    """Return the thresholds that are best for a metric.

    Exact if binary or multi-label, in O(n log n) a column.  In a multi-class problem the thresholds
    are set in turn, each exactly while the others stay, until none can be improved.  A class or
    label that all rows have, or none, keeps the neutral threshold.

    Args:
        y_true: Numbers of classes from 0, shape ``(n,)`` or ``(n, 1)``; or one-hot rows, shape
            ``(n, k)``; if multi-label, 0 or 1 for every label, shape ``(n, k)``.
        y_score: Shape ``(n,)``, ``(n, 1)`` or ``(n, k)``: probabilities; logits too unless
            multi-class.
        metric: A name (`criterion_of` has the list) or a criterion. Defaults to `"f1"`.
        sample_weight: Shape ``(n,)``, at least 0. Defaults to `None`.
        multi_label: Whether the columns are labels that do not exclude each other. Defaults to
            `False`.

    Raises:
        ValueError: Shapes that do not fit, NaN scores, labels out of range, one class only, logits
            of a multi-class problem, an unknown metric.

    >>> found = fit_thresholds([0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.5, 0.7, 0.8])
    >>> round(float(found.values), 3), round(found.value, 3)
    (0.25, 0.857)
    >>> found.decide([0.2, 0.4]).tolist()
    [0, 1]
    """
    sample = check_sample(y_true, y_score, sample_weight, multi_label=multi_label)
    criterion = criterion_of(metric)
    values = best_values(sample, criterion)
    return Thresholds(sample.kind, values, criterion, value_of(sample, values, criterion))


def best_values(sample: Sample, criterion: Criterion) -> FloatArray:
    """Return the thresholds alone, shape ``()`` if binary, else ``(k,)``."""
    if sample.kind is Kind.MULTI_CLASS:
        return fit_class_thresholds(sample, criterion)
    if sample.kind is Kind.MULTI_LABEL:
        return np.array([_fit_binary(part, criterion) for part in _labels(sample)])
    return np.asarray(_fit_binary(sample, criterion))


def value_of(sample: Sample, thresholds: FloatArray, criterion: Criterion) -> float:
    """Return the criterion of decisions; of the labels that some rows have and some do not."""
    if sample.kind is Kind.MULTI_LABEL:
        parts = zip(_labels(sample), thresholds, strict=True)
        values = [
            value_of(part, threshold, criterion)
            for part, threshold in parts
            if 0 < part.labels.sum() < len(part.labels)
        ]
        return float(np.mean(values)) if values else 0.0
    n_classes = 2 if sample.kind is Kind.BINARY else sample.scores.shape[1]
    decisions = decide(sample.scores, thresholds, sample.kind)
    confusion = confusion_matrix(sample.labels, decisions, sample.weights, n_classes)
    return float(criterion.values(ConfusionPath.of(confusion))[0])


def decide(scores: NDArray[np.floating[Any]], thresholds: ArrayLike, kind: Kind) -> IntArray:
    """Return the decisions; `Thresholds.decide` without its checks.

    >>> decide(np.array([[0.5, 0.3, 0.2]]), [0.6, 0.2, 0.2], Kind.MULTI_CLASS).tolist()
    [1]
    """
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if kind is Kind.MULTI_CLASS:
        return np.argmax(scores / thresholds, axis=1)
    return (scores >= thresholds).astype(np.int64)


def _labels(sample: Sample) -> list[Sample]:
    """Return the binary problems that a multi-label one consists of."""
    columns = zip(sample.labels.T, sample.scores.T, strict=True)
    return [Sample(Kind.BINARY, labels, scores, sample.weights) for labels, scores in columns]


def _fit_binary(sample: Sample, criterion: Criterion) -> float:
    low, high = _range(sample.scores)
    if (sample.labels == sample.labels[0]).all():
        return 0.5 if (low, high) == (0, 1) else 0.0
    order = np.argsort(-sample.scores, kind="stable")
    ranked = sample.scores[order]
    truth, weights = sample.labels[order], sample.weights[order]
    stops = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1, [len(ranked)]])
    all_negative = confusion_matrix(truth, np.zeros_like(truth), weights, 2)
    path = ConfusionPath(all_negative, truth, np.zeros_like(truth), 1, weights, stops)
    above = np.concatenate([[high], ranked[stops[1:] - 1]])
    below = np.concatenate([ranked[stops[:-1]], [low]])
    gaps = above - below
    return _between(below, above, ranked.dtype)[best_stop(criterion.preferences(path), gaps)]


def _range(scores: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Return the ends of the scale: of probabilities, or a unit beyond the outermost logits."""
    low, high = float(scores.min()), float(scores.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low - 1, high + 1)


def _between(below: FloatArray, above: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Return the midpoints in the scores' own precision: above the one, at most the other."""
    below, above = below.astype(dtype), above.astype(dtype)
    middle = (below + (above - below) / 2).astype(dtype)
    lowest = np.nextafter(below, dtype.type(np.inf))
    lowest[-1] = below[-1]  # the end of the scale, where everything may be positive
    return np.maximum(middle, lowest).astype(np.float64)
