"""Specificity: the fraction of negatives that are recognised as such."""

from __future__ import annotations

import keras
import tensorflow as tf

from kt_extras.metrics.confusion import ConfusionMetric, hits, mean_over, supports


@keras.saving.register_keras_serializable(package="kt_extras")
class Specificity(ConfusionMetric):
    """True negatives among all negatives: the recall of class 0 of two.

    With more classes it is the mean over each class against the rest; classes that neither occur
    nor are predicted are left out, as in scikit-learn's averages.  Where there are no negatives
    it is 0.

    Args:
        num_classes: C, at least 2.
        threshold: With two classes, what the score of class 1 must exceed to be decided for.  By
            default 0.5 for one score a row (0.0 suits logits), and the larger of two scores.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `"specificity"`.
        dtype: Of the result. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.

    Raises:
        ValueError: An argument out of its range.

    >>> metric = Specificity(num_classes=2)
    >>> metric.update_state([0, 0, 0, 0, 1], [0.1, 0.2, 0.3, 0.8, 0.1])
    >>> float(metric.result())
    0.75
    """

    def __init__(
        self,
        num_classes: int,
        threshold: float | None = None,
        *,
        ignore_class: int | None = None,
        name: str | None = "specificity",
        dtype: object = None,
    ) -> None:
        super().__init__(num_classes, threshold, ignore_class=ignore_class, name=name, dtype=dtype)

    def score(self, matrix: tf.Tensor) -> tf.Tensor:
        """Return the fraction of negatives that are recognised."""
        support = supports(matrix)
        if self.num_classes == 2:
            return tf.math.divide_no_nan(matrix[0, 0], support[0])
        predicted = tf.reduce_sum(matrix, axis=0)
        negatives = tf.reduce_sum(support) - support
        false_positives = predicted - hits(matrix)
        specificity = tf.math.divide_no_nan(negatives - false_positives, negatives)
        return mean_over(support + predicted, specificity)
