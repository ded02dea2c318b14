"""What a batch must hold: an error where one can be raised, and otherwise NaN."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

_SHOWN = 5  # values in an error


def checked(x: tf.Tensor, *, wrong: tf.Tensor, values: tf.Tensor, message: str) -> tf.Tensor:
    """Return a tensor for whose rows the values are right.

    Args:
        x: What the values belong to: floating, with the axes of `values` first.
        wrong: Which values are not right, in the shape of `values`.
        values: What an error shows of.
        message: What they must be, with `{}` for what they are, and what to do.

    Returns:
        The tensor; in a graph an assertion comes before it, and it is NaN where values are wrong.
        XLA drops the assertion, so that NaN is what remains: nothing is trained or measured on
        wrong values unseen.

    Raises:
        ValueError: When executed eagerly, a wrong value.  In a graph it is an
            `InvalidArgumentError`.

    >>> p = tf.constant([0.5, 3.0])
    >>> checked(p, wrong=p > 1, values=p, message="`p` must be at most 1, got {}; divide it.")
    Traceback (most recent call last):
    ValueError: `p` must be at most 1, got [3]; divide it.
    """
    if tf.executing_eagerly():
        found = np.unique(np.asarray(values)[np.asarray(wrong)])
        if found.size:
            shown = [f"{value:g}" for value in found[:_SHOWN].astype(np.float64)]
            more = ", ..." if len(found) > _SHOWN else ""
            raise ValueError(message.format(f"[{', '.join(shown)}{more}]"))
        return x
    check = tf.debugging.Assert(tf.logical_not(tf.reduce_any(wrong)), [message.format("others")])
    with tf.control_dependencies([check]):
        factor = tf.where(wrong, tf.constant(math.nan, x.dtype), tf.ones([], x.dtype))
    for _ in range(x.shape.rank - factor.shape.rank):
        factor = factor[..., tf.newaxis]
    return x * factor  # a product, so that slopes are NaN too


def nan_as_inputs(losses: tf.Tensor, *inputs: tf.Tensor) -> tf.Tensor:
    """Return losses that are NaN where what they were computed from is.

    XLA's exponential of NaN may be a number, and so may its clipped NaN: a softmax can lose it.

    Args:
        losses: Shape ``(...)``.
        *inputs: Shape ``(...)`` or with more axes; integers are passed over.

    >>> nan_as_inputs(tf.ones(2), tf.constant([[0.0, math.nan], [0.0, 1.0]])).numpy().tolist()
    [nan, 1.0]
    """
    for x in inputs:
        if x.dtype.is_floating:
            wrong = tf.math.is_nan(x)
            if extra := list(range(losses.shape.rank, x.shape.rank)):
                wrong = tf.reduce_any(wrong, axis=extra)
            nan = tf.constant(math.nan, losses.dtype)
            losses *= tf.where(wrong, nan, tf.ones([], losses.dtype))
    return losses
