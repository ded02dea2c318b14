"""Stop what leaves a range of sensible values."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kt_extras.arguments import check_integer, is_number
from kt_extras.pruners.gate import is_due, leads
from kt_extras.search.history import Curve, Curves


@dataclass(frozen=True)
class ThresholdPruner:
    """Stop a trial whose objective has just been reported below `lower` or above `upper`.

    The bounds are on the objective as you see it: for `val_accuracy`, `lower=0.2` stops a trial
    that reports 0.19.  NaN and infinity are beyond every bound.  A trial that has been at least
    as good as the best of its rivals is spared, whatever it reports.

    Args:
        lower: Smallest value that is fine; None for no bound.
        upper: Largest value that is fine; None for no bound.
        n_warmup_steps: Number of epochs at the start of a trial after which it is never stopped.
            Epochs count from 0: with 3, the first that can be the last is epoch 3, the fourth.
        interval_steps: From then on, only the first report in every so many epochs is judged.

    Raises:
        ValueError: Neither bound is given, a bound is NaN, or `lower` exceeds `upper`; or an
            argument out of its range.

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
                f"{self.upper!r}."
            )
        check_integer("n_warmup_steps", self.n_warmup_steps, minimum=0)
        check_integer("interval_steps", self.interval_steps, minimum=1)

    def should_stop(self, curve: Curve, rivals: Curves) -> bool:
        """Tell whether the value just reported is out of bounds."""
        if not is_due(
            curve, n_warmup_steps=self.n_warmup_steps, interval_steps=self.interval_steps
        ):
            return False
        lower, upper = self._bounds
        value = curve.sign * float(curve.losses[-1])
        fine = math.isfinite(value) and lower <= value <= upper
        return not fine and not leads(curve, rivals)

    @property
    def _bounds(self) -> tuple[float, float]:
        return (
            -math.inf if self.lower is None else self.lower,
            math.inf if self.upper is None else self.upper,
        )
