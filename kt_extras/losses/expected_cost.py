"""What a model's decisions are expected to cost, as something to train by."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from kt_extras.class_arguments import checked_costs
from kt_extras.losses.classification import ClassificationLoss, check_columns


def expected_cost(labels: tf.Tensor, logits: tf.Tensor, costs: tf.Tensor) -> tf.Tensor:
    """Return sum_j p_j cost[t, j] for each row, t being its class.

    Args:
        labels: Class numbers, shape ``(...)``; or columns ``(..., C)``.
        logits: Shape ``(..., C)``.
        costs: Shape ``(C, C)``: rows are true classes, columns decisions.

    >>> costs = tf.constant([[0.0, 1.0], [10.0, 0.0]])
    >>> expected_cost(tf.constant([0, 1]), tf.zeros((2, 2)), costs).numpy().tolist()
    [0.5, 5.0]
    """
    if labels.dtype.is_integer:
        of_class = tf.gather(costs, labels)
    else:
        of_class = tf.tensordot(labels, costs, 1)
    return tf.reduce_sum(tf.nn.softmax(logits) * of_class, axis=-1)


@keras.saving.register_keras_serializable(package="kt_extras")
class ExpectedCostLoss(ClassificationLoss):
    """The cost of a decision drawn from the predicted probabilities.

    It is bounded, so rows that can't be learnt cost no more than a wrong decision.  For the same
    reason it is flat where the model is sure: begin with a cross-entropy, or add a little of
    one, if training does not start.

    Args:
        costs: Shape ``(C, C)``, at least 0: ``costs[i, j]`` is what deciding for class j costs
            where i is true.  `kt_extras.imbalance.cost_matrix` makes it from a mapping.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `False`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count, as with Keras' `SparseCategoricalCrossentropy`; None for
            none. Defaults to `None`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"expected_cost_loss"`.

    Labels are integers, shape ``(...)`` or ``(..., 1)``, or columns ``(..., C)``.

    Raises:
        ValueError: Costs of the wrong shape or sign; at the first step, costs for another number
            of classes than `y_pred` has columns.

    Source: Elkan 2001, "The Foundations of Cost-Sensitive Learning", IJCAI, eq. 1.

    >>> loss = ExpectedCostLoss([[0, 1], [10, 0]])
    >>> float(loss([1], [[0.5, 0.5]]))
    5.0
    """

    def __init__(
        self,
        costs: ArrayLike,
        *,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "expected_cost_loss",
    ) -> None:
        super().__init__(
            from_logits=from_logits, ignore_class=ignore_class, reduction=reduction, name=name
        )
        self.costs = checked_costs(costs)

    def per_row(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row."""
        check_columns("costs", len(self.costs), logits)
        return expected_cost(labels, logits, tf.constant(self.costs, logits.dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**super().get_config(), "costs": self.costs.tolist()}
