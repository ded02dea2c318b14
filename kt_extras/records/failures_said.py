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


def failures_text(records: Sequence[TrialRecord]) -> str:
    """Return how many trials have failed and what the first of them said, if any has.

    Args:
        records: Trials that have ended, oldest first.
    """
    bad = [record for record in records if record.state in UNSUCCESSFUL]
    if not bad:
        return ""
    ended = counted(len(records), "trial")
    counts = ", ".join(counts_text(bad, UNSUCCESSFUL))
    first = next((one for one in bad if one.state is not TrialState.REJECTED), bad[0])
    message = indented(first.trial.message or "no reason is known.")
    return f"Of {ended}: {counts}.  Trial {first.number} said:\n{message}"


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


def _too_few(records: Sequence[TrialRecord], given: int) -> str:
    if not records:
        return "No trial has been run yet; call `search` first."
    scored = sum(record.trial.score is not None for record in records)
    trials = counted(len(records), "trial")
    lines = [f"The list has {given}; of {trials} {scored} have a score."]
    if not scored:
        lines = ["No trial has a score."]
    return "  ".join(filter(None, [*lines, failures_text(records)]))
