"""F1 as one number, which a search can have as its objective."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras.metrics.confusion import ConfusionMetric, hits, mean_over, supports

_AVERAGES = ("macro", "micro", "weighted", "binary")


@keras.saving.register_keras_serializable(package="kt_extras")
class F1Score(ConfusionMetric):
    """Harmonic mean of precision and recall, averaged over the classes.

    Keras' own returns one value a class by default, and has no integer labels.  As in
    scikit-learn's `f1_score`, classes that neither occur nor are predicted are left out of "macro".
    Without any row it is 0.

    Args:
        num_classes: C, at least 2.
        average: "macro", the mean over the classes; "weighted", by how often they occur; "micro",
            over all decisions, which is the accuracy; or "binary", of class 1 of two. Defaults to
            `"macro"`.
        threshold: With two classes, what the score of class 1 must exceed to be decided for.  By
            default 0.5 for one score a row (0.0 suits logits), and the larger of two scores.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `"f1_score"`.
        dtype: Of the result. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.

    Raises:
        ValueError: An argument out of its range.

    >>> metric = F1Score(num_classes=2, average="binary")
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.3])
    >>> round(float(metric.result()), 4)  # 2 * 1 * 0.5 / (1 + 0.5)
    0.6667
    """

    def __init__(
        self,
        num_classes: int,
        average: str = "macro",
        threshold: float | None = None,
        *,
        ignore_class: int | None = None,
        name: str | None = "f1_score",
        dtype: object = None,
    ) -> None:
        if average not in _AVERAGES:
            raise ValueError(
                f"`average` must be one of {', '.join(_AVERAGES)}, got {average!r}; an objective "
                "needs a single number."
            )
        if average == "binary" and num_classes != 2:
            raise ValueError(f"`average` 'binary' is for two classes, got {num_classes!r}.")
        super().__init__(num_classes, threshold, ignore_class=ignore_class, name=name, dtype=dtype)
        self.average = average

    def score(self, matrix: tf.Tensor) -> tf.Tensor:
        """Return the average of the classes' F1."""
        support, hit = supports(matrix), hits(matrix)
        if self.average == "micro":
            return tf.math.divide_no_nan(tf.reduce_sum(hit), tf.reduce_sum(support))
        either = support + tf.reduce_sum(matrix, axis=0)
        f1 = tf.math.divide_no_nan(2 * hit, either)
        if self.average == "binary":
            return f1[1]
        if self.average == "macro":
            return mean_over(either, f1)
        return tf.math.divide_no_nan(tf.reduce_sum(support * f1), tf.reduce_sum(support))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {**super().get_config(), "average": self.average}
