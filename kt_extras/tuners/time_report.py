"""What a search says of its time in its last lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

from kt_extras.training.time_spent import TimeSpent

_MAX_REASONS = 3  # the most frequent ones


@dataclass(frozen=True)
class TimeReport:
    """Says where the time of a search went, and what was not made faster.

    Args:
        seconds: Seconds by the name of the section.
        stacked: How many trials were trained together with others.
        reused: How many times a model was trained that was compiled for an earlier one.
        not_stacked: How many trials were trained alone, by the reason.
        not_reused: How many times a model was traced, by the reason.
        by_batches: How many times Keras' own `fit` trained a model, by the reason.

    >>> none = Counter()
    >>> report = TimeReport(Counter(tracing=2.0, training=6.0), stacked=20, reused=3,
    ...                     not_stacked=Counter(large=4), not_reused=none, by_batches=none)
    >>> for line in report.lines():
    ...     print(line)
    Time: 8 s: 25% tracing, 75% training.  20 trials were stacked, 3 models used again.
    Not stacked: 4 (large).
    >>> (report + report).lines("Time of the workers")[1]
    'Not stacked: 8 (large).'
    """

    seconds: Counter[str]
    stacked: int
    reused: int
    not_stacked: Counter[str]
    not_reused: Counter[str]
    by_batches: Counter[str]

    def __add__(self, other: TimeReport) -> TimeReport:
        """Return the report of two processes together."""
        names = [field.name for field in fields(self)]
        return TimeReport(*(getattr(self, name) + getattr(other, name) for name in names))

    def lines(self, title: str = "Time") -> list[str]:
        """Return what is told.

        Args:
            title: Begins the first line.  Defaults to "Time".
        """
        said = []
        if self.stacked:
            said.append(f"{self.stacked} trials were stacked")
        if self.reused:
            said.append(f"{self.reused} models used again")
        spent = TimeSpent()
        spent.seconds.update(self.seconds)
        first = f"{title}: {spent.text()}." + (f"  {', '.join(said)}." if said else "")
        rest = {
            "Not stacked": self.not_stacked,
            "Traced anew": self.not_reused,
            "Trained batch by batch": self.by_batches,
        }
        return [first, *(f"{name}: {_reasons(found)}." for name, found in rest.items() if found)]


def _reasons(found: Counter[str]) -> str:
    common = found.most_common(_MAX_REASONS)
    return ", ".join(f"{count} ({reason.rstrip('.')})" for reason, count in common)
