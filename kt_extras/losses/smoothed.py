"""Label smoothing for integer labels (Szegedy et al., CVPR 2016, sec. 7).

Keras smooths one-hot labels only.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras.arguments import is_number
from kt_extras.losses.classification import ClassificationLoss, crossentropy


def smoothed_crossentropy(
    labels: tf.Tensor, logits: tf.Tensor, *, label_smoothing: float
) -> tf.Tensor:
    """Return the cross-entropy with (1 - s) of a row in its class and s spread over all.

    Args:
        labels: Class numbers, shape ``(...)``.
        logits: Shape ``(..., C)``.
        label_smoothing: s, in [0, 1].

    >>> logits = tf.constant([[0.0, 2.0]])
    >>> loss = smoothed_crossentropy(tf.constant([1]), logits, label_smoothing=1.0)
    >>> print(loss.numpy().round(4))  # ln(1 + e^2) - 1
    [1.1269]
    """
    if not label_smoothing:
        return crossentropy(labels, logits)
    spread = label_smoothing / logits.shape[-1]
    smooth = tf.one_hot(
        labels, logits.shape[-1], 1.0 - label_smoothing + spread, spread, dtype=logits.dtype
    )
    return crossentropy(smooth, logits)


@keras.saving.register_keras_serializable(package="kt_extras")
class SparseSmoothedCrossentropy(ClassificationLoss):
    """Cross-entropy of integer labels with label smoothing.

    It equals Keras' `CategoricalCrossentropy(label_smoothing=...)` on one-hot labels.

    Args:
        label_smoothing: Fraction of each row that is spread evenly over all classes, in [0, 1].
            Defaults to `0.1`.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `False`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count, as with Keras' `SparseCategoricalCrossentropy`; None for
            none. Defaults to `None`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"sparse_smoothed_crossentropy"`.

    Labels have shape ``(...)`` or ``(..., 1)``, scores ``(..., C)``.

    Raises:
        ValueError: An argument out of its range.

    Source: Szegedy et al. 2016, 1512.00567, sec. 7; its default.

    >>> loss = SparseSmoothedCrossentropy(0.5)
    >>> round(float(loss([1], [[0.2, 0.8]])), 4)  # -0.75 ln 0.8 - 0.25 ln 0.2
    0.5697
    """

    instead = "`keras.losses.CategoricalCrossentropy`"

    def __init__(
        self,
        label_smoothing: float = 0.1,
        *,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "sparse_smoothed_crossentropy",
    ) -> None:
        super().__init__(
            from_logits=from_logits, ignore_class=ignore_class, reduction=reduction, name=name
        )
        if not (is_number(label_smoothing) and 0 <= label_smoothing <= 1):
            raise ValueError(f"`label_smoothing` must lie in [0, 1], got {label_smoothing!r}.")
        self.label_smoothing = float(label_smoothing)

    def per_row(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row."""
        return smoothed_crossentropy(labels, logits, label_smoothing=self.label_smoothing)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
