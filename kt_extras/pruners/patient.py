"""Stop a trial only after several reports without progress."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer, is_number
from kt_extras.pruners.gate import leads
from kt_extras.pruners.pruner import Pruner
from kt_extras.search.history import Curve, Curves


@dataclass(frozen=True)
class PatientPruner:
    """Let `inner` stop a trial only after `patience` reports in a row without progress.

    Progress is a loss that is below the best one before by more than `min_delta`, as in
    `keras.callbacks.EarlyStopping`.  Without `inner`, a trial without progress is stopped, unless
    its lowest loss is at most that of all its rivals.  With several objectives the progress is that
    in the first one.

    Args:
        inner: Pruner that decides after `patience` reports without progress; None to stop the trial
            then. Defaults to None.
        patience: Number of reports in a row without progress after which a trial may be stopped, at
            least 1; epochs without a report do not count. Defaults to 5.
        min_delta: Smallest decrease of the loss that counts as progress, at least 0, in the unit of
            the objective. Defaults to 0.

    Raises:
        TypeError: `inner` is not a pruner.
        ValueError: An argument is out of its range.

    >>> stalled, rivals = Curve(np.array([0.5, 0.6, 0.5])), Curves.of([[0.4]])
    >>> [PatientPruner(patience=n).should_stop(stalled, rivals) for n in (2, 3)]
    [True, False]
    """

    inner: Pruner | None = None
    patience: int = 5
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.inner, type) or not isinstance(self.inner, Pruner | None):
            raise TypeError(
                f"`inner` must be a pruner such as `MedianPruner()`, or None, got {self.inner!r}."
            )
        check_integer("patience", self.patience, minimum=1)
        if not (is_number(self.min_delta) and 0 <= self.min_delta < math.inf):
            raise ValueError(
                f"`min_delta` must be a finite number of at least 0, got {self.min_delta!r}."
            )

    def should_stop(self, curve: Curve, rivals: Curves) -> bool:
        """Return whether the last `patience` reports are without progress and `inner` stops it."""
        if not self._has_stalled(curve):
            return False
        if self.inner is None:
            return not leads(curve, rivals)
        return self.inner.should_stop(curve, rivals)

    def _has_stalled(self, curve: Curve) -> bool:
        earlier, recent = np.split(curve.progress, [-self.patience])
        return len(earlier) > 0 and not min(recent) < min(earlier) - self.min_delta
