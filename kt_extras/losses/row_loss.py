"""What all losses do with masks and with sample weights."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras.compat import keras_mask, require_tensorflow
from kt_extras.losses.counted import aligned_weights, ranked, with_valid_labels


class RowLoss(keras.losses.Loss):
    """A loss with a value for each row, or for each batch.

    Keras multiplies the values of rows by its mask and by sample weights.  What it does not do: let
    rows that weigh 0 have any label, and spread the weights of sequences over their steps.

    Args:
        reduction: As in Keras: "sum_over_batch_size", "sum" or None.
        name: Name of the loss.

    Raises:
        RuntimeError: Keras runs on another backend than TensorFlow.
    """

    def __init__(self, *, reduction: str | None, name: str | None) -> None:
        require_tensorflow(type(self).__name__)
        super().__init__(reduction=reduction or "none", name=name)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        """Return the loss of a batch."""
        mask, rows = keras_mask(y_pred), shape_of_rows(y_pred)
        y_true = ranked(y_true, y_pred, rows)
        counted = None
        if mask is not None:
            counted = aligned_weights(mask, rows, name="The mask of `y_pred`", dtype=tf.bool)
        if sample_weight is not None:
            sample_weight = aligned_weights(
                sample_weight, rows, name="`sample_weight`", dtype=tf.float32
            )
            weighs = tf.not_equal(sample_weight, 0)
            counted = weighs if counted is None else tf.logical_and(counted, weighs)
        if counted is not None:
            y_true = with_valid_labels(y_true, counted, rows)
        return super().__call__(y_true, y_pred, sample_weight)


def shape_of_rows(y_pred: Any) -> tf.TensorShape:
    """Return ``(...)`` for scores of shape ``(..., C)``, and ``(n,)`` for ``(n,)``.

    >>> shape_of_rows([[0.1, 0.9]]).as_list(), shape_of_rows([0.5]).as_list()
    ([1], [1])
    """
    shape = tf.convert_to_tensor(y_pred).shape
    return shape if shape.rank == 1 else shape[:-1]
