"""What decisions cost on average."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from kt_extras.class_arguments import checked_costs
from kt_extras.metrics.confusion import ConfusionMetric


@keras.saving.register_keras_serializable(package="kt_extras")
class ExpectedCost(ConfusionMetric):
    """Mean cost of a decision, to be minimised.  Without any row it is 0.

    Args:
        num_classes: C, at least 2.
        costs: Shape ``(C, C)``, at least 0: ``costs[i, j]`` is what deciding for class j costs
            where i is true.  `kt_extras.imbalance.cost_matrix` makes it from a mapping.
        threshold: With two classes, what the score of class 1 must exceed to be decided for.  By
            default 0.5 for one score a row (0.0 suits logits), and the larger of two scores.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `"expected_cost"`.
        dtype: Of the result. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.

    Raises:
        ValueError: An argument out of its range, or costs of the wrong shape or sign.

    >>> metric = ExpectedCost(num_classes=2, costs=[[0, 1], [50, 0]])
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.7, 0.8, 0.3])
    >>> float(metric.result())  # (1 + 50) / 4
    12.75
    """

    _direction = "down"

    def __init__(
        self,
        num_classes: int,
        costs: ArrayLike,
        threshold: float | None = None,
        *,
        ignore_class: int | None = None,
        name: str | None = "expected_cost",
        dtype: object = None,
    ) -> None:
        super().__init__(num_classes, threshold, ignore_class=ignore_class, name=name, dtype=dtype)
        self.costs = checked_costs(costs, num_classes=num_classes)

    def score(self, matrix: tf.Tensor) -> tf.Tensor:
        """Return the mean cost."""
        cost = tf.reduce_sum(matrix * tf.constant(self.costs))
        return tf.math.divide_no_nan(cost, tf.reduce_sum(matrix))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {**super().get_config(), "costs": self.costs.tolist()}
