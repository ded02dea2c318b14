"""What a rule is that spreads epochs over trials: a pure function from the past to the next step.

A trial stays one trial with one growing curve, however often it is paused and resumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Union, runtime_checkable

from kt_extras.arrays import IntArray
from kt_extras.search import History, Point


@dataclass(frozen=True)
class Start:
    """Begin a new trial.

    Args:
        until: How many epochs it may train.
        bracket: What it belongs to, in the words of its scheduler.
    """

    until: int
    bracket: int = 0


@dataclass(frozen=True)
class Resume:
    """Let a paused trial go on.

    Args:
        number: The trial's.
        until: How many epochs it may train in all.
        parent: The number of another trial whose state it takes over first, None to go on with its
            own; the state is that of the same epoch.
        point: What its hyperparameters are from now on, None for what they were.
    """

    number: int
    until: int
    parent: int | None = None
    point: Point | None = None


Step = Union[Start, Resume]  # noqa: UP007 - Python 3.10


@dataclass(frozen=True)
class PlannedRung:
    """What a scheduler intends: so many trials trained for so many epochs.

    Args:
        bracket: Counted from 0.
        epochs: That a trial has trained in all when it reaches the rung.
        trials: How many do.
        new_epochs: That all of them together train to come from the rung below.
    """

    bracket: int
    epochs: int
    trials: int
    new_epochs: int


@runtime_checkable
class Scheduler(Protocol):
    """Decides which trial trains next and for how long.

    A scheduler keeps no state between calls: what it needs of the past is in the history.  So a
    resumed search goes on as if it had never stopped.

    Attributes:
        max_epochs: Epochs that a trial may train in all.
        resumes: Whether a trial that was stopped may go on later; if not, it is pruned.
        revives: Whether that holds for a trial that has diverged, as it may take over from another.
    """

    @property
    def max_epochs(self) -> int: ...  # noqa: D102 - see above
    @property
    def resumes(self) -> bool: ...  # noqa: D102
    @property
    def revives(self) -> bool: ...  # noqa: D102

    def next_step(self, history: History, *, seed: int, may_start: bool) -> Step | None:
        """Return what a free worker should do, None if there is nothing now.

        Args:
            history: All trials so far; not to be changed.
            seed: The search's; with a trial's number and its epochs it settles every draw.
            may_start: Whether there may be new trials.
        """

    def goes_on(self, history: History, number: int, *, seed: int, may_start: bool) -> int:
        """Return how many epochs a running trial may train in all, now that its budget is spent.

        Args:
            history: All trials so far; not to be changed.
            number: The trial's.
            seed: As in `next_step`.
            may_start: As in `next_step`.

        Returns:
            Not more than it has trained if it has to stop here.
        """

    def needed(self, history: History, *, max_trials: int | None) -> IntArray:
        """Return what states of trials may still be resumed or taken over.

        Args:
            history: All trials so far; not to be changed.
            max_trials: How many trials there will be at most, None if that is not known.

        Returns:
            Shape ``(n,)``: for each trial the least number of epochs whose state is needed; the
            states of fewer epochs are not.
        """

    def plan(self, max_trials: int | None) -> Sequence[PlannedRung]:
        """Return what is intended, if nothing fails.

        Args:
            max_trials: How many trials there will be at most.
        """
