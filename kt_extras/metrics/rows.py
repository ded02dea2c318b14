"""A batch flattened for a metric: true classes, scores and weights."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf

from kt_extras.compat import keras_mask
from kt_extras.losses.counted import (
    aligned_weights,
    of_other_classes,
    ranked,
    with_valid_labels,
)
from kt_extras.losses.labels import class_index

_NOT_PROBABILITIES = (
    "`y_pred` must hold probabilities between 0 and 1, got {}; pass `from_logits=True` for logits."
)


class Rows(NamedTuple):
    """The rows of a batch, flattened.

    Args:
        truth: Class numbers, int32 of shape ``(n,)``.
        scores: Shape ``(n, C)``; or ``(n,)``: of class 1 of two.
        weights: float64 of shape ``(n,)``, 0 for a row that does not count.  A row whose label is
            wrong, or whose scores are NaN or are not probabilities where these are wanted, weighs
            NaN, so that where it can't be an error no metric takes it for a decision.
    """

    truth: tf.Tensor
    scores: tf.Tensor
    weights: tf.Tensor


def rows(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    *,
    num_classes: int,
    ignore_class: int | None = None,
    probabilities: bool = False,
) -> Rows:
    """Return the rows of a batch.

    Args:
        y_true: Class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``.
        y_pred: Shape ``(..., C)``; with two classes also ``(..., 1)`` or ``(n,)``.  Rows that
            Keras' mask excludes do not count.
        sample_weight: None, or a shape that goes with ``(...)``.
        num_classes: C, at least 2.
        ignore_class: Number of a class whose rows do not count. Defaults to `None`.
        probabilities: Whether scores must lie between 0 and 1. Defaults to `False`.

    Raises:
        ValueError: Shapes that do not belong together; labels that `class_index` rejects; scores
            that are not probabilities, which is an `InvalidArgumentError` in a graph; when executed
            eagerly, scores that are NaN, or weights below 0.

    >>> batch = rows([1, 0], [[0.9], [0.2]], None, num_classes=2)
    >>> batch.truth.numpy().tolist(), batch.weights.numpy().tolist()
    ([1, 0], [1.0, 1.0])
    """
    mask = keras_mask(y_pred)
    scores, rank = _scores(y_pred, num_classes)
    shape = scores.shape[:rank]
    y_true = ranked(y_true, scores, shape)
    weights = _weights(sample_weight, mask, tf.shape(scores)[:rank], shape)
    if ignore_class is not None:
        other = of_other_classes(y_true, ignore_class, shape)
        weights = tf.where(other, weights, tf.zeros([], weights.dtype))
    if not (mask is None and sample_weight is None and ignore_class is None):
        counted = tf.not_equal(weights, 0)
        y_true = with_valid_labels(y_true, counted, shape)
        counted = counted if scores.shape.rank == rank else counted[..., tf.newaxis]
        scores = tf.where(counted, scores, tf.zeros([], scores.dtype))
    truth, weights = class_index(y_true, weights, num_classes=num_classes)
    if rank != 1:
        truth, weights = tf.reshape(truth, [-1]), tf.reshape(weights, [-1])
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


def _weights(sample_weight: Any, mask: Any, size: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Return the weight of every row, in double precision, in which many are added up exactly."""
    weights = tf.ensure_shape(tf.ones(size, tf.float64), shape)
    if sample_weight is not None:
        given = aligned_weights(sample_weight, shape, name="`sample_weight`", dtype=tf.float64)
        if tf.executing_eagerly() and not tf.reduce_all(given >= 0):
            raise ValueError(
                f"`sample_weight` must be at least 0, got {float(tf.reduce_min(given)):g}."
            )
        weights *= given
    if mask is not None:
        counted = aligned_weights(mask, shape, name="The mask of `y_pred`", dtype=tf.bool)
        weights = tf.where(counted, weights, tf.zeros([], weights.dtype))
    return weights


def _of_sound_rows(scores: tf.Tensor, weights: tf.Tensor, probabilities: bool) -> tf.Tensor:
    """Reject scores that can't be right; where none can be rejected, their rows weigh NaN.

    In a graph those of a training that has diverged, NaN and infinity, are left to weigh NaN.
    """
    if probabilities:  # to within rounding; NaN is unequal too
        wrong = tf.not_equal(tf.clip_by_value(scores, -0.001, 1.001), scores)
    else:
        wrong = tf.math.is_nan(scores)
    if tf.executing_eagerly():
        if tf.reduce_any(wrong):
            if tf.reduce_any(tf.math.is_nan(scores)):
                raise ValueError("`y_pred` must hold numbers, got NaN; the training has diverged.")
            least, most = float(tf.reduce_min(scores)), float(tf.reduce_max(scores))
            shown = f"values from {least:g} to {most:g}"
            raise ValueError(_NOT_PROBABILITIES.format(shown))
    elif probabilities:
        outside = tf.reduce_any(tf.logical_and(wrong, tf.math.is_finite(scores)))
        check = tf.debugging.Assert(tf.logical_not(outside), [_NOT_PROBABILITIES.format("others")])
        with tf.control_dependencies([check]):
            weights = tf.identity(weights)
    if wrong.shape.rank > 1:
        wrong = tf.reduce_any(wrong, axis=-1)
    return tf.where(wrong, tf.constant(math.nan, tf.float64), weights)
