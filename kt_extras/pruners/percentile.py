"""Stop what is worse than a percentile of the rivals (the median rule: Golovin et al., KDD 2017).

Vizier's rule compares the best so far with the median of the others' *running averages*; here, as
in Optuna, both sides are the best so far, so that a noisy epoch costs nobody anything.
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

    The rivals are the trials that ran to their end and got as far as this epoch; what counts of
    each is its best loss up to this epoch.  The percentile lies on the straight line between its
    two neighbours.  A trial without one finite loss is stopped whenever the rule compares.

    Args:
        percentile: In [0, 100]; 25 keeps the best quarter, 100 stops only what is worse than all.
        n_startup_trials: Nothing is stopped while fewer rivals than this have ended.
        n_warmup_steps: Number of epochs at the start of a trial after which it is never stopped.
            Epochs count from 0: with 3, the first that can be the last is epoch 3, the fourth.
        interval_steps: From then on, only the first report in every so many epochs is judged.
        n_min_trials: Nothing is stopped where fewer rivals than this got as far.

    Raises:
        ValueError: An argument out of its range.

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
                "25 keeps the best quarter of the trials."
            )
        check_integer("n_startup_trials", self.n_startup_trials, minimum=0)
        check_integer("n_warmup_steps", self.n_warmup_steps, minimum=0)
        check_integer("interval_steps", self.interval_steps, minimum=1)
        check_integer("n_min_trials", self.n_min_trials, minimum=1)

    def should_stop(self, curve: Curve, rivals: Curves) -> bool:
        """Tell whether the trial is too far behind the rivals at the same epoch."""
        if len(rivals) < self.n_startup_trials:
            return False
        if not is_due(
            curve, n_warmup_steps=self.n_warmup_steps, interval_steps=self.interval_steps
        ):
            return False
        theirs = rivals.best_by(curve.step)
        if len(theirs) < self.n_min_trials:
            return False
        return not math.isfinite(curve.best) or curve.best > _percentile(theirs, self.percentile)


@dataclass(frozen=True)
class MedianPruner(PercentilePruner):
    """Stop a trial whose best loss so far is strictly worse than the median of its rivals'.

    It is `PercentilePruner(50)`.

    Args:
        n_startup_trials: Nothing is stopped while fewer rivals than this have ended.
        n_warmup_steps: Number of epochs at the start of a trial after which it is never stopped.
            Epochs count from 0: with 3, the first that can be the last is epoch 3, the fourth.
        interval_steps: From then on, only the first report in every so many epochs is judged.
        n_min_trials: Nothing is stopped where fewer rivals than this got as far.

    Raises:
        ValueError: An argument out of its range.

    Source: Golovin et al. 2017, "Google Vizier", sec. 3.5.1.

    >>> rivals = Curves.of([[0.9, 0.2], [0.9, 0.3], [0.9, 0.4], [0.1]])
    >>> MedianPruner(n_startup_trials=4).should_stop(Curve(np.array([0.8, 0.35])), rivals)
    True
    """

    percentile: float = field(default=50.0, init=False)


def _percentile(losses: FloatArray, percentile: float) -> float:
    """Interpolate linearly between order statistics, `inf` among them (NumPy's gives NaN)."""
    position = percentile / 100 * (len(losses) - 1)
    below = int(position)
    above = min(below + 1, len(losses) - 1)
    parted = np.partition(losses, (below, above))
    lower, upper, share = float(parted[below]), float(parted[above]), position - below
    return lower if share == 0 or lower == upper else lower + share * (upper - lower)
