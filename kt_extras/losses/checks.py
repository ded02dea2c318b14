"""What a batch must hold, checked eagerly or by an operation of the graph."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_SHOWN = 5  # values in an error


def checked(
    x: tf.Tensor, *, wrong: tf.Tensor, values: tf.Tensor, rule: str, hint: str
) -> tf.Tensor:
    """Return a tensor whose values are right.

    Args:
        x: Any tensor; in a graph what is returned in its place comes after the check.
        wrong: Which values are not, in the shape of `values`.
        values: What an error shows of.
        rule: What they must be.
        hint: What to do, appended to the message.

    Raises:
        ValueError: When executed eagerly, a wrong value.  In a graph it is an
            `InvalidArgumentError`, and XLA does not see it.

    >>> p = tf.constant([0.5, 3.0])
    >>> checked(p, wrong=p > 1, values=p, rule="`p` must be at most 1", hint="divide it")
    Traceback (most recent call last):
    ValueError: `p` must be at most 1, got [3]; divide it.
    """
    if tf.executing_eagerly():
        found = np.unique(np.asarray(values)[np.asarray(wrong)])
        if found.size:
            shown = [f"{value:g}" for value in found[:_SHOWN].astype(np.float64)]
            more = ", ..." if len(found) > _SHOWN else ""
            raise ValueError(f"{rule}, got [{', '.join(shown)}{more}]; {hint}.")
        return x
    right = tf.logical_not(tf.reduce_any(wrong))
    check = tf.debugging.Assert(right, [f"{rule}, got others; {hint}."])
    with tf.control_dependencies([check]):  # before an operation on them fails in other words
        return tf.identity(x)
