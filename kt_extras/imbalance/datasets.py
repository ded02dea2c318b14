"""Sample weights for `tf.data` sets.

Keras' own `class_weight` cannot be combined with sample weights and is wrong for multi-label data.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from numpy.typing import ArrayLike

from kt_extras.arrays import FloatArray
from kt_extras.class_arguments import checked_weights
from kt_extras.imbalance.label_batches import check_elements

_TOLERANCE = 0.01  # of the sum of a row's fractions, which may be of half precision


def with_weights(dataset: tf.data.Dataset, weights: ArrayLike) -> tf.data.Dataset:
    """Return the data set with a weight for each row, made from its labels.

    Args:
        dataset: Batched, of ``(x, y)`` or ``(x, y, weights)``; in the latter case the weights are
            multiplied.  One-hot and multi-label `y` may be smoothed or mixed: a row's weight is
            then mixed in the same way.  The labels of a row that weighs 0 are not looked at.
        weights: Shape ``(c,)``, or ``(c, 2)`` for multi-label data, from `class_weights`.  A row of
            multi-label data weighs the mean of what its labels weigh, as in `sample_weights`.

    Returns:
        A data set of ``(x, y, weights)``, for Keras' `fit` without `class_weight`.

    Raises:
        ValueError: Labels and weights that do not belong together.
        tf.errors.InvalidArgumentError: When the data are read, a class out of range; or, with
            weights of shape ``(c,)``, columns that do not sum to 1, as the losses refuse them.

    >>> data = tf.data.Dataset.from_tensor_slices((tf.zeros([3, 2]), [0, 1, 1])).batch(3)
    >>> next(iter(with_weights(data, [0.5, 2.0])))[2].numpy().tolist()
    [0.5, 2.0, 2.0]
    """
    w = checked_weights(weights)
    check_elements(dataset)
    _check_labels(dataset.element_spec[1].shape, w)

    def add(x: Any, y: tf.Tensor, given: tf.Tensor | None = None) -> tuple[Any, ...]:
        used = tf.constant(True) if given is None else tf.not_equal(tf.reshape(given, [-1]), 0)
        row = tf.where(used, _row_weights(y, w, used), 0.0)
        return x, y, row if given is None else row * tf.reshape(tf.cast(given, tf.float32), [-1])

    return dataset.map(add)


def _check_labels(shape: tf.TensorShape, weights: FloatArray) -> None:
    """Raise unless the labels have the number of classes of the weights."""
    columns = shape[1] if shape.rank == 2 else None
    if weights.ndim == 1 and (shape.rank == 1 or columns == 1):
        return
    if columns != len(weights):
        raise ValueError(
            f"`weights` has shape {weights.shape} and needs labels with {len(weights)} columns"
            f"{', or integer ones' if weights.ndim == 1 else ''}; those of `dataset` have "
            f"shape {shape}."
        )


def _row_weights(y: tf.Tensor, weights: FloatArray, used: Any) -> tf.Tensor:
    """Return the weight of each row, shape ``(n,)``; rows that are not used are not checked."""
    w = tf.constant(weights, tf.float32)
    if weights.ndim == 2:
        fraction = tf.cast(y, tf.float32)
        return tf.reduce_mean(fraction * w[:, 1] + (1.0 - fraction) * w[:, 0], axis=-1)
    if y.shape.rank == 2 and y.shape[1] != 1:
        fraction = tf.cast(y, tf.float32)
        one = tf.abs(tf.reduce_sum(fraction, axis=-1) - 1.0) < _TOLERANCE
        rule = "`dataset` must hold rows of exactly one class, or fractions that sum to 1; got"
        hint = "weights of multi-label data have shape (c, 2): `class_weights(y, multi_label=True)`"
        with tf.control_dependencies([assert_all(one | ~used, [rule, y, hint])]):
            return tf.linalg.matvec(fraction, w)
    column = tf.reshape(y, [-1])
    if not column.dtype.is_floating:
        column = tf.cast(column, tf.int64)
    inside = (column >= 0) & (column <= len(weights) - 1)
    fractions = column.dtype.is_floating and len(weights) == 2  # smoothed or mixed ones
    whole = tf.constant(True) if fractions else column == tf.round(column)
    rule = f"`dataset` must hold classes from 0 to {len(weights) - 1}, as `weights` has them; got"
    with tf.control_dependencies([assert_all((inside & whole) | ~used, [rule, column])]):
        if fractions:
            fraction = tf.cast(column, tf.float32)
            return fraction * w[1] + (1.0 - fraction) * w[0]
        return tf.gather(w, tf.cast(tf.where(inside, column, tf.zeros_like(column)), tf.int64))


def assert_all(right: tf.Tensor, message: list[Any]) -> Any:
    """Return an operation that raises with a message unless all are true."""
    return tf.debugging.Assert(tf.reduce_all(right), message)
