"""The limits of a search besides the number of its trials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from kt_extras.arguments import is_number
from kt_extras.oracles.arguments import check_count


@dataclass(frozen=True)
class Usage:
    """What a search has cost so far, over all its sessions.

    Attributes:
        seconds: On the search's clock, which stands still between sessions.
        epochs: Trained, of all trials and executions.
        best: The best score in the user's scale, None before the first.
        stale: Trials with a score that ended since the best of them.
    """

    seconds: float = 0.0
    epochs: int = 0
    best: float | None = None
    stale: int = 0


@dataclass(frozen=True)
class Budget:
    """Limits of a search besides the number of its trials; None is no limit.

    Args:
        max_time: Seconds or a `datetime.timedelta`, above 0.
        max_total_epochs: From 1.
        target: A score in the user's scale; as good or better is enough.
        max_trials_without_improvement: From 1.

    Raises:
        ValueError: A limit is out of its range.

    >>> Budget(max_total_epochs=20).reached(Usage(epochs=21))
    '`max_total_epochs=20` is spent (21 epochs trained); raise it to go on.'
    >>> Budget(target=0.9).reached(Usage(best=0.8), maximised=True)
    """

    max_time: float | timedelta | None = None
    max_total_epochs: int | None = None
    target: float | None = None
    max_trials_without_improvement: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise ValueError(  # NaN is in no range
                "`max_time` must be a number of seconds above 0 or a `datetime.timedelta`, got "
                f"{self.max_time!r}."
            )
        for name in ("max_total_epochs", "max_trials_without_improvement"):
            check_count(name, getattr(self, name), minimum=1)
        if self.target is not None and not (is_number(self.target) and math.isfinite(self.target)):
            raise ValueError(f"`target` must be a finite score or None, got {self.target!r}.")

    @property
    def seconds(self) -> float | None:
        """`max_time` in seconds."""
        if self.max_time is None or is_number(self.max_time):
            return self.max_time  # type: ignore[return-value]
        return self.max_time.total_seconds() if isinstance(self.max_time, timedelta) else math.nan

    def reached(self, usage: Usage, *, maximised: bool = False) -> str | None:
        """Return why no new trial may begin and what to change, or None if one may.

        Args:
            usage: What the search has cost.
            maximised: Whether a higher score is better.
        """
        if self.target is not None and _reached(usage.best, self.target, maximised=maximised):
            return f"`target={self.target}` is reached (best score {usage.best:.6g})."
        if self.seconds is not None and usage.seconds >= self.seconds:
            limit = f"`max_time={self.seconds:g}` seconds"
            return f"{limit} are spent ({usage.seconds:.1f} s); raise it to go on."
        if self.max_total_epochs is not None and usage.epochs >= self.max_total_epochs:
            limit = f"`max_total_epochs={self.max_total_epochs}`"
            return f"{limit} is spent ({usage.epochs} epochs trained); raise it to go on."
        patience = self.max_trials_without_improvement
        if patience is not None and usage.best is not None and usage.stale >= patience:
            limit = f"`max_trials_without_improvement={patience}`"
            return (
                f"{limit} is reached ({usage.stale} trials since the best score "
                f"{usage.best:.6g}); raise it to go on."
            )
        return None


def all_begun(max_trials: int) -> str:
    """Return why a search ends that has begun all its trials."""
    return f"`max_trials={max_trials}` trials have been begun; raise it to go on."


ALL_TRAINED = "every trial has been trained as far as its scheduler allows."
ALL_TRIED = "every point of the search space, or of the grid, has been tried; widen it to go on."


def _reached(best: float | None, target: float, *, maximised: bool) -> bool:
    if best is None:
        return False
    return best >= target if maximised else best <= target
