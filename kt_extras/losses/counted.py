"""Which rows of a batch count: masks, sample weights and a class to ignore.

Rows have the shape of the labels of classes that exclude one another, ``(...)``, for example
``(batch, time)``.  The label of a row that does not count may be anything.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kt_extras.arguments import is_integer


def checked_ignore_class(ignore_class: int | None) -> int | None:
    """Return the number of a class, or None.

    >>> checked_ignore_class(0.5)
    Traceback (most recent call last):
    ValueError: `ignore_class` must be an integer or None, got 0.5.
    """
    if ignore_class is not None and not is_integer(ignore_class):
        raise ValueError(f"`ignore_class` must be an integer or None, got {ignore_class!r}.")
    return ignore_class


def aligned_weights(weights: Any, rows: tf.TensorShape, *, name: str, dtype: Any) -> tf.Tensor:
    """Return weights with as many axes as rows; those that are missing are the last.

    Args:
        weights: One for each row, or of a shape that goes with it: ``(batch,)`` for rows of shape
            ``(batch, time)``, also with a last axis of size 1.
        rows: Shape of the rows, as far as it is known.
        name: What the weights are, for the message.
        dtype: Of the result.

    Raises:
        ValueError: A shape that does not go with that of the rows.

    >>> rows = tf.TensorShape([2, 3])
    >>> aligned_weights([1, 2], rows, name="`w`", dtype=tf.float32).shape.as_list()
    [2, 1]
    """
    found = tf.cast(weights, dtype)
    given = found.shape
    if given.rank == rows.rank + 1 and given[-1] in (1, None):
        found = tf.squeeze(found, -1)
    missing = rows.rank - found.shape.rank
    sizes = zip(found.shape, rows, strict=False)
    if missing < 0 or any(own not in (1, None) and n not in (own, None) for own, n in sizes):
        raise ValueError(
            f"{name} must have a weight for each row of `y_pred`, got shape {given} for rows of "
            f"shape {rows}."
        )
    return tf.reshape(found, tf.concat([tf.shape(found), [1] * missing], 0)) if missing else found


def ranked(y_true: Any, y_pred: tf.Tensor, rows: tf.TensorShape) -> tf.Tensor:
    """Return labels as a tensor; those of an unknown number of axes with one more than the rows.

    >>> ranked([[1], [0]], tf.zeros((2, 3)), tf.TensorShape([2])).shape.as_list()
    [2, 1]
    """
    y_true = tf.convert_to_tensor(y_true)
    if y_true.shape.rank is not None:
        return y_true
    return tf.reshape(y_true, tf.concat([tf.shape(y_pred)[: rows.rank], [-1]], 0))


def with_valid_labels(y_true: Any, counted: tf.Tensor, rows: tf.TensorShape) -> tf.Tensor:
    """Return the labels, with valid ones in the rows that do not count.

    Args:
        y_true: Shape of the rows, or with one more axis.
        counted: Which rows count, of a shape that goes with that of the rows.
        rows: Shape of the rows, as far as it is known.

    >>> rows = tf.TensorShape([2])
    >>> with_valid_labels([-1, 2], tf.constant([False, True]), rows).numpy().tolist()
    [0, 2]
    >>> with_valid_labels([[9, 9], [0, 1]], tf.constant([False, True]), rows).numpy().tolist()
    [[1, 0], [0, 1]]
    """
    y_true = tf.convert_to_tensor(y_true)
    if y_true.shape.rank == rows.rank + 1:
        size = tf.shape(y_true)[-1]
        # Of several columns the first has to be 1, since those of a row sum to 1.
        valid = tf.cast(tf.one_hot(tf.where(size > 1, 0, -1), size), y_true.dtype)
        return tf.where(counted[..., tf.newaxis], y_true, valid)
    return tf.where(counted, y_true, tf.zeros([], y_true.dtype))


def of_other_classes(y_true: Any, ignore_class: int, rows: tf.TensorShape) -> tf.Tensor:
    """Return which rows are not of a class; labels with a column for each class all are not.

    >>> of_other_classes([-1, 2], -1, tf.TensorShape([2])).numpy().tolist()
    [False, True]
    """
    y_true = tf.convert_to_tensor(y_true)
    other = tf.not_equal(tf.cast(y_true, tf.float32), float(ignore_class))
    if y_true.shape.rank != rows.rank + 1:
        return other
    return tf.logical_or(other[..., 0], tf.shape(y_true)[-1] > 1)
