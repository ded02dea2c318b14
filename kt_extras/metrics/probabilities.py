"""What the metrics of calibration need: probabilities of the classes."""

from __future__ import annotations

import tensorflow as tf


def probabilities(scores: tf.Tensor, *, from_logits: bool) -> tf.Tensor:
    """Return probabilities in single precision or better.

    Args:
        scores: Shape ``(n, C)``, or ``(n,)``: of class 1 of two.
        from_logits: Whether they are logits.

    Returns:
        The same shape.

    >>> probabilities(tf.constant([0.0]), from_logits=True).numpy().tolist()
    [0.5]
    """
    if scores.dtype not in (tf.float32, tf.float64):
        scores = tf.cast(scores, tf.float32)
    if from_logits:
        return tf.nn.softmax(scores) if scores.shape.rank > 1 else tf.sigmoid(scores)
    return scores
