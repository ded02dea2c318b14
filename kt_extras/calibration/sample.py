"""Check labels and scores, and find the kind of problem from them.

The shapes tell three kinds of problem apart.  Scores of shape ``(n,)`` or ``(n, 1)`` are
binary; so are two columns, of which the second is the positive class.  More columns are the classes
of a multi-class problem or, with `multi_label`, labels that do not exclude each other.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.class_arguments import numbers

#: By which the probabilities of a row may miss 1: half precision and bfloat16 do.
SUM_TOLERANCE = 1e-2


class Kind(str, enum.Enum):
    """The kind of problem: one yes or no, one class of several, or any number of labels."""

    BINARY = "binary"
    MULTI_CLASS = "multi-class"
    MULTI_LABEL = "multi-label"


@dataclass(frozen=True)
class Sample:
    """Labels, scores and weights that fit together; made by `check_sample`.

    Args:
        kind: The kind of problem.
        labels: Shape ``(n,)`` with numbers of classes; ``(n, k)`` of 0 and 1 if multi-label.
        scores: Shape ``(n,)`` if binary, else ``(n, k)``; finite, floats of any precision.
        weights: Shape ``(n,)``, above 0; rows that weigh nothing were dropped.
    """

    kind: Kind
    labels: IntArray
    scores: NDArray[np.floating[Any]]
    weights: FloatArray

    def take(self, rows: IntArray) -> Sample:
        """Return some of the rows, by their numbers."""
        return Sample(self.kind, self.labels[rows], self.scores[rows], self.weights[rows])


def check_sample(
    y_true: ArrayLike,
    y_score: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    multi_label: bool = False,
    both_classes: bool = True,
) -> Sample:
    """Check labels, scores and weights, and find the kind of problem.

    Args:
        y_true: Numbers of classes from 0, shape ``(n,)`` or ``(n, 1)``; or one-hot rows, shape
            ``(n, k)``; if multi-label, 0 or 1 for every label, shape ``(n, k)``.
        y_score: Shape ``(n,)``, ``(n, 1)`` or ``(n, k)``, higher where the class is likelier.
        sample_weight: Shape ``(n,)``, at least 0. Defaults to equal weights.
        multi_label: Whether the columns are labels that do not exclude each other. Defaults
            to `False`.
        both_classes: Whether to reject labels that are all the same. Defaults to `True`.

    Raises:
        ValueError: Shapes that do not fit, NaN or infinite scores, labels out of range, one class
            only, negative weights.

    >>> check_sample([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]).scores
    array([0.1, 0.6, 0.8])
    """
    scores = _checked_scores(y_score)
    kind = _kind(scores, multi_label)
    if kind is Kind.BINARY and scores.ndim == 2:
        scores = _positive(scores)
    labels = _checked_labels(y_true, scores.shape, kind)
    weights = _checked_weights(sample_weight, len(scores))
    if not weights.all():
        counted = weights > 0
        labels, scores, weights = labels[counted], scores[counted], weights[counted]
    if both_classes:
        _check_classes(labels, kind)
    return Sample(kind, labels, scores, weights)


def check_scores(y_score: ArrayLike, kind: Kind) -> NDArray[np.floating[Any]]:
    """Check scores that come without labels; shape ``(n,)`` if binary, else ``(n, k)``.

    >>> check_scores([[0.9, 0.1]], Kind.BINARY)
    array([0.1])
    """
    scores = _checked_scores(y_score)
    found = _kind(scores, multi_label=kind is Kind.MULTI_LABEL)
    if found is not kind:
        raise ValueError(f"`y_score` must hold {kind.value} scores, got shape {scores.shape}.")
    return _positive(scores) if kind is Kind.BINARY and scores.ndim == 2 else scores


def _checked_scores(y_score: ArrayLike) -> NDArray[np.floating[Any]]:
    scores = np.asarray(y_score)
    if not np.issubdtype(scores.dtype, np.floating):
        scores = numbers("y_score", y_score)
    if scores.ndim not in {1, 2} or scores.size == 0:
        raise ValueError(
            "`y_score` must have shape (n,) or (n, k) and at least one row, "
            f"got shape {scores.shape}."
        )
    bad = int(np.sum(~np.isfinite(scores)))
    if bad:
        raise ValueError(
            f"`y_score` must be finite, got {bad} NaN or infinite values among {scores.size}; "
            "look for a diverged model or missing values in its inputs."
        )
    return scores


def _kind(scores: NDArray[Any], multi_label: bool) -> Kind:
    if multi_label:
        if scores.ndim != 2:
            raise ValueError(
                "`y_score` must have a column for each label with `multi_label=True`, "
                f"got shape {scores.shape}."
            )
        return Kind.MULTI_LABEL
    if scores.ndim == 1 or scores.shape[1] <= 2:
        return Kind.BINARY
    return Kind.MULTI_CLASS


def _positive(scores: NDArray[Any]) -> NDArray[Any]:
    """Return the column of the positive class."""
    if scores.shape[1] == 2 and np.abs(scores.sum(axis=1) - 1).max() > SUM_TOLERANCE:
        raise ValueError(
            "`y_score` must hold probabilities that sum to 1 in each row if it has two columns; "
            "pass `multi_label=True` if these are two labels that do not exclude each other."
        )
    return scores[:, -1]


def _checked_labels(y_true: ArrayLike, shape: tuple[int, ...], kind: Kind) -> IntArray:
    """Return numbers of classes, shape ``(n,)``, or 0 and 1 for every label, shape ``(n, k)``."""
    given = np.asarray(y_true)
    k = shape[1] if len(shape) == 2 else 2
    fits = (shape,) if kind is Kind.MULTI_LABEL else (shape[:1], (shape[0], 1), (shape[0], k))
    if given.shape not in fits:
        raise ValueError(
            f"`y_true` must have one of the shapes {', '.join(map(str, fits))} for {kind.value} "
            f"scores of shape {shape}, got {given.shape}."
        )
    try:
        numbers = given.astype(np.float64)
    except ValueError:
        raise ValueError(
            f"`y_true` must hold class numbers, got {given.flat[0]!r}; "
            "scikit-learn's LabelEncoder numbers any labels from 0."
        ) from None
    top = 1 if kind is Kind.MULTI_LABEL or given.shape == (shape[0], k) else k - 1
    if not np.isin(numbers, np.arange(top + 1)).all():
        wrong = numbers[~np.isin(numbers, np.arange(top + 1))].flat[0]
        raise ValueError(
            f"`y_true` must hold classes from 0 to {top}, got {wrong:g}; classes are "
            "numbered from 0 in the order of the model's outputs."
        )
    if kind is Kind.MULTI_LABEL:
        return numbers.astype(np.int64)
    if given.shape == (shape[0], k):
        if (numbers.sum(axis=1) != 1).any():
            raise ValueError(
                "`y_true` must have exactly one class in each row; pass "
                "`multi_label=True` if the labels do not exclude each other."
            )
        return numbers.argmax(axis=1)
    return numbers.reshape(-1).astype(np.int64)


def _checked_weights(sample_weight: ArrayLike | None, n: int) -> FloatArray:
    if sample_weight is None:
        return np.ones(n)
    weights = numbers("sample_weight", sample_weight)
    if weights.shape == (n, 1):
        weights = weights.reshape(n)
    if weights.shape != (n,):
        raise ValueError(f"`sample_weight` must have shape ({n},), got {weights.shape}.")
    if not (np.isfinite(weights) & (weights >= 0)).all() or not weights.any():
        raise ValueError(
            "`sample_weight` must be finite, at least 0, and above 0 for at least one row, got "
            f"values from {weights.min():g} to {weights.max():g}."
        )
    return weights


def _check_classes(labels: IntArray, kind: Kind) -> None:
    if (labels == labels[0]).all():
        raise ValueError(
            f"`y_true` must hold more than one class, got only {labels[0]} in {len(labels)} rows "
            f"of a {kind.value} problem; take more rows, or split them by class."
        )
