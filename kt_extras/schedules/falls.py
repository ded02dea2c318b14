"""The ways in which a learning rate falls from 1 to 0."""

from __future__ import annotations

import math

import tensorflow as tf

SHAPES = ("linear", "cosine", "sqrt")


def fall(progress: tf.Tensor, shape: str) -> tf.Tensor:
    """Return the height of a curve that falls from 1 to 0.

    Args:
        progress: In [0, 1], any shape.
        shape: `"linear"`; `"cosine"`, half a wave; `"sqrt"`, 1 minus the square root, which falls
            fast at first (2405.18392, sec. 3).

    Returns:
        In [0, 1], of the shape of `progress`.

    >>> [round(float(fall(tf.constant(0.25), shape)), 3) for shape in SHAPES]
    [0.75, 0.854, 0.5]
    """
    if shape == "cosine":
        return 0.5 * (1.0 + tf.cos(math.pi * progress))
    return 1.0 - (tf.sqrt(progress) if shape == "sqrt" else progress)
