"""F-beta of a batch, made differentiable by counting probabilities instead of decisions."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras.arguments import is_finite
from kt_extras.compat import keras_mask
from kt_extras.losses.checks import nan_as_inputs
from kt_extras.losses.classification import columns
from kt_extras.losses.counted import (
    aligned_weights,
    checked_ignore_class,
    of_other_classes,
    ranked,
    with_valid_labels,
)
from kt_extras.losses.labels import binary_labels, class_labels
from kt_extras.losses.logits import binary_logits, class_logits
from kt_extras.losses.row_loss import RowLoss, shape_of_rows

_AVERAGES = ("macro", "micro")


def soft_fbeta(y: tf.Tensor, p: tf.Tensor, *, beta: float, average: str) -> tf.Tensor:
    """Return (1 + b^2) tp / (b^2 (tp + fn) + tp + fp) with tp the sum of y p, and so on.

    Args:
        y: Labels between 0 and 1, shape ``(n, C)``.
        p: Probabilities, shape ``(n, C)``.
        beta: b, above 0.
        average: "macro", the mean over the columns that have a positive label in this batch; or
            "micro", the sums taken over all columns.

    Returns:
        A scalar in [0, 1]; 1 if no label is positive.

    >>> y, p = tf.constant([[1.0], [0.0]]), tf.constant([[0.5], [0.5]])
    >>> float(soft_fbeta(y, p, beta=1.0, average="macro"))  # 2 * 0.5 / (1 + 1)
    0.5
    """
    hits, positives, predicted = (tf.reduce_sum(each, axis=0) for each in (y * p, y, p))
    if average == "micro":
        hits, positives, predicted = map(tf.reduce_sum, (hits, positives, predicted))
    score = tf.math.divide_no_nan((1 + beta**2) * hits, beta**2 * positives + predicted)
    present = tf.cast(positives > 0, p.dtype)
    lost = tf.reduce_sum(present * (1 - score))
    return 1 - tf.math.divide_no_nan(lost, tf.reduce_sum(present))


@keras.saving.register_keras_serializable(package="kt_extras")
class SoftFBetaLoss(RowLoss):
    """1 - F-beta of the batch, with probabilities in the place of decisions.

    It looks at the batch as a whole, so batches must be large enough to have positives of each
    class; a class that a batch lacks is left out of its mean.  Rows that Keras' mask or
    `ignore_class` excludes are left out.  Sample weights scale the loss of the batch, as with
    Keras' `Dice`; they can't weigh its rows, and a row that weighs 0 needs a valid label.

    Args:
        beta: Weight of recall against precision, above 0: at 2 recall counts more, at 0.5 less.
            Defaults to `1.0`.
        average: "macro", every class counts alike; or "micro", every decision does. Defaults to
            `"macro"`.
        multi_label: Whether columns are labels of which any number may apply, rather than classes
            that exclude one another. Defaults to `False`.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `False`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label are left out; None for none. Defaults to `None`.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None; the batch counts as one row.
            Defaults to `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"soft_fbeta_loss"`.

    `y_pred` has a column for each class or label; or one column, or shape ``(n,)``, for a binary
    problem, where F-beta is that of the positive class.  Labels of classes are integers or one-hot.

    Raises:
        ValueError: An argument out of its range.

    >>> loss = SoftFBetaLoss()
    >>> float(loss([1, 0], [0.5, 0.5]))
    0.5
    """

    def __init__(
        self,
        beta: float = 1.0,
        *,
        average: str = "macro",
        multi_label: bool = False,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "soft_fbeta_loss",
    ) -> None:
        super().__init__(reduction=reduction, name=name)
        if not (is_finite(beta) and beta > 0):
            raise ValueError(f"`beta` must be finite and above 0, got {beta!r}.")
        if average not in _AVERAGES:
            raise ValueError(f"`average` must be one of {', '.join(_AVERAGES)}, got {average!r}.")
        self.beta, self.average = float(beta), average
        self.multi_label, self.from_logits = multi_label, from_logits
        self.ignore_class = checked_ignore_class(ignore_class)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        """Return the loss of a batch.

        Keras would multiply it by the mask of rows; `call` gets the mask with the labels instead.
        """
        mask, rows = keras_mask(y_pred), shape_of_rows(y_pred)
        y_true = ranked(y_true, y_pred, rows)
        if mask is not None:
            counted = aligned_weights(mask, rows, name="The mask of `y_pred`", dtype=tf.bool)
            y_true = (y_true, counted)
            y_pred = tf.identity(y_pred)  # without the mask
            if sample_weight is not None:
                sample_weight = _mean_weight(sample_weight, counted, rows)
        return keras.losses.Loss.__call__(self, y_true, y_pred, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the loss of the batch, shape ``(1,)``."""
        y_pred = tf.convert_to_tensor(y_pred)
        y_true, counted = self._counted(y_true, shape_of_rows(y_pred))
        if self.multi_label or y_pred.shape.rank == 1 or y_pred.shape[-1] == 1:
            logits = binary_logits(y_pred, from_logits=self.from_logits)
            y, p = binary_labels(y_true, logits), tf.sigmoid(logits)
        else:
            logits = class_logits(y_pred, from_logits=self.from_logits)
            labels, logits = class_labels(y_true, logits)
            y, p = columns(labels, logits), tf.nn.softmax(logits)
        p = nan_as_inputs(p, logits)
        width = 1 if p.shape.rank == 1 else p.shape[-1]
        y, p = tf.reshape(y, (-1, width)), tf.reshape(p, (-1, width))
        if counted is not None:  # rows of zeros add to no sum
            counted = tf.reshape(counted, (-1, 1))
            y, p = (tf.where(counted, each, tf.zeros([], each.dtype)) for each in (y, p))
        # With an axis, so that Keras averages over replicas and takes sample weights.
        loss = 1 - soft_fbeta(y, p, beta=self.beta, average=self.average)[tf.newaxis]
        return nan_as_inputs(loss, y[tf.newaxis], p[tf.newaxis])

    def _counted(self, y_true: Any, rows: tf.TensorShape) -> tuple[Any, tf.Tensor | None]:
        """Return labels that are valid where rows are left out, and which rows are not."""
        y_true, counted = y_true if isinstance(y_true, tuple) else (y_true, None)
        if counted is not None:
            counted = tf.cast(counted, tf.bool)
        if self.ignore_class is not None:
            other = of_other_classes(y_true, self.ignore_class, rows)
            counted = other if counted is None else tf.logical_and(counted, other)
        if counted is not None:
            y_true = with_valid_labels(y_true, counted, rows)
        return y_true, counted

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {
            **super().get_config(),
            "beta": self.beta,
            "average": self.average,
            "multi_label": self.multi_label,
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
        }


def _mean_weight(sample_weight: Any, counted: tf.Tensor, rows: tf.TensorShape) -> tf.Tensor:
    """Return the mean of the weights of the rows that count, shape ``(1,)``."""
    weights = aligned_weights(sample_weight, rows, name="`sample_weight`", dtype=tf.float32)
    counts = tf.cast(counted, weights.dtype) * tf.ones_like(weights)
    mean = tf.math.divide_no_nan(tf.reduce_sum(counts * weights), tf.reduce_sum(counts))
    return mean[tf.newaxis]
