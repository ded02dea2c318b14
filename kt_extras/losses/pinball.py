"""Pinball loss, whose minimum is a quantile (Koenker & Bassett, Econometrica 1978)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kt_extras.class_arguments import numbers
from kt_extras.losses.labels import aligned, mean_over_labels
from kt_extras.losses.logits import precise
from kt_extras.losses.row_loss import RowLoss


def pinball(y_true: tf.Tensor, y_pred: tf.Tensor, quantiles: tf.Tensor) -> tf.Tensor:
    """Return max(q d, (q - 1) d) with d = y_true - y_pred.

    Args:
        y_true: Shape ``(...)``.
        y_pred: A shape that goes with it.
        quantiles: q, a scalar or one for each of the last axis.

    >>> pinball(tf.constant([2.0, 0.0]), tf.constant([1.0, 1.0]), tf.constant(0.9)).numpy().round(4)
    array([0.9, 0.1], dtype=float32)
    """
    above = y_true - y_pred
    return tf.maximum(quantiles * above, (quantiles - 1) * above)


@keras.saving.register_keras_serializable(package="kt_extras")
class PinballLoss(RowLoss):
    """The loss of predicting quantiles; at 0.5 half the absolute error.

    Args:
        quantiles: One or several, strictly between 0 and 1. Defaults to `0.5`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"pinball_loss"`.

    With one quantile, `y_true` and `y_pred` have the same shape.  With several, `y_pred` has a
    column for each and `y_true` one value a row, shape ``(...)`` or ``(..., 1)``.

    Raises:
        ValueError: A quantile out of its range; at the first step, another number of columns.

    >>> loss = PinballLoss([0.1, 0.9])
    >>> round(float(loss([1.0], [[0.0, 0.0]])), 4)  # (0.1 + 0.9) / 2
    0.5
    """

    def __init__(
        self,
        quantiles: float | Sequence[float] = 0.5,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "pinball_loss",
    ) -> None:
        super().__init__(reduction=reduction, name=name)
        self.quantiles = numbers("quantiles", quantiles)
        within = (self.quantiles > 0) & (self.quantiles < 1)
        if self.quantiles.ndim > 1 or not self.quantiles.size or not within.all():
            raise ValueError(
                "`quantiles` must be a number strictly between 0 and 1, or a list of such, got "
                f"{quantiles!r}; 0.5 is the median."
            )

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the loss of each row: shape ``(...)`` for predictions of shape ``(..., C)``."""
        y_pred = precise(tf.convert_to_tensor(y_pred))
        y_true = tf.cast(y_true, y_pred.dtype)
        if not self.quantiles.ndim:
            y_true = aligned(y_true, y_pred)
        elif y_pred.shape[-1] != len(self.quantiles):
            raise ValueError(
                f"`quantiles` has {len(self.quantiles)} entries, and so many columns `y_pred` "
                f"must have; got shape {y_pred.shape}."
            )
        else:
            y_true = aligned(y_true, y_pred[..., :1])
        losses = pinball(y_true, y_pred, tf.constant(self.quantiles, y_pred.dtype))
        return mean_over_labels(losses)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**super().get_config(), "quantiles": self.quantiles.tolist()}
