"""Stop a trial between two folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer, is_number


@dataclass(frozen=True)
class FoldPruner:
    """Stops a trial whose folds are worse than the same folds of the best trial.

    The losses of the folds are compared in pairs by a one-sided signed-rank test of Wilcoxon, so
    that folds that are hard for all trials do not count.  A trial whose mean over these folds is
    better goes on in any case, as with the `WilcoxonPruner` of Optuna.

    Args:
        p_threshold: It is stopped if the p-value is at most this, in (0, 1).  The smallest one
            that n folds can have is 0.5**n.
        min_folds: After how many folds at the earliest, at least 2.  Defaults to 2.

    Raises:
        ValueError: An argument is out of its range.

    Source: Wilcoxon 1945, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (6).

    >>> pruner = FoldPruner(0.25)
    >>> pruner.should_stop([0.5, 0.6], [0.4, 0.5, 0.4]), pruner.should_stop([0.5, 0.4], [0.4, 0.5])
    (True, False)
    """

    p_threshold: float
    min_folds: int = 2

    def __post_init__(self) -> None:
        if not (is_number(self.p_threshold) and 0 < self.p_threshold < 1):
            raise ValueError(
                f"`p_threshold` must be a number between 0 and 1, got {self.p_threshold!r}."
            )
        check_integer("min_folds", self.min_folds, minimum=2)

    def should_stop(self, losses: Sequence[float], best: Sequence[float]) -> bool:
        """Return whether a trial is not worth its other folds.

        Args:
            losses: Those of its folds so far.
            best: Those of all folds of the best trial.
        """
        from scipy.stats import wilcoxon  # which takes time to import

        count = min(len(losses), len(best))
        if count < self.min_folds:
            return False
        if not np.isfinite(losses[:count]).all():
            return True
        worse = np.subtract(losses[:count], best[:count])
        if not worse.any() or worse.mean() <= 0:
            return False
        p_value = wilcoxon(worse, alternative="greater", zero_method="zsplit").pvalue
        return bool(p_value <= self.p_threshold + 1e-12)
