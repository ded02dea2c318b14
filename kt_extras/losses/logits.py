"""From what a model puts out to logits, in single precision or better.

Losses are computed on logits, in log space, whatever the model puts out.  If it ends in a softmax
or sigmoid, the logits behind it are taken where TensorFlow still knows them; otherwise they are the
logarithms of the probabilities, which are the same up to a constant that a softmax does not see.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kt_extras.compat import is_activated
from kt_extras.losses.checks import checked

_SMALLEST = 1e-7  # a probability, as in Keras


def class_logits(y_pred: Any, *, from_logits: bool) -> tf.Tensor:
    """Return logits of classes that exclude one another.

    Args:
        y_pred: Shape ``(..., C)``: logits, or probabilities that sum to 1.
        from_logits: Which of them.

    Returns:
        Shape ``(..., C)``, float32 or float64; each row up to a constant.

    Raises:
        ValueError: Probabilities where logits are wanted, noticed when the model ends in a softmax
            or sigmoid, and by the values when executed eagerly; or the reverse, noticed by the
            values, which in a graph is an `InvalidArgumentError` that XLA does not see.

    >>> p = tf.nn.softmax(class_logits([[0.25, 0.75]], from_logits=False))
    >>> p.numpy().round(3).tolist()
    [[0.25, 0.75]]
    """
    y_pred = tf.convert_to_tensor(y_pred)
    if from_logits:
        _check_not_probabilities(y_pred)
        logits = precise(y_pred)
        if tf.executing_eagerly() and _sums_to_one(logits.numpy()):
            raise ValueError(_NOT_LOGITS.format("has rows that sum to 1"))
        return logits
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
    p = tf.clip_by_value(p, _SMALLEST, 1 - _SMALLEST)
    return tf.math.log(p) - tf.math.log1p(-p)


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
    """Raise if the scores come straight from an activation (Keras marks these itself)."""
    activated = is_activated(y_pred) or any(
        _behind(y_pred, activation) is not None for activation in ("Softmax", "Sigmoid")
    )
    if activated:
        raise ValueError(_NOT_LOGITS.format("comes from a softmax or sigmoid"))


def _behind(y_pred: tf.Tensor, activation: str) -> tf.Tensor | None:
    """Return what an activation was applied to, if it made this tensor in a graph."""
    if tf.executing_eagerly() or not hasattr(y_pred, "op") or y_pred.op.type != activation:
        return None
    return y_pred.op.inputs[0]


def _sums_to_one(values: Any) -> bool:
    """Return whether these must be probabilities; rows of zeros and ones may be logits, too."""
    return bool(
        values.size
        and np.all(values >= 0)
        and np.any((values > 0) & (values < 1))
        and np.all(np.abs(values.sum(axis=-1) - 1) < 1e-4)
    )


def _probabilities(y_pred: tf.Tensor) -> tf.Tensor:
    """Return probabilities, or the NaN of a training that has diverged, and reject others."""
    p = precise(y_pred)
    return checked(
        p,
        wrong=tf.math.squared_difference(p, 0.5) > 0.501**2,  # by more than rounding; not NaN
        values=p,
        rule="`y_pred` must hold probabilities between 0 and 1",
        hint="pass `from_logits=True` for logits",
    )
