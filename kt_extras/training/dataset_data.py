"""The batches of a `tf.data` set, an iterator for each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat


@dataclass(frozen=True)
class DatasetData:
    """A `tf.data` set whose elements are batches, as Keras passes them to `train_step`.

    Attributes:
        dataset: The data set; `class_weight` has become sample weights.
        batches: How many batches there are, None if there is no end.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> dataset = tf.data.Dataset.from_tensors((tf.ones((4, 2)), tf.ones(4)))
    >>> [dataset_data(model, d, steps=1).batches for d in (dataset, dataset.repeat())]
    [1, None]
    """

    dataset: tf.data.Dataset
    batches: int | None

    def orders(self, *, shuffle: bool, steps: int | None) -> DatasetOrder:
        """Return what gives the batches of each epoch; a data set is shuffled in itself.

        Args:
            shuffle: As for `fit`, which ignores it for a data set.
            steps: How many batches are in an epoch, None for all.
        """
        return DatasetOrder(self, steps)

    def first_batch(self, batches: Batches) -> Batches:
        """Return the first batch of an epoch."""
        return Batches(batches.iterator, 1)


@dataclass(frozen=True)
class Batches:
    """The next batches of an iterator.

    Attributes:
        iterator: The iterator.
        steps: How many batches belong to the epoch.
    """

    iterator: Any
    steps: int


class DatasetOrder:
    """Makes the iterators of a data set when Keras does, so that its own shuffling is the same.

    Args:
        data: The data.
        steps: How many batches are in an epoch; None for all.
    """

    def __init__(self, data: DatasetData, steps: int | None) -> None:
        self._data, self._steps = data, steps or data.batches or 0
        self._renewed, self._left, self._iterator = steps is None, 0, None
        if not compat.KERAS_3:
            iter(data.dataset)

    def next(self) -> Batches:
        """Return the batches of the next epoch."""
        total = self._data.batches
        if self._iterator is None or (self._left == 0 and total is not None):
            self._iterator, self._left = iter(self._data.dataset), total or 0
            if compat.KERAS_3 and self._renewed:  # it makes one after an epoch, and uses another
                iter(self._data.dataset)
        self._left -= self._steps
        return Batches(self._iterator, self._steps)


def dataset_data(
    model: keras.Model,
    dataset: tf.data.Dataset,
    *,
    class_weight: Mapping[int, float] | None = None,
    steps: int | None = None,
) -> DatasetData:
    """Return a data set as Keras passes its elements to `train_step`.

    Args:
        model: The model that it is for.
        dataset: The data set.
        class_weight: As for `fit`.  Defaults to None.
        steps: How many batches are in an epoch.  Defaults to None: all.
    """
    made = compat.fit_dataset(model, dataset, steps, class_weight=class_weight)
    return DatasetData(made, _batches(dataset))


def reason_against(name: str, dataset: tf.data.Dataset, steps: int | None) -> str | None:
    """Return why the batches of a data set cannot be counted, None if they can.

    Args:
        name: The argument of `fit`.
        dataset: Its value.
        steps: How many batches are taken, None for all.
    """
    batches = int(dataset.cardinality())
    parts = tf.nest.flatten(dataset.element_spec)
    if not all(isinstance(part, tf.TensorSpec) for part in parts):
        return f"`{name}` holds other data than dense tensors."
    if batches == 0:
        return f"`{name}` is empty."
    endless = batches == tf.data.INFINITE_CARDINALITY
    if steps is None and batches < 0:
        return f"The number of batches of `{name}` is not known."
    if steps is not None and not endless and (batches < 0 or batches != steps):
        return f"The steps given for `{name}` are not its number of batches."
    return None


def _batches(dataset: tf.data.Dataset) -> int | None:
    cardinality = int(dataset.cardinality())
    return None if cardinality < 0 else cardinality
