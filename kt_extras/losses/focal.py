"""Focal loss for integer labels (Lin et al., ICCV 2017).

Keras has it for binary and for one-hot labels.  p_t is the probability of the true class.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from kt_extras.class_arguments import numbers
from kt_extras.losses.classification import (
    ClassificationLoss,
    check_at_least,
    check_columns,
    crossentropy,
)

_SMALLEST = 1e-7  # keeps the slope of a power finite


def sparse_focal_crossentropy(
    labels: tf.Tensor, logits: tf.Tensor, *, gamma: float, alpha: ArrayLike
) -> tf.Tensor:
    """Return -alpha_t (1 - p_t)^gamma log p_t for each row (Lin et al. 2017, eq. 5).

    Args:
        labels: Class numbers, shape ``(...)``.
        logits: Shape ``(..., C)``.
        gamma: How much less easy rows count, at least 0.
        alpha: A number, or one a class: shape ``(C,)``.

    >>> loss = sparse_focal_crossentropy(tf.constant([1]), tf.zeros((1, 2)), gamma=2.0, alpha=1.0)
    >>> print(loss.numpy().round(4))  # ln 2 / 4
    [0.1733]
    """
    loss = crossentropy(labels, logits)
    if gamma:
        loss *= tf.maximum(-tf.math.expm1(-loss), _SMALLEST) ** gamma
    weights = tf.constant(alpha, logits.dtype)
    return loss * (tf.gather(weights, labels) if weights.shape.rank else weights)


@keras.saving.register_keras_serializable(package="kt_extras")
class SparseFocalCrossentropy(ClassificationLoss):
    """Focal loss for integer labels; equals Keras' `CategoricalFocalCrossentropy` on one-hot ones.

    Args:
        alpha: Weight of all classes, or one a class, shape ``(C,)``; at least 0. Defaults to
            `0.25`.
        gamma: How much less rows count that are classified well, at least 0; at 0 it is the
            weighted cross-entropy. Defaults to `2.0`.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `False`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count, as with Keras' `SparseCategoricalCrossentropy`; None for
            none. Defaults to `None`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"sparse_focal_crossentropy"`.

    Labels have shape ``(...)`` or ``(..., 1)``, scores ``(..., C)``.

    Raises:
        ValueError: An argument out of its range.

    Source: Lin et al. 2017, 1708.02002, sec. 3.2; its defaults.

    >>> loss = SparseFocalCrossentropy(alpha=1.0)
    >>> round(float(loss([1], [[0.5, 0.5]])), 4)  # ln 2 / 4
    0.1733
    """

    instead = "`keras.losses.CategoricalFocalCrossentropy`"

    def __init__(
        self,
        alpha: ArrayLike = 0.25,
        gamma: float = 2.0,
        *,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "sparse_focal_crossentropy",
    ) -> None:
        super().__init__(
            from_logits=from_logits, ignore_class=ignore_class, reduction=reduction, name=name
        )
        check_at_least("gamma", gamma, minimum=0)
        self.alpha = numbers("alpha", alpha)
        if self.alpha.ndim > 1 or not (np.isfinite(self.alpha).all() and (self.alpha >= 0).all()):
            raise ValueError(
                "`alpha` must be a number or one a class, finite and at least 0, "
                f"got {self.alpha.tolist()}."
            )
        self.gamma = float(gamma)

    def per_row(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row."""
        if self.alpha.ndim:
            check_columns("alpha", len(self.alpha), logits)
        return sparse_focal_crossentropy(labels, logits, gamma=self.gamma, alpha=self.alpha)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**super().get_config(), "alpha": self.alpha.tolist(), "gamma": self.gamma}
