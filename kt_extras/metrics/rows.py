"""What a batch says to a metric: for each row its class, its scores and its weight."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf

from kt_extras.losses.labels import class_index


class Rows(NamedTuple):
    """The rows of a batch, flattened.

    Args:
        truth: Class numbers, int32 of shape ``(n,)``.
        scores: Shape ``(n, C)``; or ``(n,)``: of class 1 of two.
        weights: float64 of shape ``(n,)``.  A row whose scores are NaN weighs NaN, so that in a
            graph, where it can't be an error, no metric takes it for a decision.
    """

    truth: tf.Tensor
    scores: tf.Tensor
    weights: tf.Tensor


def rows(y_true: Any, y_pred: Any, sample_weight: Any, *, num_classes: int) -> Rows:
    """Return the rows of a batch.

    Args:
        y_true: Class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``.
        y_pred: Shape ``(..., C)``; with two classes also ``(..., 1)`` or ``(n,)``.
        sample_weight: None, or a shape that goes with ``(...)``.
        num_classes: C, at least 2.

    Raises:
        ValueError: Shapes that do not belong together; when executed eagerly, labels out of range
            or scores that are NaN.

    >>> batch = rows([1, 0], [[0.9], [0.2]], None, num_classes=2)
    >>> batch.truth.numpy().tolist(), batch.weights.numpy().tolist()
    ([1, 0], [1.0, 1.0])
    """
    scores, rank = _scores(y_pred, num_classes)
    truth = class_index(y_true, num_classes=num_classes, rank=rank)
    weights = 1.0 if sample_weight is None else _weights(sample_weight, truth, rank)
    if rank != 1:
        truth = tf.reshape(truth, [-1])
        weights = weights if sample_weight is None else tf.reshape(weights, [-1])
        scores = tf.reshape(scores, [-1] if scores.shape.rank == rank else [-1, num_classes])
    return Rows(truth, scores, _without_nan(scores, weights))


def _scores(y_pred: Any, num_classes: int) -> tuple[tf.Tensor, int]:
    """Return scores of shape ``(...)`` or ``(..., C)``, and the number of axes of ``(...)``."""
    scores = tf.convert_to_tensor(y_pred)
    if not scores.dtype.is_floating:
        scores = tf.cast(scores, tf.float32)
    rank = scores.shape.rank
    if rank == 1 and num_classes == 2:
        return scores, rank
    if rank is not None and rank > 1:
        if scores.shape[-1] == num_classes:
            return scores, rank - 1
        if scores.shape[-1] == 1 and num_classes == 2:
            return tf.squeeze(scores, -1), rank - 1
    single = ", or one score a row" if num_classes == 2 else ""
    raise ValueError(
        f"`y_pred` must have a column for each of `num_classes` {num_classes} classes{single}, got "
        f"shape {scores.shape}."
    )


def _weights(sample_weight: Any, truth: tf.Tensor, rank: int) -> tf.Tensor:
    """Return the weight of every label, in the shape of the labels."""
    weights = tf.cast(sample_weight, tf.float64)
    if weights.shape.rank == rank + 1:
        weights = tf.squeeze(weights, -1)
    if weights.shape.rank == rank == 1:
        return weights
    missing = rank - weights.shape.rank
    weights = tf.reshape(weights, tf.concat([tf.shape(weights), [1] * missing], 0))
    return tf.broadcast_to(weights, tf.shape(truth))


def _without_nan(scores: tf.Tensor, weights: tf.Tensor | float) -> tf.Tensor:
    """Refuse scores that are NaN, or in a graph let their rows weigh NaN.

    Weights are in double precision, in which the sums of many rows stay exact.
    """
    nan = tf.math.is_nan(scores)
    if nan.shape.rank > 1:
        nan = tf.reduce_any(nan, axis=-1)
    if tf.executing_eagerly() and tf.reduce_any(nan):
        raise ValueError("`y_pred` must hold numbers, got NaN; the training has diverged.")
    return tf.where(nan, tf.constant(math.nan, tf.float64), tf.cast(weights, tf.float64))
