"""Poly-1 cross-entropy (Leng et al., ICLR 2022).

Cross-entropy is the series of (1 - p_t)^j / j; Poly-1 tunes its first coefficient, to 1 + epsilon.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras.arguments import is_finite
from kt_extras.losses.classification import ClassificationLoss, crossentropy


def poly1_crossentropy(labels: tf.Tensor, logits: tf.Tensor, *, epsilon: float) -> tf.Tensor:
    """Return -log p_t + epsilon (1 - p_t) for each row (Leng et al. 2022, Poly-1).

    Args:
        labels: Class numbers, shape ``(...)``; or y, shape ``(..., C)``, and p_t is y . p.
        logits: Shape ``(..., C)``.
        epsilon: What is added to the first coefficient.

    >>> print(poly1_crossentropy(tf.constant([1]), tf.zeros((1, 2)), epsilon=1.0).numpy().round(4))
    [1.1931]
    """
    loss = crossentropy(labels, logits)
    if labels.dtype.is_integer:
        return loss - epsilon * tf.math.expm1(-loss)
    p_t = tf.reduce_sum(labels * tf.nn.softmax(logits), axis=-1)
    return loss + epsilon * (1 - p_t)


@keras.saving.register_keras_serializable(package="kt_extras")
class Poly1Crossentropy(ClassificationLoss):
    """Cross-entropy plus epsilon (1 - p_t), p_t being the true class's probability.

    Args:
        epsilon: Coefficient, at least -1. Above 0, uncertain rows have larger gradients and the
            model gets more confident; below 0, less. The best values in the paper are from -1 to 2.
            Defaults to `1.0`.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `False`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count, as with Keras' `SparseCategoricalCrossentropy`; None for
            none. Defaults to `None`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"poly1_crossentropy"`.

    Labels are integers, shape ``(...)`` or ``(..., 1)``, or columns ``(..., C)``.

    Raises:
        ValueError: An argument out of its range.

    Source: Leng et al. 2022, 2204.12511.

    >>> loss = Poly1Crossentropy(epsilon=1.0)
    >>> round(float(loss([1], [[0.5, 0.5]])), 4)  # ln 2 + 1 / 2
    1.1931
    """

    def __init__(
        self,
        epsilon: float = 1.0,
        *,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poly1_crossentropy",
    ) -> None:
        super().__init__(
            from_logits=from_logits, ignore_class=ignore_class, reduction=reduction, name=name
        )
        if not (is_finite(epsilon) and epsilon >= -1):
            raise ValueError(
                f"`epsilon` must be finite and at least -1, got {epsilon!r}; below it the loss "
                "would fall as a row gets worse."
            )
        self.epsilon = float(epsilon)

    def per_row(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row."""
        return poly1_crossentropy(labels, logits, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**super().get_config(), "epsilon": self.epsilon}
