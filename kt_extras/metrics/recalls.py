"""Balanced accuracy and geometric mean: two means of the classes' recalls."""

from __future__ import annotations

import keras
import tensorflow as tf

from kt_extras.metrics.confusion import ConfusionMetric, hits, mean_over, supports


@keras.saving.register_keras_serializable(package="kt_extras")
class BalancedAccuracy(ConfusionMetric):
    """Mean of the recalls of all classes, so that each counts alike however rare it is.

    As in scikit-learn's `balanced_accuracy_score`, classes without rows are left out.  Without any
    row it is 0.

    Args:
        num_classes: C, at least 2.
        threshold: With two classes, what the score of class 1 must exceed to be decided for.  By
            default 0.5 for one score a row (0.0 suits logits), and the larger of two scores.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `"balanced_accuracy"`.
        dtype: Of the result. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.

    Raises:
        ValueError: An argument out of its range.

    >>> metric = BalancedAccuracy(num_classes=2)
    >>> metric.update_state([0, 0, 0, 0, 1], [0.1, 0.2, 0.3, 0.8, 0.9])
    >>> float(metric.result())  # (3/4 + 1) / 2
    0.875
    """

    def __init__(
        self,
        num_classes: int,
        threshold: float | None = None,
        *,
        ignore_class: int | None = None,
        name: str | None = "balanced_accuracy",
        dtype: object = None,
    ) -> None:
        super().__init__(num_classes, threshold, ignore_class=ignore_class, name=name, dtype=dtype)

    def score(self, matrix: tf.Tensor) -> tf.Tensor:
        """Return the mean of the recalls."""
        support = supports(matrix)
        return mean_over(support, tf.math.divide_no_nan(hits(matrix), support))


@keras.saving.register_keras_serializable(package="kt_extras")
class GeometricMean(ConfusionMetric):
    """Geometric mean of the recalls of all classes: 0 as soon as one class is never found.

    Classes without rows are left out, as in `BalancedAccuracy`; imbalanced-learn's
    `geometric_mean_score` is 0 if such a class is predicted.  Without any row it is 0.

    Args:
        num_classes: C, at least 2.
        threshold: With two classes, what the score of class 1 must exceed to be decided for.  By
            default 0.5 for one score a row (0.0 suits logits), and the larger of two scores.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `"geometric_mean"`.
        dtype: Of the result. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.

    Raises:
        ValueError: An argument out of its range.

    Source: Kubat & Matwin 1997, "Addressing the Curse of Imbalanced Training Sets", ICML, sec. 2.

    >>> metric = GeometricMean(num_classes=2)
    >>> metric.update_state([0, 0, 0, 0, 1], [0.1, 0.8, 0.8, 0.8, 0.9])
    >>> float(metric.result())  # sqrt(1/4 * 1)
    0.5
    """

    def __init__(
        self,
        num_classes: int,
        threshold: float | None = None,
        *,
        ignore_class: int | None = None,
        name: str | None = "geometric_mean",
        dtype: object = None,
    ) -> None:
        super().__init__(num_classes, threshold, ignore_class=ignore_class, name=name, dtype=dtype)

    def score(self, matrix: tf.Tensor) -> tf.Tensor:
        """Return the geometric mean of the recalls."""
        support = supports(matrix)
        # The sum of logarithms has no underflow, unlike the product of many recalls.
        log_recalls = tf.math.log(hits(matrix) / support)
        present = tf.not_equal(support, 0)
        log_recalls = tf.where(present, log_recalls, tf.zeros_like(support))
        mean = tf.exp(mean_over(support, log_recalls))
        return tf.where(tf.reduce_any(present), mean, tf.zeros_like(mean))
