"""Counts failed trials, decides when they end the search, and writes its message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kt_extras.bridge.trial_state import TrialState
from kt_extras.oracles.failure_traits import traits
from kt_extras.records.trial_record import TrialRecord

MIN_TRIALS = 10  # trials that must have ended before a fraction of them means anything
REJECTIONS = 100  # models in a row
_COMPARED = 200  # failures at most, the last ones


@dataclass(frozen=True)
class FailureCount:
    """How the trials of a session have ended.

    A session begins with no failures, since the program may have been fixed.  Infeasible trials are
    neither crashes nor successes: they say something about the search space, which the sampler
    learns.

    >>> failure_count = FailureCount()
    >>> for state in ["completed", "failed", "failed"]:
    ...     failure_count = failure_count.after(state)
    >>> failure_count.broken(in_a_row=2, fraction=0.5)
    'The last 2 trials crashed (`max_consecutive_failed_trials=2`).'
    """

    crashed: int = 0
    succeeded: int = 0
    crashes_in_a_row: int = 0
    rejections_in_a_row: int = 0

    def after(self, state: str) -> FailureCount:
        """Return the failure_count with one more trial, that ended so."""
        if state == TrialState.REJECTED:  # no trial at all for those who count trials
            return replace(self, rejections_in_a_row=self.rejections_in_a_row + 1)
        crash = state == TrialState.FAILED
        return FailureCount(
            crashed=self.crashed + crash,
            succeeded=self.succeeded + (TrialState(state).succeeded),
            crashes_in_a_row=self.crashes_in_a_row + 1 if crash else 0,
        )

    def broken(self, *, in_a_row: int, fraction: float | None) -> str | None:
        """Return in which way there are too many failures, None if there are not.

        Args:
            in_a_row: So many crashes one after the other are too many.
            fraction: A larger part of crashes among crashes and successes is too much.
        """
        if self.rejections_in_a_row >= REJECTIONS:
            return (
                f"`constraint` has rejected {REJECTIONS} models in a row.  Loosen it, or leave "
                "what it rejects out of the search space."
            )
        if self.crashes_in_a_row >= in_a_row:
            return (
                f"The last {self.crashes_in_a_row} trials crashed "
                f"(`max_consecutive_failed_trials={in_a_row}`)."
            )
        judged = self.crashed + self.succeeded
        if fraction is not None and judged >= MIN_TRIALS and self.crashed > fraction * judged:
            return f"{self.crashed} of {judged} trials crashed (`max_failure_fraction={fraction}`)."
        return None


def report(broken: str, trials: Sequence[TrialRecord]) -> str:
    """Return the error's text: what was too much, what was said, and what failures share.

    Args:
        broken: As `FailureCount.broken` has it.
        trials: The trials that have ended, in that order, the last one badly.
    """
    state = trials[-1].state
    these = [record for record in trials if record.state == state][-_COMPARED:]
    others = [record for record in trials if record.state.succeeded]
    said = Counter((record.trial.message or "").partition("\n")[0] for record in these)
    lines = [broken]
    if len(said) > 1:
        lines += ["They said:", *(f"  {count} x {line}" for line, count in said.most_common(3))]
    lines += ["The last one said:", these[-1].trial.message or "(nothing)"]
    return "\n".join(lines + _shared(these, others))


def _shared(these: Sequence[TrialRecord], others: Sequence[TrialRecord]) -> list[str]:
    found = traits([e.trial.values for e in these], [e.trial.values for e in others])
    if not found:
        return []
    rejected = these[0].state is TrialState.REJECTED
    what, against = ("rejections" if rejected else "failures"), "successes"
    lines = [f"What tells the {what} from the {against}:"]
    for trait in found:
        here = f"{trait.here} of {len(these)} {what}"
        lines.append(f"  {trait.text} in {here}, {trait.there} of {len(others)} {against}")
    return lines
