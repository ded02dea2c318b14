"""What all losses of classes that exclude one another have in common."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kt_extras.arguments import is_finite
from kt_extras.compat import with_keras_mask
from kt_extras.losses.checks import nan_as_inputs
from kt_extras.losses.counted import checked_ignore_class, of_other_classes, with_valid_labels
from kt_extras.losses.labels import class_labels
from kt_extras.losses.logits import class_logits
from kt_extras.losses.row_loss import RowLoss


class ClassificationLoss(RowLoss):
    """Takes integer or one-hot labels and a score a class; subclasses say what a row costs.

    Args:
        from_logits: Whether `y_pred` are logits; otherwise probabilities.
        ignore_class: Number of a class whose rows do not count, None for none.
        reduction: As in Keras: "sum_over_batch_size", "sum" or None.
        name: Name of the loss.
    """

    #: For a loss of class numbers alone: what to use for one-hot labels.
    instead: str | None = None

    def __init__(
        self,
        *,
        from_logits: bool,
        ignore_class: int | None,
        reduction: str | None,
        name: str | None,
    ) -> None:
        super().__init__(reduction=reduction, name=name)
        self.from_logits = from_logits
        self.ignore_class = checked_ignore_class(ignore_class)

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the loss of each row: shape ``(...)`` for scores of shape ``(..., C)``."""
        logits = class_logits(y_pred, from_logits=self.from_logits)
        if self.ignore_class is None:
            return self._checked_rows(y_true, logits)
        rows = logits.shape[:-1]
        counted = of_other_classes(y_true, self.ignore_class, rows)
        losses = self._checked_rows(with_valid_labels(y_true, counted, rows), logits)
        return with_keras_mask(tf.where(counted, losses, tf.zeros([], losses.dtype)), counted)

    def _checked_rows(self, y_true: Any, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row."""
        labels, logits = class_labels(y_true, logits, instead=self.instead)
        return nan_as_inputs(self.per_row(labels, logits), labels, logits)

    def per_row(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each row, from `class_labels` and `class_logits`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        own = {"from_logits": self.from_logits, "ignore_class": self.ignore_class}
        return {**super().get_config(), **own}


def crossentropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return -sum_c y_c log p_c for each row.

    Args:
        labels: Class numbers, shape ``(...)``; or y, shape ``(..., C)``, each row summing to 1.
        logits: Shape ``(..., C)``.

    >>> print(crossentropy(tf.constant([1]), tf.constant([[0.0, 0.0]])).numpy().round(4))
    [0.6931]
    """
    if labels.dtype.is_integer:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def columns(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return labels with a column for each class, shape ``(..., C)``.

    >>> columns(tf.constant([1]), tf.constant([[0.0, 0.0]])).numpy().tolist()
    [[0.0, 1.0]]
    """
    if labels.dtype.is_integer:
        return tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return labels


def check_columns(name: str, size: int, logits: tf.Tensor) -> None:
    """Raise if an argument is made for another number of classes than the model's.

    Args:
        name: The argument.
        size: Number of classes it is made for.
        logits: Shape ``(..., C)``.
    """
    if size != logits.shape[-1]:
        raise ValueError(
            f"`{name}` must have one entry for each column of `y_pred`, which has "
            f"{logits.shape[-1]}, got {size}."
        )


def check_at_least(name: str, value: float, *, minimum: float) -> None:
    """Raise unless an argument is finite and at least so large.

    >>> check_at_least("gamma", -1.0, minimum=0)
    Traceback (most recent call last):
    ValueError: `gamma` must be finite and at least 0, got -1.0.
    """
    if not (is_finite(value) and value >= minimum):
        raise ValueError(f"`{name}` must be finite and at least {minimum:g}, got {value!r}.")
