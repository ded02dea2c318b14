"""Two halves of labelled rows, so that what is fitted to one can be judged by the other."""

from __future__ import annotations

import numpy as np

from kt_extras.arrays import IntArray
from kt_extras.calibration.sample import Kind, Sample

_STREAM = 0x7A1


def fair_halves(sample: Sample, *, seed: int) -> tuple[IntArray, IntArray]:
    """Return the numbers of the rows in each half; rows with equal labels are split evenly.

    Args:
        sample: At least two rows of each class if it is binary.
        seed: The same seed and labels give the same halves.

    Raises:
        ValueError: A half would have one class only.

    >>> from kt_extras.calibration.sample import check_sample
    >>> sample = check_sample([0, 0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    >>> [sample.labels[rows].tolist() for rows in fair_halves(sample, seed=0)]
    [[0, 0, 1], [0, 0, 1]]
    """
    if sample.kind is Kind.BINARY and np.bincount(sample.labels, minlength=2).min() < 2:
        rare = int(np.argmin(np.bincount(sample.labels, minlength=2)))
        raise ValueError(
            "`validation_data` must hold at least two rows of each class, so that one half can "
            f"judge the other, got fewer of class {rare}."
        )
    _, group = np.unique(sample.labels, axis=0, return_inverse=True)
    # Not the stream of `seed` itself, from which the rows may have been drawn.
    shuffled = np.random.default_rng([seed, _STREAM]).random(len(sample.labels))
    order = np.lexsort((shuffled, group.reshape(-1)))
    return np.sort(order[0::2]), np.sort(order[1::2])
