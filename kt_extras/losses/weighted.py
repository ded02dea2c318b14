"""Cross-entropies that weigh classes.

Unlike `class_weight` of `fit`, the weights are part of the loss: they are saved with the model,
count in validation too, work for multi-label data, for smoothed and mixed labels and for any data
set, and a search can tune them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from kt_extras.losses.checks import nan_as_inputs
from kt_extras.losses.class_weights import ClassWeights
from kt_extras.losses.classification import ClassificationLoss, check_columns, crossentropy
from kt_extras.losses.labels import binary_labels, mean_over_labels
from kt_extras.losses.logits import binary_logits
from kt_extras.losses.row_loss import RowLoss


def weighted_crossentropy(labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Return -sum_c w_c y_c log p_c for each row.

    Args:
        labels: Class numbers, shape ``(...)``; or y, shape ``(..., C)``.
        logits: Shape ``(..., C)``.
        weights: w, shape ``(C,)``.

    >>> loss = weighted_crossentropy(tf.constant([1]), tf.zeros((1, 2)), tf.constant([1.0, 3.0]))
    >>> print(loss.numpy().round(4))  # 3 ln 2
    [2.0794]
    """
    weights = tf.cast(weights, logits.dtype)
    if labels.dtype.is_integer:
        return tf.gather(weights, labels) * crossentropy(labels, logits)
    weighted = labels * weights
    total = tf.reduce_sum(weighted, axis=-1, keepdims=True)
    # The fused operation is right for labels that sum to 1 only.
    return total[..., 0] * crossentropy(tf.math.divide_no_nan(weighted, total), logits)


@keras.saving.register_keras_serializable(package="kt_extras")
class WeightedCrossentropy(ClassificationLoss):
    """Categorical cross-entropy in which every class has its weight.

    Args:
        weights: Shape ``(C,)``, or a mapping from class to weight; at least 0, not all 0.
            `kt_extras.imbalance.class_weights` makes them from labels.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `False`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count, as with Keras' `SparseCategoricalCrossentropy`; None for
            none. Defaults to `None`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"weighted_crossentropy"`.

    Labels are integers, shape ``(...)`` or ``(..., 1)``, or columns ``(..., C)``, which may be
    smoothed or mixed: then each class's part is weighted by itself.

    Raises:
        ValueError: Weights of the wrong shape or out of range; at the first step, weights of
            another length than `y_pred` has columns.

    >>> loss = WeightedCrossentropy([1.0, 3.0])
    >>> round(float(loss([0, 1], [[0.5, 0.5], [0.5, 0.5]])), 4)  # (1 + 3) / 2 * ln 2
    1.3863
    """

    def __init__(
        self,
        weights: ArrayLike | Mapping[int, float],
        *,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "weighted_crossentropy",
    ) -> None:
        super().__init__(
            from_logits=from_logits, ignore_class=ignore_class, reduction=reduction, name=name
        )
        self.class_weights = ClassWeights(weights)
        if len(self.class_weights.shape) != 1:
            raise ValueError(
                f"`weights` must have shape (c,), got {self.class_weights.shape}; those of "
                "multi-label data belong to `WeightedBinaryCrossentropy`."
            )

    def per_row(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row."""
        check_columns("weights", self.class_weights.shape[0], logits)
        return weighted_crossentropy(labels, logits, self.class_weights.now)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**super().get_config(), "weights": self.class_weights.config()}


def weighted_binary_crossentropy(y: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Return -w_1 y log p - w_0 (1 - y) log(1 - p) for each score.

    Args:
        y: Labels between 0 and 1, shape ``(...)``.
        logits: Of p, shape ``(...)``.
        weights: w_0 and w_1, shape ``(2,)``, or ``(C, 2)`` for labels of shape ``(..., C)``.

    >>> y, logits = tf.constant([0.0, 1.0]), tf.zeros(2)
    >>> print(weighted_binary_crossentropy(y, logits, tf.constant([1.0, 3.0])).numpy().round(4))
    [0.6931 2.0794]
    """
    weights = tf.cast(weights, logits.dtype)
    absent, present = weights[..., 0] * (1 - y), weights[..., 1] * y
    return absent * tf.math.softplus(logits) + present * tf.math.softplus(-logits)


@keras.saving.register_keras_serializable(package="kt_extras")
class WeightedBinaryCrossentropy(RowLoss):
    """Binary cross-entropy with weights, for one label or for many (multi-label data).

    Args:
        weights: Of the absence and of the presence of a label: shape ``(2,)`` for all labels alike,
            or ``(C, 2)``, one pair a label; or a mapping with the keys 0 and 1.  At least 0, not
            all 0.  `kt_extras.imbalance.class_weights` makes them from labels.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `False`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"weighted_binary_crossentropy"`.

    `y_true` and `y_pred` have shape ``(..., C)``, or ``(n,)`` for one label; a row's loss is the
    mean over its labels.

    Raises:
        ValueError: Weights of the wrong shape or out of range; at the first step, weights of
            another length than `y_pred` has columns.

    >>> loss = WeightedBinaryCrossentropy([[1.0, 1.0], [0.5, 3.0]])
    >>> round(float(loss([[1, 1]], [[0.5, 0.5]])), 4)  # (1 + 3) / 2 * ln 2
    1.3863
    """

    def __init__(
        self,
        weights: ArrayLike | Mapping[int, float],
        *,
        from_logits: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "weighted_binary_crossentropy",
    ) -> None:
        super().__init__(reduction=reduction, name=name)
        self.from_logits = from_logits
        self.class_weights = ClassWeights(weights)
        if self.class_weights.shape[-1] != 2:
            raise ValueError(
                "`weights` must have shape (2,) or (c, 2), the weights of absence and presence, "
                f"got {self.class_weights.shape}."
            )

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the loss of each row: shape ``(...)`` for scores of shape ``(..., C)``."""
        logits = binary_logits(y_pred, from_logits=self.from_logits)
        if len(self.class_weights.shape) == 2:
            check_columns("weights", self.class_weights.shape[0], logits)
        labels = binary_labels(y_true, logits)
        losses = weighted_binary_crossentropy(labels, logits, self.class_weights.now)
        return mean_over_labels(nan_as_inputs(losses, labels, logits))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {
            **super().get_config(),
            "weights": self.class_weights.config(),
            "from_logits": self.from_logits,
        }
