"""The protocol of pruners: pure functions of the curve of a trial and those of its rivals."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from kt_extras.search.history import Curve, Curves


@runtime_checkable
class Pruner(Protocol):
    """Decides after each epoch whether to stop a trial.

    A pruner keeps no state between calls.  It never stops a trial whose lowest loss is at most that
    of all rivals.  A loss that is not finite, `inf` in the curve, counts as the worst.
    """

    def should_stop(self, curve: Curve, rivals: Curves) -> bool:
        """Return whether to stop a trial now.

        Args:
            curve: Losses of the trial so far; the last one has just been reported.
            rivals: Curves of the completed trials.
        """
