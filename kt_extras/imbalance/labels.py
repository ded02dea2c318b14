"""Labels of every kind that Keras takes, and how often each class occurs in them.

Integer labels have shape ``(n,)`` or ``(n, 1)``; one-hot and multi-label ones are matrices of zeros
and ones, of shape ``(n, c)``.  A matrix with exactly one 1 in every row is one-hot unless the
caller says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kt_extras.arguments import is_integer
from kt_extras.arrays import IntArray


@dataclass(frozen=True)
class ClassCounts:
    """How often each class occurs.

    Args:
        positives: Shape ``(c,)``: rows that belong to each class.
        rows: Number of rows.
        multi_label: Whether a row may belong to any number of classes, also to none.

    >>> ClassCounts(np.array([90, 10]), rows=100, multi_label=False).negatives.tolist()
    [10, 90]
    """

    positives: IntArray
    rows: int
    multi_label: bool

    @property
    def negatives(self) -> IntArray:
        """Shape ``(c,)``: rows that do not belong to each class."""
        return self.rows - self.positives


def class_counts(
    y: Any, *, num_classes: int | None = None, multi_label: bool | None = None
) -> ClassCounts:
    """Count the rows of each class, in one pass over the labels.

    Args:
        y: Labels: integers of shape ``(n,)`` or ``(n, 1)``, a matrix of zeros and ones of shape
            ``(n, c)``, or a finite, batched `tf.data.Dataset` of ``(x, y)`` or ``(x, y, weights)``.
            Counts that are already made are returned as they are.
        num_classes: Number of classes c.  It is needed if the highest classes have no example.
            Defaults to `None`.
        multi_label: Whether rows of a matrix may belong to several classes.  By default, if some
            row does not belong to exactly one.

    Raises:
        ValueError: Labels that are not classes, are out of range, or are missing altogether.

    >>> class_counts([0, 0, 2, 0], num_classes=4).positives.tolist()
    [3, 0, 1, 0]
    >>> class_counts([[1, 1], [0, 1]]).multi_label
    True
    """
    if isinstance(y, ClassCounts):
        return y
    if num_classes is not None and not (is_integer(num_classes) and num_classes >= 1):
        raise ValueError(f"`num_classes` must be at least 1, got {num_classes!r}; an integer.")
    if hasattr(y, "element_spec"):
        from kt_extras.imbalance.label_batches import label_batches  # loads TensorFlow

        return _total(label_batches(y), num_classes, multi_label)
    return _total([y], num_classes, multi_label)


def checked_labels(
    y: ArrayLike, *, num_classes: int | None = None, multi_label: bool | None = None
) -> IntArray:
    """Return labels as integers, of shape ``(n,)`` or ``(n, c)``.

    Args:
        y: One array of labels, as described in `class_counts`.
        num_classes: Number of classes, if it is known. Defaults to `None`.
        multi_label: As in `class_counts`; a single column is then kept as one. Defaults to `None`.

    Raises:
        ValueError: Labels that are not classes or are out of range.

    >>> checked_labels([[1.0], [0.0]]).tolist()
    [1, 0]
    """
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1 and not multi_label:
        labels = labels[:, 0]
    if labels.ndim not in (1, 2) or labels.size == 0 or (labels.ndim == 1 and multi_label):
        wanted = "(n, c)" if multi_label else "(n,), (n, 1) or (n, c)"
        raise ValueError(f"`y` must have shape {wanted} with n at least 1, got {labels.shape}.")
    whole = _as_integers(labels)
    low, high = int(whole.min()), int(whole.max())
    if labels.ndim == 2:
        if low < 0 or high > 1:
            raise ValueError(
                f"`y` of shape (n, c) must hold zeros and ones, got {low if low < 0 else high}; "
                "integer labels have shape (n,) or (n, 1)."
            )
        if num_classes is not None and labels.shape[1] != num_classes:
            raise ValueError(
                f"`num_classes` is {num_classes}, but `y` has {labels.shape[1]} columns."
            )
    elif low < 0 or (num_classes is not None and high >= num_classes):
        top = "" if num_classes is None else f" to {num_classes - 1}, as `num_classes` says"
        raise ValueError(
            f"`y` must hold classes from 0{top}, got {low if low < 0 else high}; "
            "scikit-learn's LabelEncoder numbers any labels from 0."
        )
    return whole


def single_labels(y: ArrayLike, *, num_classes: int | None = None) -> IntArray:
    """Return the class of each row, of shape ``(n,)``, from integer or one-hot labels.

    Raises:
        ValueError: A row that does not belong to exactly one class, or labels out of range.

    >>> single_labels([[0, 1], [1, 0]]).tolist()
    [1, 0]
    """
    labels = checked_labels(y, num_classes=num_classes)
    if labels.ndim == 1:
        return labels
    wrong = labels.sum(axis=1) != 1
    if wrong.any():
        raise ValueError(
            "`y` must have exactly one class in each row and has none or several in "
            f"{int(wrong.sum())} of {len(labels)} rows, first in row {int(np.argmax(wrong))}; "
            "leave such rows out, or treat the data as multi-label, whose weights have shape "
            "(c, 2): `class_weights(y, multi_label=True)`."
        )
    return np.asarray(labels.argmax(axis=1), dtype=np.int64)


def _as_integers(labels: NDArray[Any]) -> IntArray:
    """Turn labels of any type of number into integers, without rounding."""
    if labels.dtype.kind not in "biuf":
        raise ValueError(
            f"`y` must hold class numbers, got values of type {labels.dtype}; "
            "scikit-learn's LabelEncoder numbers any labels from 0."
        )
    if labels.dtype.kind == "f":
        wrong = labels[~(np.isfinite(labels) & (labels == np.floor(labels)))]
        if wrong.size:
            raise ValueError(
                f"`y` must hold class numbers, got {wrong.flat[0]}; give the labels as they are "
                "before they are smoothed or mixed."
            )
    return labels.astype(np.int64)


def _total(
    batches: Iterable[ArrayLike], num_classes: int | None, multi_label: bool | None
) -> ClassCounts:
    """Add up the counts of all batches."""
    total, rows, one_hot, shape = np.zeros(num_classes or 0, np.int64), 0, True, None
    for batch in batches:
        labels = checked_labels(batch, num_classes=num_classes, multi_label=multi_label)
        if shape is not None and labels.shape[1:] != shape:
            raise ValueError("`y` must have the same number of columns in all batches.")
        shape = labels.shape[1:]
        matrix = labels.ndim == 2
        counts = labels.sum(axis=0) if matrix else np.bincount(labels, minlength=len(total))
        total = np.pad(total, (0, len(counts) - len(total))) + counts
        rows += len(labels)
        one_hot &= not matrix or _one_a_row(labels)
    if rows == 0:
        raise ValueError("`y` has no labels: the data set is empty.")
    if multi_label is False and not one_hot:
        raise ValueError(
            "`multi_label` is False, but `y` has a row that does not belong to exactly one class."
        )
    return ClassCounts(total, rows, not one_hot if multi_label is None else multi_label)


def _one_a_row(labels: IntArray) -> bool:
    return bool((labels.sum(axis=1) == 1).all())
