"""Labels as losses and metrics take them: integers, or a column for each class.

Labels of shape ``(...)`` or ``(..., 1)`` are class numbers, labels of shape ``(..., C)`` say how
much of each class a row is: one-hot, or smoothed or mixed.  Which of them it is follows from the
shape alone; where the shape is not known before a step runs (Keras 2 hides it from a model that is
fed by a generator), it is decided in that step.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kt_extras.losses.checks import checked, nan_as_inputs


def class_labels(
    y_true: Any, logits: tf.Tensor, *, instead: str | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the labels that belong to logits, and the logits.

    Args:
        y_true: Shape ``(...)``, ``(..., 1)`` or ``(..., C)``.
        logits: Shape ``(..., C)``, C at least 2.
        instead: If labels must be class numbers, what to use for those with a column for each
            class. Defaults to `None`.

    Returns:
        Class numbers, int32 of shape ``(...)``; or, if the labels came as columns or may do so,
        columns in the type of the logits, shape ``(..., C)``.  And the logits, which are NaN where
        labels are wrong and no error can say so, as `checked` has it.

    Raises:
        ValueError: Shapes that do not belong together; columns with `instead`; when executed
            eagerly, a label that is not a class, or columns that do not sum to 1 in each row.  In a
            graph the latter is an `InvalidArgumentError`, and under XLA the logits are NaN.

    >>> class_labels([[1.0], [2.0]], tf.zeros((2, 3)))[0].numpy().tolist()
    [1, 2]
    >>> class_labels([[0, 1, 0], [0, 0, 1]], tf.zeros((2, 3)))[0].dtype.name
    'float32'
    """
    num_classes = logits.shape[-1] if logits.shape.rank else None
    if num_classes is None or num_classes < 2:
        raise ValueError(
            "`y_pred` must have one column for each of at least two classes, got shape "
            f"{logits.shape}; for one score a row take a binary loss."
        )
    y_true = tf.convert_to_tensor(y_true)
    kind = _kind(y_true, num_classes=num_classes, shape=logits.shape[:-1])
    if instead is not None and kind in ("columns", "unknown"):
        y_true, kind = _only_column(y_true, instead), "column"
    if kind == "columns":
        return _fractions(y_true, logits.dtype), logits
    if kind == "unknown":
        return tf.cond(
            tf.equal(tf.shape(y_true)[-1], 1),
            lambda: _one_hot(*_integers(y_true[..., 0], num_classes, logits)),
            lambda: (_fractions(y_true, logits.dtype), tf.identity(logits)),
        )
    return _integers(tf.squeeze(y_true, -1) if kind == "column" else y_true, num_classes, logits)


def class_index(
    y_true: Any, weights: tf.Tensor, *, num_classes: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return class numbers, also for labels that came as columns, and the weights of the rows.

    Args:
        y_true: Shape ``(...)``, ``(..., 1)`` or ``(..., num_classes)``.  The class of columns is
            that of the largest.  One number a row may be a fraction if there are two classes: how
            much of class 1 it is.
        weights: Of the rows, shape ``(...)``.
        num_classes: At least 2.

    Returns:
        int32 of shape ``(...)``.  And the weights, which are NaN where labels are wrong and no
        error can say so, as `checked` has it.

    Raises:
        ValueError: As for `class_labels`.

    >>> class_index([[0, 1, 0], [0, 0, 1]], tf.ones(2), num_classes=3)[0].numpy().tolist()
    [1, 2]
    >>> class_index([[0.7], [0.2]], tf.ones(2), num_classes=2)[0].numpy().tolist()
    [1, 0]
    """
    y_true = tf.convert_to_tensor(y_true)
    numbers = _halves if num_classes == 2 else _integers
    kind = _kind(y_true, num_classes=num_classes, shape=weights.shape)
    if kind == "columns":
        return _largest(y_true, weights)
    if kind == "unknown":
        return tf.cond(
            tf.equal(tf.shape(y_true)[-1], 1),
            lambda: numbers(y_true[..., 0], num_classes, weights),
            lambda: _largest(y_true, weights),
        )
    return numbers(tf.squeeze(y_true, -1) if kind == "column" else y_true, num_classes, weights)


def binary_labels(y_true: Any, scores: tf.Tensor) -> tf.Tensor:
    """Return labels from 0 to 1 in the shape of their scores.

    Args:
        y_true: Shape ``(...)``, or the same with or without a last axis of size 1.
        scores: Shape ``(...)``.

    Raises:
        ValueError: Shapes that do not belong together; when executed eagerly, a label below 0 or
            above 1.  In a graph the latter is an `InvalidArgumentError`, and under XLA NaN.

    >>> binary_labels([1, 0], tf.zeros((2, 1))).numpy().tolist()
    [[1.0], [0.0]]
    """
    y_true = aligned(tf.cast(y_true, scores.dtype), scores)
    return checked(
        y_true,
        wrong=tf.logical_not(tf.logical_and(y_true >= 0, y_true <= 1)),  # NaN too
        values=y_true,
        message="`y_true` must lie between 0 and 1, got {}; divide masks of 0 and 255 by 255.",
    )


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


def _only_column(y_true: tf.Tensor, instead: str) -> tf.Tensor:
    """Return labels as one column, and reject those with a column for each class."""
    message = (
        "`y_true` must hold class numbers, of shape (n,) or (n, 1), got shape "
        f"{y_true.shape}; for one-hot labels take {instead}."
    )
    if y_true.shape[-1] is not None:
        raise ValueError(message)
    check = tf.debugging.Assert(tf.equal(tf.shape(y_true)[-1], 1), [message])
    with tf.control_dependencies([check]):
        return tf.reshape(y_true, tf.concat([tf.shape(y_true)[:-1], [1]], 0))


def _integers(labels: tf.Tensor, num_classes: int, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return class numbers as int32 and what belongs to them, checked for fractions and range."""
    index = tf.cast(labels, tf.int32) % num_classes
    checked_x = checked(
        x,
        wrong=tf.not_equal(tf.cast(index, labels.dtype), labels),
        values=labels,
        message=f"`y_true` must hold classes from 0 to {num_classes - 1}, got {{}}; labels that "
        "are smoothed or mixed need a column for each class, and labels to leave out "
        "`ignore_class`.",
    )
    return index, checked_x


def _halves(labels: tf.Tensor, _: int, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return which of two classes is the larger part of a row, and what belongs to the rows."""
    fraction = tf.cast(labels, tf.float32)
    checked_x = checked(
        x,
        wrong=tf.logical_not(tf.logical_and(fraction >= 0, fraction <= 1)),
        values=labels,
        message="`y_true` must hold classes from 0 to 1, or how much of class 1 a row is, got {}; "
        "labels to leave out need `ignore_class`.",
    )
    return tf.cast(fraction > 0.5, tf.int32), checked_x


def _one_hot(index: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.one_hot(index, logits.shape[-1], dtype=logits.dtype), logits


def _fractions(y_true: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return how much of each class every row is, and reject rows that do not sum to 1."""
    fractions = tf.cast(y_true, dtype)
    total = tf.reduce_sum(fractions, axis=-1)
    return checked(
        fractions,
        wrong=tf.not_equal(tf.round(50 * total), 50),  # half precision rounds by less
        values=total,
        message="`y_true` with a column for each class must sum to 1 in each row, got {}; labels "
        "of which any number may apply (multi-label data) are problems of two classes, one for "
        "each column.",
    )


def _largest(y_true: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    fractions = _fractions(y_true, weights.dtype)
    index = tf.argmax(fractions, axis=-1, output_type=tf.int32)
    return index, nan_as_inputs(weights, fractions)
