"""What the trials of a search that failed have said, for the log and for errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kt_extras.arguments import counted
from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.trial_record import TrialRecord

#: States of trials that have no result.
UNSUCCESSFUL = (TrialState.REJECTED, TrialState.INFEASIBLE, TrialState.FAILED)
_UNKNOWN = "no reason is known."


class BestList(list[Any]):
    """The best of a search, best first; if it has fewer, asking for more says why.

    Args:
        items: What the list has.
        records: Returns all trials of the search.

    >>> BestList([], lambda: [])[0]
    Traceback (most recent call last):
    IndexError: No trial has been run yet; call `search` first.
    """

    def __init__(self, items: Iterable[Any], records: Callable[[], Sequence[TrialRecord]]) -> None:
        super().__init__(items)
        self._records = records

    def __getitem__(self, index: Any) -> Any:
        try:
            return super().__getitem__(index)
        except IndexError:
            raise IndexError(_too_few(self._records(), len(self))) from None

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a plain list: the records belong to a search with its locks."""
        return list, (list(self),)


def failures_text(records: Sequence[TrialRecord]) -> str:
    """Return how many trials have failed and what the first of them said, if any has.

    Args:
        records: Trials that have ended, oldest first.
    """
    bad = _unsuccessful(records)
    if not bad:
        return ""
    ended, first = counted(len(records), "trial"), _most_telling(bad)
    counts = ", ".join(counts_text(bad, UNSUCCESSFUL))
    message = indented(first.trial.message or _UNKNOWN)
    return f"Of {ended}: {counts}.  Trial {first.number} said:\n{message}"


def no_score_text(records: Sequence[TrialRecord]) -> str:
    """Return why no trial has a score; nothing if one has, or if none was unsuccessful.

    Args:
        records: All trials, in the order in which they began.
    """
    bad = _unsuccessful(records)
    if not bad or any(record.trial.score is not None for record in records):
        return ""
    counts, first = " and ".join(counts_text(bad, UNSUCCESSFUL)), _most_telling(bad)
    said = (first.trial.message or _UNKNOWN).partition("\n")[0]
    return f"No trial has a score ({counts}).  Trial {first.number} said: {said}"


def counts_text(records: Iterable[TrialRecord], states: Sequence[TrialState]) -> list[str]:
    """Return how many trials are in each of some states, leaving out those with none."""
    counts = Counter(record.state for record in records)
    return [f"{counts[state]} {state}" for state in states if counts[state]]


def first_line(message: str) -> str:
    """Return the first line of a message, without a dot at its end."""
    return message.strip().partition("\n")[0].rstrip(".")


def indented(text: str) -> str:
    """Return a text with two spaces before each line."""
    return "\n".join(f"  {line}" for line in text.splitlines())


def _unsuccessful(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [record for record in records if record.state in UNSUCCESSFUL]


def _most_telling(bad: Sequence[TrialRecord]) -> TrialRecord:
    """Return the first trial that failed, or, if there is none, the first that was rejected."""
    return next((record for record in bad if record.state is not TrialState.REJECTED), bad[0])


def _too_few(records: Sequence[TrialRecord], given: int) -> str:
    if not records:
        return "No trial has been run yet; call `search` first."
    scored = sum(record.trial.score is not None for record in records)
    trials = counted(len(records), "trial")
    lines = [f"The list has {given}; of {trials} {scored} have a score."]
    if not scored:
        lines = ["No trial has a score."]
    return "  ".join(filter(None, [*lines, failures_text(records)]))
