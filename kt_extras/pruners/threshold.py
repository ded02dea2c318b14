"""Stop a trial whose objective is outside given bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kt_extras.arguments import check_integer, is_number
from kt_extras.pruners.gate import is_due, leads
from kt_extras.search.history import Curve, Curves


@dataclass(frozen=True)
class ThresholdPruner:
    """Stop a trial whose objective has just been reported below `lower` or above `upper`.

    The bounds are values of the objective, whether it is minimised or maximised: with `lower=0.2`,
    a trial is stopped that reports a `val_accuracy` of 0.19.  NaN and infinity are outside all
    bounds.  A trial whose best value is at least as good as that of all its rivals is not stopped.

    Args:
        lower: Smallest value that is allowed, None for no bound. Defaults to None.
        upper: Largest value that is allowed, None for no bound. Defaults to None.
        n_warmup_steps: Number of epochs at the start of a trial after which it is never stopped, at
            least 0. With 3, a trial is stopped after its fourth epoch at the earliest. Defaults
            to 0.
        interval_steps: Number of epochs, from then on, of which only the first report is compared,
            at least 1. Defaults to 1.

    Raises:
        ValueError: Neither bound is given, a bound is NaN, `lower` exceeds `upper`, or another
            argument is out of its range.

    >>> import numpy as np
    >>> accuracy = Curve(-np.array([0.5, 0.19]), sign=-1.0)  # maximised, so a loss is its negative
    >>> ThresholdPruner(lower=0.2).should_stop(accuracy, Curves.of([], sign=-1.0))
    True
    """

    lower: float | None = None
    upper: float | None = None
    n_warmup_steps: int = 0
    interval_steps: int = 1

    def __post_init__(self) -> None:
        lower, upper = self._bounds
        if self.lower is None and self.upper is None:
            raise ValueError("`lower` or `upper` must be given, got neither; pass at least one.")
        if not (is_number(lower) and is_number(upper) and lower <= upper):
            raise ValueError(
                f"`lower` must be a number that does not exceed `upper`, got {self.lower!r} and "
                f"{self.upper!r}; None means no bound."
            )
        check_integer("n_warmup_steps", self.n_warmup_steps, minimum=0)
        check_integer("interval_steps", self.interval_steps, minimum=1)

    def should_stop(self, curve: Curve, rivals: Curves) -> bool:
        """Return whether the value just reported is outside the bounds."""
        if not is_due(
            curve, n_warmup_steps=self.n_warmup_steps, interval_steps=self.interval_steps
        ):
            return False
        lower, upper = self._bounds
        value = curve.sign * float(curve.losses[-1])
        inside = math.isfinite(value) and lower <= value <= upper
        return not inside and not leads(curve, rivals)

    @property
    def _bounds(self) -> tuple[float, float]:
        return (
            -math.inf if self.lower is None else self.lower,
            math.inf if self.upper is None else self.upper,
        )
