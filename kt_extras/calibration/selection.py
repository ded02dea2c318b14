"""Choosing the best of several thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.calibration.confusion import ROUNDING


def best_stop(preferences: Sequence[FloatArray], gaps: FloatArray) -> int:
    """Return the stop that is best for the first preference, ties decided by the next.

    Remaining ties go to the widest gap between neighbouring scores, then to the first stop.

    Args:
        preferences: Arrays of shape ``(c,)``; higher is better.
        gaps: Gap between the scores on both sides of each stop, shape ``(c,)``.

    >>> best_stop([np.array([0.5, 0.9, 0.9])], gaps=np.array([1.0, 0.1, 0.2]))
    2
    """
    left = np.arange(len(gaps))
    for preference in (*preferences, gaps):
        values = preference[left]
        left = left[values >= values.max() - ROUNDING * max(1.0, abs(values.max()))]
    return int(left[0])


def is_better(
    candidate: Sequence[float], current: Sequence[float], *, minimum: float = ROUNDING
) -> bool:
    """Tell whether the first preference that differs is higher.

    Args:
        candidate: Values of the preferences, in their order.
        current: Values to compare with, in the same order.
        minimum: Smallest difference that counts, relative to the larger of the current value and 1.
            Defaults to `ROUNDING`.

    >>> is_better([0.5, 0.2], [0.5, 0.1])
    True
    """
    for mine, other in zip(candidate, current, strict=True):
        if abs(mine - other) > minimum * max(1.0, abs(other)):
            return mine > other
    return False
