"""Refinement: the cross-entropy that is left after the best recalibration.

Cross-entropy is calibration error plus refinement error, and the two are not at their least in the
same epoch.  Calibration is mended afterwards by a temperature, so what a training should be stopped
by, and a search should look for, is what no temperature mends:

    min_b mean_i loss(softmax(b * z_i), y_i)

with logits z and the inverse temperature b > 0 (Berta, Holzmueller, Jordan & Bach 2025, "Rethinking
early stopping: refine, then calibrate", arXiv 2501.19195, where it is called TS-refinement).

The sum over the rows is kept for a grid of log b, with its slope; the minimum is that of the cubic
between the two points where the slope changes its sign.  So no predictions are kept, and any split
into batches gives the same value.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras.class_arguments import check_num_classes
from kt_extras.compat import require_tensorflow
from kt_extras.losses.counted import checked_ignore_class
from kt_extras.metrics.rows import rows

_STEP = 0.25
_LOG_INVERSES = np.arange(-4.0, 4.0 + _STEP, _STEP)  # temperatures from 1/55 to 55
_SMALLEST = 1e-37  # a normal number in single precision
_LARGEST = 1 - 2.0**-24  # the last one before 1


@keras.saving.register_keras_serializable(package="kt_extras")
class Refinement(keras.metrics.Metric):
    """Cross-entropy after temperature scaling, to be minimised.

    The temperature is that which is best for the rows that are measured: it is one number, so that
    a few hundred rows hardly overfit it.  In the logs of `fit` the metric is ``val_refinement``
    of the validation data, for `EarlyStopping` and as an objective; `kte.calibration.calibrate`
    then makes probabilities of the outputs.  Temperatures go from 1/55 to 55; the error of the
    minimum is below 0.0001.  Without any row it is 0.

    A temperature does not undo a shifted mean, as class weights and resampling leave behind.  Then
    the metric is above the loss that ``calibrate(method="auto")`` reaches.

    Args:
        num_classes: C, at least 2.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `False`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `"refinement"`.
        dtype: Of the result. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.

    Raises:
        ValueError: An argument out of its range.

    Source: Berta et al. 2025, arXiv 2501.19195, "TS-refinement".

    >>> metric = Refinement(num_classes=2, from_logits=True)
    >>> metric.update_state([1, 1, 1, 0], [5.0, 5.0, 5.0, 5.0])  # 3 of 4 are right: log-odds log(3)
    >>> round(float(metric.result()), 4)
    0.5623
    """

    _direction = "down"  # which `EarlyStopping` of Keras 3 looks for

    def __init__(
        self,
        num_classes: int,
        *,
        from_logits: bool = False,
        ignore_class: int | None = None,
        name: str | None = "refinement",
        dtype: Any = None,
    ) -> None:
        require_tensorflow(type(self).__name__)
        super().__init__(name=name, dtype=dtype)
        check_num_classes(num_classes)
        self.num_classes = num_classes
        self.ignore_class = checked_ignore_class(ignore_class)
        self.from_logits = from_logits
        #: For each inverse temperature the sum of the losses, that of their slopes by its
        #: logarithm, and that of the weights.
        self.sums = self.add_weight(
            shape=(3, len(_LOG_INVERSES)), initializer="zeros", dtype="float64", name="sums"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        truth, scores, weights = rows(
            y_true,
            y_pred,
            sample_weight,
            num_classes=self.num_classes,
            ignore_class=self.ignore_class,
            probabilities=not self.from_logits,
        )
        losses, slopes = scaled_losses(_advantages(truth, scores, from_logits=self.from_logits))
        each = tf.stack([losses, slopes, tf.ones_like(losses)])  # (3, n, temperatures)
        weighted = tf.cast(each, tf.float64) * weights[:, tf.newaxis]
        self.sums.assign_add(tf.reduce_sum(weighted, axis=1))

    def result(self) -> tf.Tensor:
        """Return the least mean loss over all rows since the last reset, a scalar."""
        losses, slopes, weights = tf.unstack(tf.convert_to_tensor(self.sums))
        least = least_between(
            tf.math.divide_no_nan(losses, weights), tf.math.divide_no_nan(slopes, weights)
        )
        return tf.cast(least, self.dtype)

    def reset_state(self) -> None:
        """Forget all rows."""
        self.sums.assign(tf.zeros((3, len(_LOG_INVERSES)), tf.float64))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_class": self.ignore_class,
            "from_logits": self.from_logits,
        }


def _advantages(truth: tf.Tensor, scores: tf.Tensor, *, from_logits: bool) -> tf.Tensor:
    """Return the logits less that of the true class, which is 0 then, shape ``(n, C)``."""
    if scores.dtype not in (tf.float32, tf.float64):
        scores = tf.cast(scores, tf.float32)
    if scores.shape.rank == 1:
        if not from_logits:
            inside = tf.clip_by_value(scores, _SMALLEST, _LARGEST)
            scores = tf.math.log(inside) - tf.math.log1p(-inside)
        against = scores * tf.cast(1 - 2 * truth, scores.dtype)
        return tf.stack([tf.zeros_like(against), against], axis=1)
    if not from_logits:
        scores = tf.math.log(tf.maximum(scores, _SMALLEST))
    own = tf.gather(scores, truth, axis=1, batch_dims=1)
    return scores - own[:, tf.newaxis]


def scaled_losses(advantages: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return each row's loss at each inverse temperature, and its slope by the logarithm of that.

    Args:
        advantages: Logits less that of the true class, shape ``(n, C)``.

    Returns:
        Two tensors of shape ``(n, temperatures)``.

    >>> losses, slopes = scaled_losses(tf.constant([[0.0, 0.0]]))
    >>> losses.shape, round(float(losses[0, 0]), 4), float(slopes[0, 0])
    (TensorShape([1, 33]), 0.6931, 0.0)
    """
    inverses = tf.constant(np.exp(_LOG_INVERSES)[:, None], advantages.dtype)
    scaled = advantages[:, tf.newaxis, :] * inverses
    losses = tf.reduce_logsumexp(scaled, axis=-1)
    shares = tf.exp(scaled - losses[..., tf.newaxis])
    return losses, tf.reduce_sum(shares * scaled, axis=-1)


def least_between(values: tf.Tensor, slopes: tf.Tensor) -> tf.Tensor:
    """Return the least value of a function that falls and then rises, given on the grid.

    Args:
        values: Of the function at each log inverse temperature, shape ``(temperatures,)``.
        slopes: There.

    Returns:
        A scalar: the minimum of the cubic that has the values and slopes at both ends of the
        interval in which the slope changes its sign.

    >>> square = tf.constant((_LOG_INVERSES - 0.1) ** 2)
    >>> abs(float(least_between(square, tf.constant(2 * (_LOG_INVERSES - 0.1))))) < 1e-12
    True
    """
    falling = tf.reduce_sum(tf.cast(slopes <= 0, tf.int32))
    left = tf.clip_by_value(falling - 1, 0, len(_LOG_INVERSES) - 2)
    f0, f1 = tf.gather(values, left), tf.gather(values, left + 1)
    m0, m1 = _STEP * tf.gather(slopes, left), _STEP * tf.gather(slopes, left + 1)
    square, cube = 3 * (f1 - f0) - 2 * m0 - m1, m0 + m1 - 2 * (f1 - f0)
    # Where m0 + 2 * square * s + 3 * cube * s**2 is 0 and rises.
    root = tf.sqrt(tf.maximum(square**2 - 3 * cube * m0, 0))
    s = tf.clip_by_value(tf.math.divide_no_nan(-m0, square + root), 0, 1)
    return tf.reduce_min(tf.stack([f0, f1, f0 + s * (m0 + s * (square + s * cube))]))
