"""Which pruners compare a loss with a number rather than with the losses of other trials."""

from __future__ import annotations

from kt_extras.pruners.pruner import Pruner
from kt_extras.pruners.threshold import ThresholdPruner
from kt_extras.search.outcome import Goals


def check_compares_trials(pruner: Pruner | None, goals: Goals | None) -> None:
    """Raise if a pruner compares a loss with a number, and trials are compared by more than that.

    Args:
        pruner: The pruner, or None.
        goals: What is wanted of outcomes, None for a good score alone.

    Raises:
        ValueError: It does.
    """
    if goals is not None and _has_threshold(pruner):
        raise ValueError(
            "`pruner` must compare trials with each other where there are several `objectives` or "
            f"`constraints`, as `MedianPruner` does, got {pruner!r}."
        )


def _has_threshold(pruner: Pruner | None) -> bool:
    """Tell whether a pruner, or one that it asks, compares a loss with a number."""
    asked = [getattr(pruner, "inner", None), *getattr(pruner, "pruners", ())]
    return isinstance(pruner, ThresholdPruner) or any(
        _has_threshold(one) for one in asked if one is not None
    )
