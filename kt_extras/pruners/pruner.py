"""What a rule of early stopping is: a pure function of one curve and those of its rivals."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from kt_extras.search.history import Curve, Curves


@runtime_checkable
class Pruner(Protocol):
    """Decides after an epoch whether a trial is worth more of them.

    A pruner keeps no state between calls, never stops a trial that is at least as good as every
    rival, and takes a loss that is not finite (`inf` in the curve) for the worst there is.
    """

    def should_stop(self, curve: Curve, rivals: Curves) -> bool:
        """Tell whether to stop the trial with this curve now.

        Args:
            curve: The trial's losses so far; the last one has just been reported.
            rivals: The curves of the trials that ran to their end.
        """
