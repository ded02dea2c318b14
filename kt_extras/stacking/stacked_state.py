"""The variables of several models as stacked tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf


class StackedState:
    """Tensors with a first dimension for the model, and the way from and to variables.

    Args:
        rows: The values of each model, in the same order.

    >>> import keras
    >>> one, other = keras.Variable(0.25), keras.Variable(0.5)
    >>> state = StackedState([[one.value], [other.value]])
    >>> state.tensors = [2 * state.tensors[0]]
    >>> state.write(1, [other])
    >>> float(one), float(other)
    (0.25, 1.0)
    """

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self.tensors = [tf.stack(column) for column in zip(*rows, strict=True)]

    @property
    def tensors(self) -> list[Any]:
        """The stacked values."""
        return self._tensors

    @tensors.setter
    def tensors(self, values: Sequence[Any]) -> None:
        self._tensors = list(values)
        self._columns: list[list[Any]] | None = None

    def write(self, at: int, variables: Sequence[Any]) -> None:
        """Assign the values of one model to variables.

        All models' values are unstacked at once, and assigned without the checks of Keras: it is
        done for all models after each epoch.
        """
        if self._columns is None:
            self._columns = [tf.unstack(tensor) for tensor in self._tensors]
        for variable, column in zip(variables, self._columns, strict=True):
            tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=column[at])

    def read(self, at: int, values: Sequence[Any]) -> None:
        """Take the values of one model; those that are the same are not copied."""
        for index, (tensor, value) in enumerate(zip(self._tensors, values, strict=True)):
            if not np.array_equal(np.asarray(tensor)[at], value.numpy()):
                row = tf.expand_dims(value, 0)
                self._tensors[index] = tf.tensor_scatter_nd_update(tensor, [[at]], row)
                self._columns = None

    def replaced(self, values: Mapping[int, Any]) -> list[Any]:
        """Return the tensors with others in some places; each is a value for all models."""
        count = len(self._tensors[0])
        return [
            tf.repeat(values[index][None], count, 0) if index in values else tensor
            for index, tensor in enumerate(self._tensors)
        ]

    def gather(self, rows: Sequence[int]) -> None:
        """Keep the models of some rows, in their order."""
        self.tensors = [tf.gather(tensor, rows) for tensor in self._tensors]
