"""Batches with chosen class fractions, from rows that are drawn newly for each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from kt_extras.arguments import check_integer, is_number
from kt_extras.arrays import FloatArray, IntArray
from kt_extras.compat import CALLS_ON_EPOCH_BEGIN, PyDataset
from kt_extras.imbalance.labels import single_labels


class BalancedBatches(PyDataset):
    """Gives each class its fraction of every batch, whatever its fraction of the data.

    An epoch is as long as with plain data.  The rows of a class are used as evenly as can be: all
    of them equally often, and the remainder drawn without replacement, newly for each epoch.
    So in each epoch frequent classes show another part of themselves, and rare ones repeat.

    Every batch has its classes in the wanted fractions to within a row or two; the last one may be
    smaller.  Class weights beside it would count the imbalance twice.  As it counts its epochs,
    make one for each training; in a search, in `HyperModel.fit`.

    Args:
        x: Array of shape ``(n, ...)``, or a nest of such arrays.
        y: Integer or one-hot labels of shape ``(n,)``, ``(n, 1)`` or ``(n, c)``.
        batch_size: Rows a batch, at least 1. Defaults to `32`.
        ratio: In (0, 1]: classes below this fraction of the largest class are raised to it; 1 makes
            all equal.  Or a mapping with the fraction of every class, above 0; fractions are
            divided by their sum. Defaults to `1.0`.
        sample_weight: Shape ``(n,)``, or None. Defaults to `None`.
        epoch_size: Rows an epoch, at least 1; by default n.
        seed: Of the generator. Defaults to `0`.
        first_epoch: Number of the epoch to begin with; the epochs gone by of a training that is
            resumed. Defaults to `0`.
        **arguments: Those of `keras.utils.PyDataset`, on Keras 3: `workers` and others.

    Raises:
        ValueError: One class only, labels of several classes a row, arrays of different length, or
            an argument out of its range.

    >>> batches = BalancedBatches(np.zeros([100, 3]), np.arange(100) < 10, batch_size=20)
    >>> len(batches), [int(y.sum()) for _, y in batches]
    (5, [10, 10, 10, 10, 10])
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        batch_size: int = 32,
        *,
        ratio: float | Mapping[int, float] = 1.0,
        sample_weight: Any = None,
        epoch_size: int | None = None,
        seed: int = 0,
        first_epoch: int = 0,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        classes = single_labels(y)
        arrays = [y] if sample_weight is None else [y, sample_weight]
        self._data = (tf.nest.map_structure(np.asarray, x), *map(np.asarray, arrays))
        lengths = {len(leaf) if leaf.ndim else 0 for leaf in tf.nest.flatten(self._data)}
        if lengths != {len(classes)}:
            raise ValueError(
                "`x`, `y` and `sample_weight` must have the same number of rows, got "
                f"{sorted(lengths)}."
            )
        size = len(classes) if epoch_size is None else epoch_size
        check_integer("batch_size", batch_size, minimum=1)
        check_integer("epoch_size", size, minimum=1)
        check_integer("seed", seed, minimum=0)
        check_integer("first_epoch", first_epoch, minimum=0)
        self.batch_size, self.epoch_size, self.seed = batch_size, size, seed
        self.epoch, self._begun = first_epoch, not CALLS_ON_EPOCH_BEGIN
        self._members = [np.flatnonzero(classes == number) for number in np.unique(classes)]
        self._counts = apportion(_fractions(classes, ratio), size)
        self._rows = self._draw()

    def __len__(self) -> int:
        return -(-self.epoch_size // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches, and none has number {index}.")
        rows = self._rows[index * self.batch_size : (index + 1) * self.batch_size]
        batch: tuple[Any, ...] = tf.nest.map_structure(lambda leaf: leaf[rows], self._data)
        return batch

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        self._begun = True  # a loop of the user's own need not say so
        return (self[index] for index in range(len(self)))

    def on_epoch_begin(self) -> None:
        """Take note that an epoch is under way."""
        self._begun = True

    def on_epoch_end(self) -> None:
        """Draw the rows of the next epoch, if one was under way."""
        if not self._begun:
            return
        self.epoch, self._begun = self.epoch + 1, not CALLS_ON_EPOCH_BEGIN
        self._rows = self._draw()

    def _draw(self) -> IntArray:
        """Return the rows of an epoch in their order."""
        rng = np.random.default_rng([self.seed, self.epoch])
        rows, places = [], []
        for members, count in zip(self._members, self._counts, strict=True):
            again, remainder = divmod(int(count), len(members))
            part = [rng.permutation(members) for _ in range(again)]
            rows += [*part, rng.permutation(members)[:remainder]]
            # One place in each of `count` equal parts of the epoch, so that every stretch of it
            # has the class in its fraction.
            places.append((np.arange(count) + rng.random(count)) / max(count, 1))
        order = np.argsort(np.concatenate(places), kind="stable")
        return np.concatenate(rows)[order]


def apportion(fractions: FloatArray, total: int) -> IntArray:
    """Divide a whole number in the given fractions, to within 1, by largest remainders.

    Args:
        fractions: Shape ``(c,)``, at least 0, summing to 1.
        total: What is divided, at least 0.

    Returns:
        Shape ``(c,)``, summing to `total`.

    >>> apportion(np.array([0.5, 0.25, 0.25]), 5).tolist()
    [3, 1, 1]
    """
    quotas = fractions * total
    counts = np.floor(quotas).astype(np.int64)
    largest = np.argsort(counts - quotas, kind="stable")[: total - int(counts.sum())]
    counts[largest] += 1
    return counts


def _fractions(classes: IntArray, ratio: float | Mapping[int, float]) -> FloatArray:
    """Return the wanted fraction of each class that has rows, summing to 1."""
    present, counts = np.unique(classes, return_counts=True)
    if len(present) < 2:
        raise ValueError("`y` must have rows of at least two classes, got one class only.")
    if isinstance(ratio, Mapping):
        if set(ratio) != set(present.tolist()):
            raise ValueError(
                f"`ratio` must have a fraction for each of the classes {present.tolist()}, got "
                f"{sorted(ratio)}."
            )
        fractions = np.array([ratio[number] for number in present.tolist()], dtype=np.float64)
        if not (np.isfinite(fractions).all() and (fractions > 0).all()):
            raise ValueError(f"`ratio` must have fractions above 0, got {dict(ratio)}.")
    elif is_number(ratio) and 0 < ratio <= 1:
        fractions = np.maximum(counts, ratio * counts.max())
    else:
        raise ValueError(
            f"`ratio` must be above 0 and at most 1, or a mapping with the fraction of each class, "
            f"got {ratio!r}; 1 makes the classes equal."
        )
    return np.asarray(fractions / fractions.sum(), dtype=np.float64)
