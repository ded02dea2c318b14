"""Brier score: the mean squared error of probabilities."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras.class_arguments import check_num_classes
from kt_extras.compat import require_tensorflow
from kt_extras.losses.counted import checked_ignore_class
from kt_extras.metrics.probabilities import probabilities
from kt_extras.metrics.rows import rows


def brier(truth: tf.Tensor, p: tf.Tensor) -> tf.Tensor:
    """Return the Brier score of each row: sum_c (p_c - y_c)^2, and half of it for two classes.

    Args:
        truth: Class numbers, shape ``(n,)``.
        p: Probabilities, shape ``(n, C)``, or ``(n,)``: of class 1 of two.

    >>> brier(tf.constant([1, 1]), tf.constant([[0.5, 0.5], [1.0, 0.0]])).numpy().tolist()
    [0.25, 1.0]
    """
    if p.shape.rank == 1:
        return tf.math.squared_difference(p, tf.cast(truth, p.dtype))
    y = tf.one_hot(truth, p.shape[-1], dtype=p.dtype)
    total = tf.reduce_sum(tf.math.squared_difference(p, y), axis=-1)
    return total / 2 if p.shape[-1] == 2 else total


@keras.saving.register_keras_serializable(package="kt_extras")
class BrierScore(keras.metrics.Metric):
    """Mean squared error of the predicted probabilities, to be minimised.

    As in scikit-learn's `brier_score_loss`, it goes from 0 to 1 for two classes and is the sum
    over the classes, from 0 to 2, for more.  Without any row it is 0.

    Args:
        num_classes: C, at least 2.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `False`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `"brier_score"`.
        dtype: Of the result. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.

    Raises:
        ValueError: An argument out of its range.

    Source: Brier 1950, "Verification of forecasts expressed in terms of probability", eq. 2.

    >>> metric = BrierScore(num_classes=2)
    >>> metric.update_state([1, 0], [0.5, 0.5])
    >>> float(metric.result())
    0.25
    """

    _direction = "down"  # which `EarlyStopping` of Keras 3 looks for

    def __init__(
        self,
        num_classes: int,
        *,
        from_logits: bool = False,
        ignore_class: int | None = None,
        name: str | None = "brier_score",
        dtype: Any = None,
    ) -> None:
        require_tensorflow(type(self).__name__)
        super().__init__(name=name, dtype=dtype)
        check_num_classes(num_classes)
        self.num_classes = num_classes
        self.ignore_class = checked_ignore_class(ignore_class)
        self.from_logits = from_logits
        #: The sum of the rows' scores, and of their weights.
        self.total = self.add_weight(shape=(2,), initializer="zeros", dtype="float64", name="total")

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
        score = brier(truth, probabilities(scores, from_logits=self.from_logits))
        weighted = tf.reduce_sum(tf.cast(score, tf.float64) * weights)
        self.total.assign_add(tf.stack([weighted, tf.reduce_sum(weights)]))

    def result(self) -> tf.Tensor:
        """Return the mean over all rows since the last reset, a scalar."""
        total = tf.convert_to_tensor(self.total)
        return tf.cast(tf.math.divide_no_nan(total[0], total[1]), self.dtype)

    def reset_state(self) -> None:
        """Forget all rows."""
        self.total.assign(tf.zeros(2, tf.float64))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_class": self.ignore_class,
            "from_logits": self.from_logits,
        }
