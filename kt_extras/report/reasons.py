"""Why trials have failed: messages that differ in numbers alone are one reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kt_extras.analysis.search_data import SearchData, TrialData

UNSUCCESSFUL = ("failed", "infeasible", "rejected")


@dataclass(frozen=True)
class Reason:
    """Trials that did not succeed for the same reason.

    Attributes:
        state: Theirs.
        line: What is said of the first one, in a line.
        trials: In the order in which they began.
    """

    state: str
    line: str
    trials: Sequence[TrialData]


def reasons(search: SearchData) -> list[Reason]:
    """Return why trials have failed, the most frequent reason first."""
    groups: dict[tuple[str, str], list[TrialData]] = {}
    for trial in search.trials:
        if trial.state in UNSUCCESSFUL:
            key = (trial.state, _without_numbers(first_line(trial.message)))
            groups.setdefault(key, []).append(trial)
    found = [
        Reason(state, first_line(trials[0].message), trials)
        for (state, _), trials in groups.items()
    ]
    return sorted(found, key=lambda reason: -len(reason.trials))


def first_line(message: str | None) -> str:
    r"""Return the first line of a message that says something.

    >>> first_line("\nValueError: no\n  File 'model.py'"), first_line(None)
    ('ValueError: no', 'no message')
    """
    lines = (line.strip() for line in (message or "").splitlines())
    return next((line for line in lines if line), "no message")


def _without_numbers(line: str) -> str:
    return re.sub(r"\d[\d,.]*|0x[0-9a-f]+", "0", line)
