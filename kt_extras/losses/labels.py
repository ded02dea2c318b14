"""Labels as losses and metrics take them: integers, or a column for each class.

Labels of shape ``(...)`` or ``(..., 1)`` are class numbers, labels of shape ``(..., C)`` say how
much of each class a row is: one-hot, or smoothed or mixed.  Which of them it is follows from the
shape alone; where the shape is not known before a step runs (Keras 2 hides it from a model that is
fed by a generator), it is decided in that step.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kt_extras.losses.checks import checked


def class_labels(y_true: Any, scores: tf.Tensor) -> tf.Tensor:
    """Return the labels that belong to scores.

    Args:
        y_true: Shape ``(...)``, ``(..., 1)`` or ``(..., C)``.
        scores: Shape ``(..., C)``, C at least 2.

    Returns:
        Class numbers, int32 of shape ``(...)``; or, if the labels came as columns, these in the
        type of the scores, shape ``(..., C)``.

    Raises:
        ValueError: Shapes that do not belong together; when executed eagerly, a label that is not a
            class, or columns that do not sum to 1 in each row.  In a graph the latter is an
            `InvalidArgumentError`, and XLA does not see it.

    >>> class_labels([[1.0], [2.0]], tf.zeros((2, 3))).numpy().tolist()
    [1, 2]
    >>> class_labels([[0, 1, 0], [0, 0, 1]], tf.zeros((2, 3))).dtype.name
    'float32'
    """
    num_classes = scores.shape[-1] if scores.shape.rank else None
    if num_classes is None or num_classes < 2:
        raise ValueError(
            "`y_pred` must have one column for each of at least two classes, got shape "
            f"{scores.shape}; for one score a row take a binary loss."
        )
    y_true = tf.convert_to_tensor(y_true)
    kind = _kind(y_true, num_classes=num_classes, shape=scores.shape[:-1])
    if kind == "columns":
        return _fractions(y_true, scores.dtype)
    if kind == "unknown":
        return tf.cond(
            tf.shape(y_true)[-1] == 1,
            lambda: tf.one_hot(_integers(y_true[..., 0], num_classes), num_classes),
            lambda: _fractions(y_true, scores.dtype),
        )
    return _integers(tf.squeeze(y_true, -1) if kind == "column" else y_true, num_classes)


def class_index(y_true: Any, *, num_classes: int, shape: tf.TensorShape) -> tf.Tensor:
    """Return class numbers, also for labels that came as columns: that of the largest.

    Args:
        y_true: Shape ``(...)``, ``(..., 1)`` or ``(..., num_classes)``.
        num_classes: At least 2.
        shape: Of the result, as far as it is known.

    Returns:
        int32 of shape ``(...)``.

    Raises:
        ValueError: As for `class_labels`.

    >>> shape = tf.TensorShape([2])
    >>> class_index([[0, 1, 0], [0, 0, 1]], num_classes=3, shape=shape).numpy().tolist()
    [1, 2]
    """
    y_true = tf.convert_to_tensor(y_true)
    kind = _kind(y_true, num_classes=num_classes, shape=shape)
    if kind == "columns":
        return _largest(y_true)
    if kind == "unknown":
        return tf.cond(
            tf.shape(y_true)[-1] == 1,
            lambda: _integers(y_true[..., 0], num_classes),
            lambda: _largest(y_true),
        )
    return _integers(tf.squeeze(y_true, -1) if kind == "column" else y_true, num_classes)


def integer_labels(y_true: Any, scores: tf.Tensor, *, instead: str) -> tf.Tensor:
    """Return class numbers, and reject labels that came as columns.

    Args:
        y_true: Shape ``(...)`` or ``(..., 1)``.
        scores: Shape ``(..., C)``.
        instead: What to use for labels with a column for each class.

    Raises:
        ValueError: As for `class_labels`; or columns.

    >>> integer_labels([2, 0], tf.zeros((2, 3)), instead="another loss").numpy().tolist()
    [2, 0]
    """
    labels = class_labels(y_true, scores)
    if not labels.dtype.is_integer:
        raise ValueError(
            f"`y_true` must hold class numbers, of shape (n,) or (n, 1), got shape "
            f"{tf.convert_to_tensor(y_true).shape}; for one-hot labels take {instead}."
        )
    return labels


def binary_labels(y_true: Any, scores: tf.Tensor) -> tf.Tensor:
    """Return labels from 0 to 1 in the shape of their scores.

    Args:
        y_true: Shape ``(...)``, or the same with or without a last axis of size 1.
        scores: Shape ``(...)``.

    Raises:
        ValueError: Shapes that do not belong together; when executed eagerly, a label below 0 or
            above 1.

    >>> binary_labels([1, 0], tf.zeros((2, 1))).numpy().tolist()
    [[1.0], [0.0]]
    """
    y_true = aligned(tf.cast(y_true, scores.dtype), scores)
    if tf.executing_eagerly():
        values = y_true.numpy()
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(
                f"`y_true` must lie between 0 and 1, got values from {values.min()} to "
                f"{values.max()}."
            )
    return y_true


def aligned(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Return the truth in the shape of the prediction: with or without a last axis of size 1.

    Raises:
        ValueError: Shapes that differ in more.

    >>> aligned(tf.zeros((3, 1)), tf.zeros(3)).shape.as_list()
    [3]
    """
    rank = y_pred.shape.rank
    if y_true.shape.rank == rank - 1 and y_pred.shape[-1] == 1:
        y_true = y_true[..., tf.newaxis]
    elif y_true.shape.rank == rank + 1 and y_true.shape[-1] in (1, None):
        y_true = tf.squeeze(y_true, -1)
    if not y_true.shape.is_compatible_with(y_pred.shape):
        raise ValueError(
            f"`y_true` must have the shape of `y_pred`, {y_pred.shape}, got {y_true.shape}."
        )
    return y_true


def mean_over_labels(losses: tf.Tensor) -> tf.Tensor:
    """Return the loss of each row, from those of its labels.

    Args:
        losses: Shape ``(..., C)``; or ``(n,)``, one label a row.

    >>> mean_over_labels(tf.constant([[1.0, 3.0]])).numpy().tolist()
    [2.0]
    """
    return losses if losses.shape.rank == 1 else tf.reduce_mean(losses, axis=-1)


def _kind(y_true: tf.Tensor, *, num_classes: int, shape: tf.TensorShape) -> str:
    """Return from the shape what labels are: integers, a column of them, or columns of classes."""
    if shape.is_compatible_with(y_true.shape[: shape.rank]):
        if y_true.shape.rank == shape.rank:
            return "integers"
        if y_true.shape.rank == shape.rank + 1 and y_true.shape[-1] in (1, num_classes, None):
            return {1: "column", None: "unknown"}.get(y_true.shape[-1], "columns")
    raise ValueError(
        "`y_true` must hold one class number for each row of `y_pred`, or a column for each of "
        f"{num_classes} classes, got shape {y_true.shape} for rows of shape {shape}."
    )


def _integers(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Return class numbers as int32, and reject fractions and those out of range."""
    index = tf.cast(labels, tf.int32)
    return checked(
        index,
        wrong=tf.not_equal(tf.cast(index % num_classes, labels.dtype), labels),
        values=labels,
        rule=f"`y_true` must hold classes from 0 to {num_classes - 1}",
        hint="labels that are smoothed or mixed need a column for each class",
    )


def _fractions(y_true: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return how much of each class every row is, and reject rows that do not sum to 1."""
    fractions = tf.cast(y_true, dtype)
    total = tf.reduce_sum(fractions, axis=-1)
    return checked(
        fractions,
        wrong=tf.not_equal(tf.round(50 * total), 50),  # half precision rounds by less
        values=total,
        rule="`y_true` with a column for each class must sum to 1 in each row",
        hint="labels of which any number may apply (multi-label data) are problems of two classes, "
        "one for each column",
    )


def _largest(y_true: tf.Tensor) -> tf.Tensor:
    return tf.argmax(_fractions(y_true, tf.float32), axis=-1, output_type=tf.int32)
