"""Logit adjustment (Menon et al., ICLR 2021) and balanced softmax (Ren et al., NeurIPS 2020).

Notation: pi_j is the fraction of class j in the training data, tau the strength of the adjustment.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from kt_extras.class_arguments import checked_counts
from kt_extras.losses.classification import (
    ClassificationLoss,
    check_at_least,
    check_columns,
    crossentropy,
)


@keras.saving.register_keras_serializable(package="kt_extras")
class LogitAdjustedCrossentropy(ClassificationLoss):
    """Cross-entropy of logits to which tau log pi_j was added.

    So the model itself learns scores for classes that are equally frequent, and predictions
    need no adjustment: its argmax minimises the balanced error.

    Args:
        class_counts: Number of training examples of each class, or their fractions; shape ``(C,)``,
            above 0.
        tau: Strength, at least 0: 0 is plain cross-entropy, 1 is consistent for the balanced error.
            Defaults to `1.0`.
        from_logits: Whether `y_pred` are logits; otherwise probabilities, which do as well.
            Defaults to `True`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count, as with Keras' `SparseCategoricalCrossentropy`; None for
            none. Defaults to `None`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"logit_adjusted_crossentropy"`.

    Labels are integers, shape ``(...)`` or ``(..., 1)``, or columns ``(..., C)``.

    Raises:
        ValueError: An argument out of its range; at the first step, counts of another length than
            `y_pred` has columns.

    Source: Menon et al. 2021, 2007.07314, eq. 10.

    >>> loss = LogitAdjustedCrossentropy([90, 10])
    >>> round(float(loss([1], [[0.0, 0.0]])), 4)  # -ln 0.1
    2.3026
    """

    def __init__(
        self,
        class_counts: ArrayLike,
        *,
        tau: float = 1.0,
        from_logits: bool = True,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "logit_adjusted_crossentropy",
    ) -> None:
        super().__init__(
            from_logits=from_logits, ignore_class=ignore_class, reduction=reduction, name=name
        )
        check_at_least("tau", tau, minimum=0)
        self.class_counts = checked_counts(
            class_counts, name="class_counts", min_classes=2, allow_zero=False
        )
        self.tau = float(tau)
        self._offsets = self.tau * np.log(self.class_counts / self.class_counts.sum())

    def per_row(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row."""
        check_columns("class_counts", len(self.class_counts), logits)
        return crossentropy(labels, logits + tf.constant(self._offsets, logits.dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {
            **super().get_config(),
            "class_counts": self.class_counts.tolist(),
            "tau": self.tau,
        }


@keras.saving.register_keras_serializable(package="kt_extras")
class BalancedSoftmax(LogitAdjustedCrossentropy):
    """Balanced softmax: `LogitAdjustedCrossentropy` with tau 1, found independently.

    Args:
        class_counts: Number of training examples of each class, or their fractions; shape ``(C,)``,
            above 0.
        from_logits: Whether `y_pred` are logits; otherwise probabilities, which do as well.
            Defaults to `True`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count, as with Keras' `SparseCategoricalCrossentropy`; None for
            none. Defaults to `None`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"balanced_softmax"`.

    Raises:
        ValueError: An argument out of its range; at the first step, counts of another length than
            `y_pred` has columns.

    Source: Ren et al. 2020, 2007.10740, sec. 3.1.

    >>> loss = BalancedSoftmax([90, 10])
    >>> round(float(loss([0], [[0.0, 0.0]])), 4)  # -ln 0.9
    0.1054
    """

    def __init__(
        self,
        class_counts: ArrayLike,
        *,
        from_logits: bool = True,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "balanced_softmax",
    ) -> None:
        super().__init__(
            class_counts,
            tau=1.0,
            from_logits=from_logits,
            ignore_class=ignore_class,
            reduction=reduction,
            name=name,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        config = super().get_config()
        del config["tau"]
        return config
