"""Metrics that are functions of the confusion matrix.

They differ only in how they score a matrix, so there is one metric that accumulates it, and a
matrix is a sum over rows: in whatever batches they come, and on whatever replicas, the value is the
same.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras.arguments import is_number
from kt_extras.class_arguments import check_num_classes
from kt_extras.compat import require_tensorflow
from kt_extras.losses.counted import checked_ignore_class
from kt_extras.metrics.rows import rows


class ConfusionMetric(keras.metrics.Metric):
    """Accumulates a confusion matrix; subclasses compute the metric from it.

    Args:
        num_classes: C, at least 2.
        threshold: With two classes, what the score of class 1 must exceed to be decided for.  By
            default 0.5 for one score a row (0.0 suits logits), and the larger of two scores.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `None`.
        dtype: Of the result; the matrix is kept in double precision. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.

    Raises:
        ValueError: An argument out of its range.
    """

    _direction = "up"  # which `EarlyStopping` of Keras 3 looks for

    def __init__(
        self,
        num_classes: int,
        threshold: float | None = None,
        *,
        ignore_class: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        require_tensorflow(type(self).__name__)
        super().__init__(name=name, dtype=dtype)
        check_num_classes(num_classes)
        if threshold is not None and num_classes != 2:
            raise ValueError(
                f"`threshold` is for two classes, got {threshold!r} with `num_classes` "
                f"{num_classes}; with more the largest score decides."
            )
        if not (threshold is None or (is_number(threshold) and threshold == threshold)):  # not NaN
            raise ValueError(f"`threshold` must be a number or None, got {threshold!r}.")
        self.num_classes = num_classes
        self.ignore_class = checked_ignore_class(ignore_class)
        self.threshold = threshold
        self.matrix = self.add_weight(
            shape=(num_classes, num_classes), initializer="zeros", dtype="float64", name="matrix"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        batch = rows(
            y_true,
            y_pred,
            sample_weight,
            num_classes=self.num_classes,
            ignore_class=self.ignore_class,
        )
        decisions = decide(batch.scores, self.threshold)
        self.matrix.assign_add(
            confusion_matrix(batch.truth, decisions, batch.weights, num_classes=self.num_classes)
        )

    def result(self) -> tf.Tensor:
        """Return the value for all rows since the last reset, a scalar."""
        return tf.cast(self.score(tf.convert_to_tensor(self.matrix)), self.dtype)

    def score(self, matrix: tf.Tensor) -> tf.Tensor:
        """Return the metric of a confusion matrix: true classes in rows, decisions in columns."""
        raise NotImplementedError

    def reset_state(self) -> None:
        """Forget all rows."""
        self.matrix.assign(tf.zeros(self.matrix.shape, tf.float64))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_class": self.ignore_class,
            "threshold": self.threshold,
        }


def decide(scores: tf.Tensor, threshold: float | None) -> tf.Tensor:
    """Return the class that each row is given.

    Args:
        scores: Shape ``(n, C)``, or ``(n,)``: of class 1 of two.
        threshold: What the score of class 1 must exceed, or None: 0.5 for one score a row,
            otherwise the largest score decides.

    Returns:
        int32 of shape ``(n,)``.

    >>> decide(tf.constant([0.2, 0.6]), 0.5).numpy().tolist()
    [0, 1]
    >>> decide(tf.constant([[0.8, 0.2], [0.6, 0.4]]), 0.3).numpy().tolist()
    [0, 1]
    """
    if threshold is None and scores.shape.rank > 1:
        return tf.argmax(scores, axis=-1, output_type=tf.int32)
    of_one = scores if scores.shape.rank == 1 else scores[:, 1]
    return tf.cast(of_one > (0.5 if threshold is None else threshold), tf.int32)


def confusion_matrix(
    truth: tf.Tensor, decisions: tf.Tensor, weights: tf.Tensor, *, num_classes: int
) -> tf.Tensor:
    """Return the weight of the rows of each class that were given each class.

    Args:
        truth: Class numbers, int32 of shape ``(n,)``.
        decisions: The same shape and type.
        weights: Shape ``(n,)``.
        num_classes: C.

    Returns:
        Shape ``(C, C)``, true classes in rows, in the type of the weights.

    >>> truth, decisions = tf.constant([0, 0, 1]), tf.constant([0, 1, 1])
    >>> confusion_matrix(truth, decisions, tf.ones(3), num_classes=2).numpy().tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    cells = truth * num_classes + decisions
    total = tf.math.unsorted_segment_sum(weights, cells, num_classes**2)
    return tf.reshape(total, (num_classes, num_classes))


def supports(matrix: tf.Tensor) -> tf.Tensor:
    """Return the weight of the rows of each true class, shape ``(C,)``."""
    return tf.reduce_sum(matrix, axis=1)


def hits(matrix: tf.Tensor) -> tf.Tensor:
    """Return the weight of the rows of each class that were given it, shape ``(C,)``."""
    return tf.linalg.diag_part(matrix)


def mean_over(present: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Return the mean over some classes, 0 if there are none.

    Args:
        present: Shape ``(C,)``: 0 for the classes that are left out; NaN counts as present.
        values: Shape ``(C,)``.

    >>> float(mean_over(tf.constant([5.0, 0.0, 1.0]), tf.constant([1.0, 9.0, 0.0])))
    0.5
    """
    fraction = tf.cast(tf.not_equal(present, 0), values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(fraction * values), tf.reduce_sum(fraction))
