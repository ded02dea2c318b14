"""Stop a trial that is worse than a percentile of its rivals (Golovin et al., KDD 2017).

The median rule of Vizier compares the lowest loss of a trial with the median of the *running
averages* of the others.  Here, as in Optuna, the lowest losses so far are compared on both sides,
so that a single noisy epoch has no effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from kt_extras.arguments import check_integer, is_number
from kt_extras.arrays import FloatArray
from kt_extras.pruners.gate import is_due
from kt_extras.search.history import Curve, Curves


@dataclass(frozen=True)
class PercentilePruner:
    """Stop a trial whose best loss so far is strictly worse than a percentile of its rivals'.

    The rivals are the completed trials that reached this epoch; each counts with its best loss up
    to this epoch.  The percentile is interpolated linearly.  A trial without a finite loss is
    always worse.

    Args:
        percentile: Percentile of the rivals, in [0, 100]: with 25 the best quarter of the trials is
            kept, with 100 a trial is stopped only if it is worse than all rivals.
        n_startup_trials: Number of rivals that must have ended before a trial is stopped, at least
            0. Defaults to 5.
        n_warmup_steps: Number of epochs at the start of a trial after which it is never stopped, at
            least 0. With 3, a trial is stopped after its fourth epoch at the earliest. Defaults
            to 0.
        interval_steps: Number of epochs, from then on, of which only the first report is compared,
            at least 1. Defaults to 1.
        n_min_trials: Number of rivals that must have reached the epoch for a trial to be stopped
            there, at least 1. Defaults to 1.

    Raises:
        ValueError: An argument is out of its range.

    Source: Golovin et al. 2017, "Google Vizier", sec. 3.5.1.

    >>> rivals = Curves.of([[0.1], [0.2], [0.3], [0.4], [0.5]])
    >>> [PercentilePruner(25).should_stop(Curve(np.array([x])), rivals) for x in (0.2, 0.21)]
    [False, True]
    """

    percentile: float
    n_startup_trials: int = 5
    n_warmup_steps: int = 0
    interval_steps: int = 1
    n_min_trials: int = 1

    def __post_init__(self) -> None:
        if not (is_number(self.percentile) and 0 <= self.percentile <= 100):
            raise ValueError(
                f"`percentile` must lie between 0 and 100, got {self.percentile!r}; "
                "with 25 the best quarter of the trials is kept."
            )
        check_integer("n_startup_trials", self.n_startup_trials, minimum=0)
        check_integer("n_warmup_steps", self.n_warmup_steps, minimum=0)
        check_integer("interval_steps", self.interval_steps, minimum=1)
        check_integer("n_min_trials", self.n_min_trials, minimum=1)

    def should_stop(self, curve: Curve, rivals: Curves) -> bool:
        """Return whether the trial is worse than the percentile of the rivals at the same epoch."""
        if len(rivals) < self.n_startup_trials:
            return False
        if not is_due(
            curve, n_warmup_steps=self.n_warmup_steps, interval_steps=self.interval_steps
        ):
            return False
        losses = rivals.best_by(curve.step)
        if len(losses) < self.n_min_trials:
            return False
        return not math.isfinite(curve.best) or curve.best > _percentile(losses, self.percentile)


@dataclass(frozen=True)
class MedianPruner(PercentilePruner):
    """Stop a trial whose best loss so far is strictly worse than the median of its rivals'.

    It is the same as `PercentilePruner(50)`.

    Args:
        n_startup_trials: Number of rivals that must have ended before a trial is stopped, at least
            0. Defaults to 5.
        n_warmup_steps: Number of epochs at the start of a trial after which it is never stopped, at
            least 0. With 3, a trial is stopped after its fourth epoch at the earliest. Defaults
            to 0.
        interval_steps: Number of epochs, from then on, of which only the first report is compared,
            at least 1. Defaults to 1.
        n_min_trials: Number of rivals that must have reached the epoch for a trial to be stopped
            there, at least 1. Defaults to 1.

    Raises:
        ValueError: An argument is out of its range.

    Source: Golovin et al. 2017, "Google Vizier", sec. 3.5.1.

    >>> rivals = Curves.of([[0.9, 0.2], [0.9, 0.3], [0.9, 0.4], [0.1]])
    >>> MedianPruner(n_startup_trials=4).should_stop(Curve(np.array([0.8, 0.35])), rivals)
    True
    """

    percentile: float = field(default=50.0, init=False)


def _percentile(losses: FloatArray, percentile: float) -> float:
    """Return a percentile, interpolated linearly; with infinite losses, NumPy's may be NaN."""
    position = percentile / 100 * (len(losses) - 1)
    below = int(position)
    above = min(below + 1, len(losses) - 1)
    parted = np.partition(losses, (below, above))
    lower, upper, fraction = float(parted[below]), float(parted[above]), position - below
    return lower if fraction == 0 or lower == upper else lower + fraction * (upper - lower)
