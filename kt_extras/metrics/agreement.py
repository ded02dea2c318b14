"""Two coefficients of agreement beyond chance: Matthews' correlation and Cohen's kappa."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras.arrays import FloatArray
from kt_extras.metrics.confusion import ConfusionMetric, supports

_WEIGHTINGS = (None, "linear", "quadratic")


@keras.saving.register_keras_serializable(package="kt_extras")
class MatthewsCorrelationCoefficient(ConfusionMetric):
    """Correlation between truth and decision, from -1 to 1, for any number of classes.

    As in scikit-learn's `matthews_corrcoef`, it is 0 if all rows are of one class or all are given
    one class.

    Args:
        num_classes: C, at least 2.
        threshold: With two classes, what the score of class 1 must exceed to be decided for.  By
            default 0.5 for one score a row (0.0 suits logits), and the larger of two scores.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `"matthews_correlation_coefficient"`.
        dtype: Of the result. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.

    Raises:
        ValueError: An argument out of its range.

    Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation
    coefficient", Computational Biology and Chemistry 28, eq. 8.

    >>> metric = MatthewsCorrelationCoefficient(num_classes=2)
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.3])
    >>> round(float(metric.result()), 4)  # (2 * 1 - 0 * 1) / sqrt(1 * 2 * 2 * 3)
    0.5774
    """

    def __init__(
        self,
        num_classes: int,
        threshold: float | None = None,
        *,
        ignore_class: int | None = None,
        name: str | None = "matthews_correlation_coefficient",
        dtype: object = None,
    ) -> None:
        super().__init__(num_classes, threshold, ignore_class=ignore_class, name=name, dtype=dtype)

    def score(self, matrix: tf.Tensor) -> tf.Tensor:
        """Return the covariance of truth and decision over the root of their variances."""
        true, predicted = supports(matrix), tf.reduce_sum(matrix, axis=0)
        n = tf.reduce_sum(true)
        covariance = tf.linalg.trace(matrix) * n - tf.reduce_sum(true * predicted)
        variances = [n * n - tf.reduce_sum(each * each) for each in (true, predicted)]
        product = variances[0] * variances[1]
        # Fractional weights may leave a variance of 0 a little below it.
        product = tf.where(product < 0, tf.zeros_like(product), product)
        return tf.math.divide_no_nan(covariance, tf.sqrt(product))


@keras.saving.register_keras_serializable(package="kt_extras")
class CohenKappa(ConfusionMetric):
    """Agreement between truth and decision beyond what chance would give, at most 1.

    As in scikit-learn's `cohen_kappa_score`, it is NaN if all rows are of one class and given that
    class, since chance would do the same.  Without any row it is 0.

    Args:
        num_classes: C, at least 2.
        weighting: How much a confusion of classes i and j counts: None, all alike; "linear",
            ``|i - j|``; or "quadratic", ``(i - j)**2``, for classes that have an order. Defaults to
            `None`.
        threshold: With two classes, what the score of class 1 must exceed to be decided for.  By
            default 0.5 for one score a row (0.0 suits logits), and the larger of two scores.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `"cohen_kappa"`.
        dtype: Of the result. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.

    Raises:
        ValueError: An argument out of its range.

    Source: Cohen 1968, "Weighted kappa", Psychological Bulletin 70(4), eq. 8.

    >>> metric = CohenKappa(num_classes=2)
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.3])
    >>> float(metric.result())  # (3/4 - 1/2) / (1 - 1/2)
    0.5
    """

    def __init__(
        self,
        num_classes: int,
        weighting: str | None = None,
        threshold: float | None = None,
        *,
        ignore_class: int | None = None,
        name: str | None = "cohen_kappa",
        dtype: object = None,
    ) -> None:
        if weighting not in _WEIGHTINGS:
            raise ValueError(
                f"`weighting` must be None, 'linear' or 'quadratic', got {weighting!r}."
            )
        super().__init__(num_classes, threshold, ignore_class=ignore_class, name=name, dtype=dtype)
        self.weighting = weighting

    def score(self, matrix: tf.Tensor) -> tf.Tensor:
        """Return 1 less the disagreement relative to that by chance."""
        true, predicted = supports(matrix), tf.reduce_sum(matrix, axis=0)
        n = tf.reduce_sum(true)
        distances = tf.constant(_distances(self.num_classes, self.weighting))
        disagreement = n * tf.reduce_sum(distances * matrix)
        by_chance = tf.reduce_sum(distances * true[:, tf.newaxis] * predicted)
        return tf.where(tf.equal(n, 0), n, 1 - disagreement / by_chance)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {**super().get_config(), "weighting": self.weighting}


def _distances(num_classes: int, weighting: str | None) -> FloatArray:
    """Return how far apart two classes are, shape ``(C, C)``."""
    difference = np.abs(np.subtract.outer(np.arange(num_classes), np.arange(num_classes)))
    power = {None: np.sign, "linear": np.abs, "quadratic": np.square}[weighting]
    return np.asarray(power(difference), dtype=np.float64)
