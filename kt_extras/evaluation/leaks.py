"""Rows that several parts of the data share, so that a score on one says too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from kt_extras.arguments import counted
from kt_extras.evaluation.rows import Hashes, row_hashes


@dataclass(frozen=True)
class Leaks:
    """How many rows the parts of the data share.

    Attributes:
        rows: The number of rows of each part, by its name.
        shared: For each pair of parts, such as ``("train", "test")``, how many rows of the second
            are rows of the first too.
        repeated: For each part, how many of its rows are there before in the same part.
    """

    rows: Mapping[str, int]
    shared: Mapping[tuple[str, str], int]
    repeated: Mapping[str, int]

    @property
    def total(self) -> int:
        """How many rows are shared, over all pairs."""
        return sum(self.shared.values())

    def __str__(self) -> str:
        found = [
            f"{counted(number, 'row')} of {second} ({number / self.rows[second]:.2%}) "
            f"{'is' if number == 1 else 'are'} in {first} too"
            for (first, second), number in self.shared.items()
            if number
        ]
        return "; ".join(found) or "No part shares a row with another."


def count_leaks(
    train: Any, validation: Any = None, test: Any = None, *, limit: int | None = None
) -> Leaks:
    """Count the rows that training, validation and test data share.

    Rows are compared by their inputs, as `float32`, whatever their labels are: a row that a model
    was trained on is no test of it.  In a table with few different values equal rows may be
    different samples; then compare a column that tells samples apart, or their groups.

    Args:
        train: The inputs of the training data: an array, a data frame, a dictionary or a list of
            arrays with one row a sample, a `tf.data.Dataset` of batches, or a
            `keras.utils.PyDataset`.
        validation: Those of the validation data.  Defaults to None: there are none.
        test: Those of the test data.  Defaults to None: there are none.
        limit: How many rows of each part are read, from 1: those of a data set that repeats would
            have no end.  Defaults to None: all.

    Returns:
        The numbers of shared rows; as a text, a sentence for a report.

    Raises:
        TypeError: A part has no rows, such as a generator, which could be read once only.
        ValueError: The arrays of a part have different numbers of rows.

    >>> import kt_extras as kte
    >>> leaks = kte.count_leaks([[1, 2], [3, 4]], test=[[3, 4], [5, 6]])
    >>> print(leaks)
    1 row of test (50.00%) is in train too
    >>> leaks.shared["train", "test"]
    1
    """
    given = {"train": train, "validation": validation, "test": test}
    hashes = {name: row_hashes(data, limit) for name, data in given.items() if data is not None}
    return leaks_of(hashes)


def leaks_of(hashes: Mapping[str, Hashes]) -> Leaks:
    """Return what parts share whose rows are hashed.

    Args:
        hashes: Of the rows of each part, by its name.
    """
    distinct = {name: np.unique(part) for name, part in hashes.items()}
    return Leaks(
        rows={name: len(part) for name, part in hashes.items()},
        shared={
            (first, second): int(np.isin(hashes[second], distinct[first]).sum())
            for first, second in combinations(hashes, 2)
        },
        repeated={name: len(part) - len(distinct[name]) for name, part in hashes.items()},
    )
