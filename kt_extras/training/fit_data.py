"""The arrays of a training as tensors, and the order in which each epoch takes their rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras import compat
from kt_extras.arrays import IntArray

_BATCH_SIZE = 32  # Keras' own default


@dataclass(frozen=True)
class ArrayData:
    """Arrays as tensors, in the form in which Keras passes a batch of them to `train_step`.

    Attributes:
        data: A tensor, or a nest of tensors such as ``(x, y)`` or ``(x, y, sample_weight)``, with
            one row for each sample.  `class_weight` has become sample weights, and the numbers have
            the types that Keras gives them.
        rows: How many samples there are.
        batch_size: How many of them are in a batch.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> found = array_data(model, np.ones((5, 2)), np.ones(5), batch_size=2)
    >>> found.batches, found.has_partial_batch, [t.shape[0] for t in tf.nest.flatten(found.data)]
    (3, True, [5, 5])
    """

    data: Any
    rows: int
    batch_size: int

    @property
    def batches(self) -> int:
        """How many batches there are."""
        return math.ceil(self.rows / self.batch_size)

    @property
    def has_partial_batch(self) -> bool:
        """Whether the last batch has fewer samples than the others."""
        return self.rows % self.batch_size > 0

    def orders(self, *, shuffle: bool, steps: int | None) -> EpochOrder:
        """Return what gives the rows of each epoch.

        Args:
            shuffle: Whether to draw an order.
            steps: How many batches are in an epoch, None for all.
        """
        return EpochOrder(self.rows, self.batch_size, shuffle=shuffle, steps=steps)

    def first_batch(self, order: IntArray) -> IntArray:
        """Return the rows of the first batch of an epoch."""
        return order[: self.batch_size]


def array_data(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    batch_size: int | None = None,
    steps: int | None = None,
) -> ArrayData:
    """Return arrays as tensors, converted by Keras itself.

    Args:
        model: The model that they are for.
        x: As for `fit`: arrays, tensors, data frames or nests of them, which `is_array_data` takes.
        y: As for `fit`.
        sample_weight: As for `fit`.
        class_weight: As for `fit`.
        batch_size: As for `fit`.
        steps: The `steps_per_epoch` of `fit`, which sets the size of a batch if that is None.

    Raises:
        ValueError: There is no sample, or Keras does not take these arrays.
    """
    rows = rows_of(x)
    if not rows:
        raise ValueError("`x` must have at least one row.")
    size = _size(rows, batch_size, steps)
    given = {"y": y, "sample_weight": sample_weight, "class_weight": class_weight}
    return ArrayData(compat.fit_tensors(model, x, batch_size=rows, **given), rows, size)


def is_array_data(*arrays: Any) -> bool:
    """Return whether `array_data` takes nests of arrays: all are dense and have rows.

    >>> is_array_data({"a": np.ones(3)}, None), is_array_data(iter([1]), None)
    (True, False)
    """
    parts = [part for nest in arrays if nest is not None for part in _parts(nest)]
    return bool(parts) and all(_is_dense(part) for part in parts)


def rows_of(x: Any) -> int:
    """Return how many rows there are in a nest of arrays."""
    return int(_parts(x)[0].shape[0])


def batches_in(rows: int, batch_size: int | None, steps: int | None) -> int:
    """Return how many batches `fit` makes of rows, the last of which may have fewer.

    >>> batches_in(100, None, None), batches_in(100, None, 5)
    (4, 5)
    """
    return math.ceil(rows / _size(rows, batch_size, steps))


class EpochOrder:
    """The rows of each epoch in the order in which they are trained.

    With `shuffle` the order of an epoch is a new permutation.  Its seed is drawn from the stream
    that seeds TensorFlow's eager operations, as the shuffling of `fit` is: it repeats under
    `keras.utils.set_random_seed`, and a training that is resumed with its random state goes on with
    the order of one that was never stopped.

    Args:
        rows: How many rows there are.
        batch_size: How many are in a batch.
        shuffle: Whether to draw an order.
        steps: How many batches there are in an epoch, a divisor of the number of all: epochs then
            share an order.  Defaults to None: all.

    >>> EpochOrder(5, 2, shuffle=False).next().tolist()
    [0, 1, 2, 3, 4]
    """

    def __init__(
        self, rows: int, batch_size: int, *, shuffle: bool, steps: int | None = None
    ) -> None:
        self._rows, self._shuffle = rows, shuffle
        self._taken = rows if steps is None else min(steps * batch_size, rows)
        self._order: IntArray = np.arange(rows)
        self._begin = rows

    def next(self) -> IntArray:
        """Return the rows of the next epoch, shape ``(n,)``."""
        if self._begin >= self._rows:
            self._begin = 0
            if self._shuffle:
                self._order = np.random.default_rng(compat.draw_seed()).permutation(self._rows)
        begin, self._begin = self._begin, self._begin + self._taken
        return self._order[begin : self._begin]


def _size(rows: int, batch_size: int | None, steps: int | None) -> int:
    return batch_size or (math.ceil(rows / steps) if steps else _BATCH_SIZE)


def _parts(nest: Any) -> list[Any]:
    """Return the arrays of a nest; a data frame is one."""
    if isinstance(nest, Mapping):
        return [part for key in sorted(nest) for part in _parts(nest[key])]
    if isinstance(nest, (list, tuple)):
        return [part for item in nest for part in _parts(item)]
    return [nest]


def _is_dense(part: Any) -> bool:
    if isinstance(part, (np.ndarray, tf.Tensor, tf.Variable)):
        return len(part.shape) > 0
    return type(part).__module__.partition(".")[0] == "pandas" and hasattr(part, "iloc")
