"""What a search says of its time in its last lines."""

from __future__ import annotations

from collections import Counter

from kt_extras.training.time_spent import TimeSpent

_MAX_REASONS = 3  # the most frequent ones


def time_report(
    spent: TimeSpent,
    *,
    stacked: int,
    reused: int,
    not_stacked: Counter[str],
    not_reused: Counter[str],
    by_batches: Counter[str],
) -> list[str]:
    """Return lines that say where the time of a search went, and what was not made faster.

    Args:
        spent: The time.
        stacked: How many trials were trained together with others.
        reused: How many times a model was trained that was compiled for an earlier one.
        not_stacked: How many trials were trained alone, by the reason.
        not_reused: How many times a model was traced, by the reason.
        by_batches: How many times Keras' own `fit` trained a model, by the reason.

    >>> spent = TimeSpent()
    >>> spent.seconds.update(training=6.0, tracing=2.0)
    >>> none = Counter()
    >>> lines = time_report(spent, stacked=20, reused=3, not_stacked=Counter(large=4),
    ...                     not_reused=none, by_batches=none)
    >>> for line in lines:
    ...     print(line)
    Time: 8 s: 25% tracing, 75% training.  20 trials were stacked, 3 models used again.
    Not stacked: 4 (large).
    """
    said = []
    if stacked:
        said.append(f"{stacked} trials were stacked")
    if reused:
        said.append(f"{reused} models used again")
    first = f"Time: {spent.text()}." + (f"  {', '.join(said)}." if said else "")
    rest = {
        "Not stacked": not_stacked,
        "Traced anew": not_reused,
        "Trained batch by batch": by_batches,
    }
    return [first, *(f"{name}: {_reasons(found)}." for name, found in rest.items() if found)]


def _reasons(found: Counter[str]) -> str:
    common = found.most_common(_MAX_REASONS)
    return ", ".join(f"{count} ({reason.rstrip('.')})" for reason, count in common)
