"""From what a model puts out to logits, in single precision or better.

Losses are computed on logits, in log space, whatever the model puts out.  If it ends in a softmax
or sigmoid, the logits behind it are taken where TensorFlow still knows them; otherwise they are the
logarithms of the probabilities, which are the same up to a constant that a softmax does not see.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kt_extras.compat import is_activated
from kt_extras.losses.checks import checked, nan_as_inputs

_SMALLEST = 1e-7  # a probability, as in Keras

# Operations of a graph, by what they do with scores.
_ACTIVATIONS = ("Softmax", "Sigmoid")
_RESHAPING = ("Cast", "Identity", "Reshape", "Squeeze", "ExpandDims", "Transpose", "StopGradient")
_JOINING = ("ConcatV2", "Pack")
_CHOOSING = ("SelectV2", "Select")


def class_logits(y_pred: Any, *, from_logits: bool) -> tf.Tensor:
    """Return logits of classes that exclude one another.

    Args:
        y_pred: Shape ``(..., C)``: logits, or probabilities that sum to 1.
        from_logits: Which of them.

    Returns:
        Shape ``(..., C)``, float32 or float64; each row up to a constant.

    Raises:
        ValueError: Probabilities where logits are wanted, noticed by the operations of a graph and
            by the values; or the reverse, noticed by the values.  What the values show is an
            `InvalidArgumentError` in a graph, and under XLA NaN.

    >>> p = tf.nn.softmax(class_logits([[0.25, 0.75]], from_logits=False))
    >>> p.numpy().round(3).tolist()
    [[0.25, 0.75]]
    """
    y_pred = tf.convert_to_tensor(y_pred)
    if from_logits:
        _check_not_probabilities(y_pred)
        logits = precise(y_pred)
        wrong = tf.fill(tf.shape(logits)[:-1], _are_probabilities(logits))
        message = _NOT_LOGITS.format("has rows that sum to 1")
        return checked(logits, wrong=wrong, values=tf.reduce_sum(logits, axis=-1), message=message)
    source = _behind(y_pred, "Softmax")
    if source is not None:
        return precise(source)
    p = _probabilities(y_pred)
    return tf.math.log(tf.maximum(p, _SMALLEST))


def binary_logits(y_pred: Any, *, from_logits: bool) -> tf.Tensor:
    """Return the logit of every score.

    Args:
        y_pred: Shape ``(...)``: logits, or probabilities.
        from_logits: Which of them.

    Returns:
        Shape ``(...)``, float32 or float64.

    Raises:
        ValueError: As for `class_logits`; single logits in [0, 1] can't be told from probabilities.

    >>> tf.sigmoid(binary_logits([0.25], from_logits=False)).numpy().round(3).tolist()
    [0.25]
    """
    y_pred = tf.convert_to_tensor(y_pred)
    if from_logits:
        _check_not_probabilities(y_pred)
        return precise(y_pred)
    source = _behind(y_pred, "Sigmoid")
    if source is not None:
        return precise(source)
    p = _probabilities(y_pred)
    inside = tf.clip_by_value(p, _SMALLEST, 1 - _SMALLEST)
    return nan_as_inputs(tf.math.log(inside) - tf.math.log1p(-inside), p)


def precise(x: tf.Tensor) -> tf.Tensor:
    """Return at least single precision: half precision is too coarse for logarithms.

    >>> precise(tf.constant(1.0, tf.float16)).dtype.name
    'float32'
    """
    return x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)


_NOT_LOGITS = (
    "`y_pred` {}, but `from_logits=True` asks for logits; remove the activation of the last layer "
    "or pass `from_logits=False`."
)


def _check_not_probabilities(y_pred: tf.Tensor) -> None:
    """Raise if the scores come from an activation (Keras 2 marks these itself)."""
    in_graph = not tf.executing_eagerly() and hasattr(y_pred, "op")
    if is_activated(y_pred) or (in_graph and _comes_from_activation(y_pred)):
        raise ValueError(_NOT_LOGITS.format("comes from a softmax or sigmoid"))


def _comes_from_activation(scores: tf.Tensor) -> bool:
    """Return whether scores are those of a softmax or sigmoid, in another shape or type."""
    inputs = list(scores.op.inputs)
    if scores.op.type in _ACTIVATIONS:
        return True
    if scores.op.type in _RESHAPING:
        return _comes_from_activation(inputs[0])
    if scores.op.type in _JOINING:  # the axis is an input of one of them
        parts = inputs[: scores.op.get_attr("N")]
        return all(_comes_from_activation(part) for part in parts)
    if scores.op.type in _CHOOSING and inputs[1].op.type == "Mul":  # dropout
        return _comes_from_activation(inputs[1].op.inputs[0])
    return False


def _behind(y_pred: tf.Tensor, activation: str) -> tf.Tensor | None:
    """Return what an activation was applied to, if it made these scores in a graph."""
    if tf.executing_eagerly() or not hasattr(y_pred, "op"):
        return None
    while y_pred.op.type in ("Cast", "Identity"):
        y_pred = y_pred.op.inputs[0]
    return y_pred.op.inputs[0] if y_pred.op.type == activation else None


def _are_probabilities(logits: tf.Tensor) -> tf.Tensor:
    """Return whether logits must be probabilities: rows that differ, and all of them sum to 1.

    A row of logits may sum to 1 by chance, several don't; the sums of half precision are rounded,
    which is allowed for where there are more rows.  Rows of zeros and ones may be logits, too.
    """
    rows = tf.reshape(logits, [-1, tf.shape(logits)[-1]])
    tolerance = tf.where(tf.shape(rows)[0] < 4, tf.constant(1e-4, rows.dtype), 0.01)
    off = tf.abs(tf.reduce_sum(rows, axis=-1) - 1)
    conditions = [
        tf.reduce_all(rows >= 0),
        tf.reduce_any(tf.logical_and(rows > 0, rows < 1)),
        tf.reduce_all(off < tolerance),
        tf.reduce_any(tf.not_equal(rows, rows[:1])),
    ]
    return tf.reduce_all(tf.stack(conditions))


def _probabilities(y_pred: tf.Tensor) -> tf.Tensor:
    """Return probabilities, or the NaN of a training that has diverged, and reject others."""
    p = precise(y_pred)
    return checked(
        p,
        wrong=tf.math.squared_difference(p, 0.5) > 0.501**2,  # by more than rounding; not NaN
        values=p,
        message="`y_pred` must hold probabilities between 0 and 1, got {}; pass `from_logits=True` "
        "for logits.",
    )
