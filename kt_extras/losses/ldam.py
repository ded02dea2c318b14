"""Label-distribution-aware margins (Cao et al., NeurIPS 2019).

Notation: n_j is the number of examples of class j, Delta_j its margin, s the scale of the logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from kt_extras.arguments import is_finite
from kt_extras.arrays import FloatArray
from kt_extras.class_arguments import checked_counts
from kt_extras.losses.class_weights import ClassWeights
from kt_extras.losses.classification import (
    ClassificationLoss,
    check_columns,
    columns,
    crossentropy,
)
from kt_extras.losses.weighted import weighted_crossentropy


def margins(class_counts: ArrayLike, *, max_margin: float) -> FloatArray:
    """Return Delta_j = C / n_j^(1/4), with C such that the largest is `max_margin`.

    Args:
        class_counts: n, shape ``(C,)``, above 0.
        max_margin: Margin of the rarest class.

    >>> margins([10000, 16], max_margin=0.5).round(4).tolist()
    [0.1, 0.5]
    """
    rarity = (
        checked_counts(class_counts, name="class_counts", min_classes=2, allow_zero=False) ** -0.25
    )
    return np.asarray(rarity * (max_margin / rarity.max()))


@keras.saving.register_keras_serializable(package="kt_extras")
class LDAM(ClassificationLoss):
    """Cross-entropy that asks of rare classes to win by a larger margin.

    The margin is taken off the true class's logit before all are scaled, which is made for logits
    of bounded size: end the model in a layer of unit-norm features and weights, as the paper does,
    or lower `scale`.  With `weights` and `kt_extras.callbacks.DeferredReweighting` it is LDAM-DRW:
    the weights come into force late in the training only.

    Args:
        class_counts: Number of training examples of each class, shape ``(C,)``, above 0.
        max_margin: Margin of the rarest class, at least 0. Defaults to `0.5`.
        scale: s, what the logits are multiplied by, above 0. Defaults to `30.0`.
        weights: Class weights, shape ``(C,)``, or a mapping from class to weight; None for none.
            Defaults to `None`.
        from_logits: Whether `y_pred` are logits; otherwise probabilities, whose logarithms
            serve as logits. Defaults to `True`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count, as with Keras' `SparseCategoricalCrossentropy`; None for
            none. Defaults to `None`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"ldam"`.

    Labels are integers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``.

    Raises:
        ValueError: An argument out of its range; at the first step, counts or weights of another
            length than `y_pred` has columns.

    Source: Cao et al. 2019, 1906.07413, sec. 3.2 and 3.3; defaults of its authors' code.

    >>> loss = LDAM([10000, 16], max_margin=0.5, scale=1.0)
    >>> round(float(loss([1], [[0.0, 0.5]])), 4)  # ln(1 + e^0)
    0.6931
    """

    def __init__(
        self,
        class_counts: ArrayLike,
        *,
        max_margin: float = 0.5,
        scale: float = 30.0,
        weights: ArrayLike | Mapping[int, float] | None = None,
        from_logits: bool = True,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "ldam",
    ) -> None:
        super().__init__(
            from_logits=from_logits, ignore_class=ignore_class, reduction=reduction, name=name
        )
        if not (is_finite(max_margin) and max_margin >= 0):
            raise ValueError(f"`max_margin` must be finite and at least 0, got {max_margin!r}.")
        if not (is_finite(scale) and scale > 0):
            raise ValueError(f"`scale` must be finite and above 0, got {scale!r}.")
        self.class_counts = checked_counts(
            class_counts, name="class_counts", min_classes=2, allow_zero=False
        )
        self.max_margin, self.scale = float(max_margin), float(scale)
        self.margins = margins(class_counts, max_margin=max_margin)
        self.class_weights = None if weights is None else ClassWeights(weights)
        if self.class_weights and self.class_weights.shape != self.class_counts.shape:
            raise ValueError(
                f"`weights` must have the length of `class_counts`, {len(self.class_counts)}, "
                f"got shape {self.class_weights.shape}."
            )

    def per_row(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row."""
        check_columns("class_counts", len(self.class_counts), logits)
        off = columns(labels, logits) * tf.constant(self.margins, logits.dtype)
        adjusted = self.scale * (logits - off)
        if self.class_weights is None:
            return crossentropy(labels, adjusted)
        return weighted_crossentropy(labels, adjusted, self.class_weights.now)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {
            **super().get_config(),
            "class_counts": self.class_counts.tolist(),
            "max_margin": self.max_margin,
            "scale": self.scale,
            "weights": None if self.class_weights is None else self.class_weights.config(),
        }
