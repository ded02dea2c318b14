"""The protocol of schedulers: pure functions from the history to the next step of a worker.

A trial that is paused and resumed remains one trial with one curve.
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
        until: Number of epochs that the trial may train.
        bracket: Number of the bracket of its scheduler to which it belongs. Defaults to 0.
    """

    until: int
    bracket: int = 0


@dataclass(frozen=True)
class Resume:
    """Resume a paused trial.

    Args:
        number: Number of the trial.
        until: Number of epochs that it may train in all.
        parent: Number of another trial whose state at the same epoch it takes over first, None to
            continue from its own. Defaults to None.
        point: Its hyperparameters from now on, None to leave them unchanged. Defaults to None.
    """

    number: int
    until: int
    parent: int | None = None
    point: Point | None = None


Step = Union[Start, Resume]  # noqa: UP007 - Python 3.10


@dataclass(frozen=True)
class PlannedRung:
    """A rung of the plan of a scheduler.

    Args:
        bracket: Number of its bracket, counted from 0.
        epochs: Number of epochs that a trial has trained in all when it reaches the rung.
        trials: Number of trials that reach it.
        new_epochs: Number of epochs that these train between the rung below and this one, summed.
    """

    bracket: int
    epochs: int
    trials: int
    new_epochs: int


@runtime_checkable
class Scheduler(Protocol):
    """Decides which trial trains next and for how long.

    A scheduler keeps no state between calls: all that it needs of the past is in the history.  So a
    search that is interrupted and resumed takes the same steps.

    Attributes:
        max_epochs: Largest number of epochs that a trial may train in all.
        resumes: Whether a trial that was stopped may be resumed later; if not, it is pruned.
        revives: Whether that holds for a diverged trial, which may take over the state of another.
    """

    @property
    def max_epochs(self) -> int: ...  # noqa: D102 - see above
    @property
    def resumes(self) -> bool: ...  # noqa: D102
    @property
    def revives(self) -> bool: ...  # noqa: D102

    def next_step(self, history: History, *, seed: int, may_start: bool) -> Step | None:
        """Return what a free worker should do, None if it should wait.

        Args:
            history: All trials so far; must not be changed.
            seed: Seed of the search; all draws depend on it, the number of a trial and its epochs
                alone.
            may_start: Whether a new trial may be started.
        """

    def goes_on(self, history: History, number: int, *, seed: int, may_start: bool) -> int:
        """Return how many epochs a running trial may train in all, when it has reached its budget.

        Args:
            history: All trials so far; must not be changed.
            number: Number of the trial.
            seed: As in `next_step`.
            may_start: As in `next_step`.

        Returns:
            At most the number that it has trained if it has to stop now.
        """

    def needed(self, history: History, *, max_trials: int | None) -> IntArray:
        """Return which states of trials may still be resumed or taken over.

        Args:
            history: All trials so far; must not be changed.
            max_trials: Largest number of trials of the search, None if it is not known.

        Returns:
            Shape ``(n,)``: for each trial the smallest number of epochs of a state that is needed;
            states of fewer epochs may be deleted.
        """

    def plan(self, max_trials: int | None) -> Sequence[PlannedRung]:
        """Return the rungs of a search in which no trial fails.

        Args:
            max_trials: Largest number of trials of the search, None if it is not known.
        """
