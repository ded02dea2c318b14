"""How good predictions are: by the loss that models were trained for, or by another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kt_extras import compat
from kt_extras.arrays import FloatArray

#: Returns a number of labels and predictions; lower is better.
LossFunction = Callable[[Any, Any], Any]


def check_loss(loss: LossFunction | None, *, has_slope: bool = False) -> None:
    """Raise for what cannot judge predictions.

    Args:
        loss: As for `Judge`.
        has_slope: Whether its derivatives are needed. Defaults to `False`.

    Raises:
        TypeError: It is not callable.
        ValueError: It is a function of the user's, and derivatives are needed.
    """
    if loss is not None and not callable(loss):
        raise TypeError(
            "`loss` must be a loss of Keras or a function `(y_true, y_pred) -> number` that is "
            f"lower for better predictions, got {loss!r}."
        )
    if has_slope and not (loss is None or isinstance(loss, keras.losses.Loss)):
        raise ValueError(
            "`loss` must be a loss of Keras for `method='stacking'`, which needs its derivatives, "
            f"got {loss!r}; choose `method='greedy'`, or leave `loss` out."
        )


class Judge:
    """Measures predictions for rows whose labels are known.

    Args:
        model: A model, whose compiled loss is used if there is no other.
        y: The labels.
        sample_weight: Shape ``(n,)``, or None.
        loss: A loss of Keras, or a function ``(y_true, y_pred) -> number``; lower is better.
            Defaults to `None`, the loss that the model was compiled with.

    Raises:
        TypeError: `loss` is not callable.
        ValueError: There is no loss.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> Judge(model, np.array([1.0, 2.0]), None)(np.array([[1.0], [4.0]]))
    2.0
    """

    def __init__(
        self,
        model: keras.Model,
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        loss: LossFunction | None = None,
    ) -> None:
        check_loss(loss)
        if loss is None and compat.compile_arguments(model).get("loss") is None:
            raise ValueError(
                "`loss` must be given, since the models were not compiled with one; a function "
                "`(y_true, y_pred) -> number` that is lower for better predictions."
            )
        self._model, self._loss = model, loss
        self._y, self._weights = y, sample_weight

    def __call__(self, predicted: NDArray[Any]) -> float:
        """Return the loss of predictions, NaN for those that have no number.

        Raises:
            ValueError: The loss is not a single number.
        """
        if self._loss is None or isinstance(self._loss, keras.losses.Loss):
            predicted = np.asarray(predicted, dtype=self._model.compute_dtype)
        found = np.asarray(self._of(predicted))
        if found.size != 1:
            raise ValueError(
                f"`loss` must return one number for all rows, got shape {found.shape}; take the "
                "mean."
            )
        return float(found.reshape(()))

    def check_labels(self, y: NDArray[Any]) -> None:
        """Raise unless rows that were gone through once more came with the same labels.

        Raises:
            ValueError: They did not.
        """
        if not np.array_equal(y, self._y):
            raise ValueError(
                "`x_val` must have the same rows in the same order each time it is gone through; "
                "pass arrays, or a data set that is not shuffled."
            )

    def loss_and_slope(
        self, predictions: NDArray[Any]
    ) -> Callable[[FloatArray], tuple[float, FloatArray]]:
        """Return a function of the weights of an average: its loss, and the derivatives of that.

        Args:
            predictions: Shape ``(m, n, ...)``, of each model.

        Raises:
            ValueError: The loss is not one of Keras, which have derivatives.
        """
        check_loss(self._loss, has_slope=True)
        stacked = tf.constant(predictions, self._model.compute_dtype)

        def measured(weights: FloatArray) -> tuple[float, FloatArray]:
            given = tf.constant(weights, stacked.dtype)
            with tf.GradientTape() as tape:
                tape.watch(given)
                loss = self._of(tf.tensordot(given, stacked, 1))
            slope = np.asarray(tape.gradient(loss, given), dtype=np.float64)
            return float(loss), slope

        return measured

    def _of(self, predicted: Any) -> Any:
        if self._loss is None:
            return self._model.compute_loss(
                None, tf.convert_to_tensor(self._y), tf.convert_to_tensor(predicted), self._weights
            )
        if isinstance(self._loss, keras.losses.Loss):
            return self._loss(self._y, predicted, sample_weight=self._weights)
        return self._loss(self._y, predicted)
