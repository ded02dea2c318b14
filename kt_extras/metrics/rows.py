"""A batch flattened for a metric: true classes, scores and weights."""

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
        weights: float64 of shape ``(n,)``.  A row whose scores are NaN, or are not
            probabilities where these are wanted, weighs NaN, so that in a graph, where it can't be
            an error, no metric takes it for a decision.
    """

    truth: tf.Tensor
    scores: tf.Tensor
    weights: tf.Tensor


def rows(
    y_true: Any, y_pred: Any, sample_weight: Any, *, num_classes: int, probabilities: bool = False
) -> Rows:
    """Return the rows of a batch.

    Args:
        y_true: Class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``.
        y_pred: Shape ``(..., C)``; with two classes also ``(..., 1)`` or ``(n,)``.
        sample_weight: None, or a shape that goes with ``(...)``.
        num_classes: C, at least 2.
        probabilities: Whether scores must lie between 0 and 1. Defaults to `False`.

    Raises:
        ValueError: Shapes that do not belong together; labels that `class_index` rejects; when
            executed eagerly, scores that are NaN or out of range, or weights below 0.

    >>> batch = rows([1, 0], [[0.9], [0.2]], None, num_classes=2)
    >>> batch.truth.numpy().tolist(), batch.weights.numpy().tolist()
    ([1, 0], [1.0, 1.0])
    """
    scores, rank = _scores(y_pred, num_classes)
    truth = class_index(y_true, num_classes=num_classes, shape=scores.shape[:rank])
    weights = 1.0 if sample_weight is None else _weights(sample_weight, truth, scores.shape[:rank])
    if rank != 1:
        truth = tf.reshape(truth, [-1])
        weights = weights if sample_weight is None else tf.reshape(weights, [-1])
        scores = tf.reshape(scores, [-1] if scores.shape.rank == rank else [-1, num_classes])
    return Rows(truth, scores, _of_sound_rows(scores, weights, probabilities))


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


def _weights(sample_weight: Any, truth: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Return the weight of every label, in the shape of the labels."""
    weights = tf.cast(sample_weight, tf.float64)
    given = weights.shape
    if given.rank == shape.rank + 1 and given[-1] in (1, None):
        weights = tf.squeeze(weights, -1)
    missing = shape.rank - weights.shape.rank
    sizes = zip(weights.shape, shape, strict=False)
    if missing < 0 or any(own not in (1, None) and n not in (own, None) for own, n in sizes):
        raise ValueError(
            f"`sample_weight` must have a weight for each row of `y_pred`, got shape {given} for "
            f"rows of shape {shape}."
        )
    if tf.executing_eagerly() and not tf.reduce_all(weights >= 0):
        raise ValueError(
            f"`sample_weight` must be at least 0, got {float(tf.reduce_min(weights)):g}."
        )
    if weights.shape.rank == shape.rank == 1:
        return weights
    weights = tf.reshape(weights, tf.concat([tf.shape(weights), [1] * missing], 0))
    return tf.broadcast_to(weights, tf.shape(truth))


def _of_sound_rows(scores: tf.Tensor, weights: tf.Tensor | float, probabilities: bool) -> tf.Tensor:
    """Reject scores that can't be right, or in a graph let their rows weigh NaN.

    Weights are in double precision, in which the sums of many rows stay exact.
    """
    if probabilities:  # to within rounding; NaN is unequal too
        wrong = tf.not_equal(tf.clip_by_value(scores, -0.001, 1.001), scores)
    else:
        wrong = tf.math.is_nan(scores)
    if tf.executing_eagerly() and tf.reduce_any(wrong):
        if tf.reduce_any(tf.math.is_nan(scores)):
            raise ValueError("`y_pred` must hold numbers, got NaN; the training has diverged.")
        raise ValueError(
            "`y_pred` must hold probabilities between 0 and 1, got values from "
            f"{float(tf.reduce_min(scores)):g} to {float(tf.reduce_max(scores)):g}; pass "
            "`from_logits=True` for logits."
        )
    if wrong.shape.rank > 1:
        wrong = tf.reduce_any(wrong, axis=-1)
    return tf.where(wrong, tf.constant(math.nan, tf.float64), tf.cast(weights, tf.float64))
