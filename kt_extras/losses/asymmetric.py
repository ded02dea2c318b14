"""Asymmetric loss for multi-label data (Ridnik et al., ICCV 2021).

Notation: p is the probability of a label, m the margin by which easy negatives are cut off, and
p_m = max(p - m, 0).
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras.arguments import is_number
from kt_extras.losses.checks import nan_as_inputs
from kt_extras.losses.classification import check_at_least
from kt_extras.losses.labels import binary_labels, mean_over_labels
from kt_extras.losses.logits import binary_logits
from kt_extras.losses.row_loss import RowLoss

_SMALLEST = 1e-7  # keeps the slope of a power finite


def asymmetric_crossentropy(
    y: tf.Tensor,
    logits: tf.Tensor,
    *,
    gamma_positive: float,
    gamma_negative: float,
    margin: float,
) -> tf.Tensor:
    """Return -y (1-p)^g+ log p - (1-y) p_m^g- log(1-p_m) for each score (Ridnik et al.).

    Args:
        y: Labels between 0 and 1, shape ``(...)``.
        logits: Of p, shape ``(...)``.
        gamma_positive: g+, at least 0.
        gamma_negative: g-, at least 0.
        margin: m, in [0, 1).

    >>> arguments = {"gamma_positive": 0.0, "gamma_negative": 1.0, "margin": 0.0}
    >>> loss = asymmetric_crossentropy(tf.constant([0.0, 1.0]), tf.zeros(2), **arguments)
    >>> print(loss.numpy().round(4))  # ln 2 / 2, ln 2
    [0.3466 0.6931]
    """
    not_p = tf.sigmoid(-logits)  # exact where p is all but 1
    positive = y * tf.math.softplus(-logits)
    if gamma_positive:
        positive *= tf.maximum(not_p, _SMALLEST) ** gamma_positive
    if margin:
        negative = (y - 1) * tf.math.log(tf.minimum(not_p + margin, 1))
    else:
        negative = (1 - y) * tf.math.softplus(logits)
    if gamma_negative:
        negative *= tf.maximum(tf.sigmoid(logits) - margin, _SMALLEST) ** gamma_negative
    return positive + negative


@keras.saving.register_keras_serializable(package="kt_extras")
class AsymmetricLoss(RowLoss):
    """Binary cross-entropy that forgets easy negatives, for multi-label data with many of them.

    Args:
        gamma_positive: How much less positives count that are classified well, at least 0.
            Defaults to `0.0`.
        gamma_negative: The same for negatives, at least 0; usually more. Defaults to `4.0`.
        margin: In [0, 1): negatives with a smaller probability do not count at all. Defaults to
            `0.05`.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `True`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"asymmetric_loss"`.

    `y_true` and `y_pred` have shape ``(..., C)``, or ``(n,)`` for one label.  A row's loss is the
    mean over its labels, as in Keras' `BinaryCrossentropy`, which it equals with all three
    arguments at 0; the paper adds up, which makes the loss C times as large.

    Raises:
        ValueError: An argument out of its range.

    Source: Ridnik et al. 2021, 2009.14119; its defaults.

    >>> loss = AsymmetricLoss(gamma_negative=1, margin=0.0)
    >>> round(float(loss([[1, 0]], [[0.0, 0.0]])), 4)  # (ln 2 + ln 2 / 2) / 2
    0.5199
    """

    def __init__(
        self,
        gamma_positive: float = 0.0,
        gamma_negative: float = 4.0,
        margin: float = 0.05,
        *,
        from_logits: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "asymmetric_loss",
    ) -> None:
        super().__init__(reduction=reduction, name=name)
        check_at_least("gamma_positive", gamma_positive, minimum=0)
        check_at_least("gamma_negative", gamma_negative, minimum=0)
        if not (is_number(margin) and 0 <= margin < 1):
            raise ValueError(f"`margin` must lie in [0, 1), got {margin!r}.")
        self.gamma_positive, self.gamma_negative = float(gamma_positive), float(gamma_negative)
        self.margin = float(margin)
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the loss of each row: shape ``(...)`` for scores of shape ``(..., C)``."""
        logits = binary_logits(y_pred, from_logits=self.from_logits)
        labels = binary_labels(y_true, logits)
        losses = asymmetric_crossentropy(
            labels,
            logits,
            gamma_positive=self.gamma_positive,
            gamma_negative=self.gamma_negative,
            margin=self.margin,
        )
        return mean_over_labels(nan_as_inputs(losses, labels, logits))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {
            **super().get_config(),
            "gamma_positive": self.gamma_positive,
            "gamma_negative": self.gamma_negative,
            "margin": self.margin,
            "from_logits": self.from_logits,
        }
