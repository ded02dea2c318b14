"""One trial in the books of a search."""

from __future__ import annotations

from dataclasses import dataclass, field

from kt_extras.bridge.lazy_trial import LazyTrial
from kt_extras.bridge.metrics import Metrics
from kt_extras.search import Point


@dataclass
class Takeover:
    """A member of a population has taken over the state of another, and changed its point.

    Attributes:
        epoch: The number of epochs that both had trained.
        parent: The id of the other trial.
        generation: How many takeovers of its own the parent's state at that epoch came from.
        before, after: The values of the active hyperparameters.
    """

    epoch: int
    parent: str
    generation: int
    before: Point
    after: Point


@dataclass
class Entry:
    """One trial in the books.

    Attributes:
        trial: KerasTuner's own object, the one that its readers see.
        number: Counted from 0 in the order of beginning.
        executions: For each training run of the trial, the metrics of each epoch.
        state: `"running"`, `"waiting"` (for a retry), `"paused"` (its scheduler may give it more
            epochs), or how it ended: `"completed"`, `"pruned"`, `"infeasible"` (it cannot run, or
            its loss is no number), `"failed"` (it crashed) or `"rejected"` (by `constraint`,
            before it ran).
        attempt: How often it has been begun, since it was last paused.
        began, ended: Seconds on the search's clock, which stands still between sessions.
        stop_asked: Whether the pruner has asked for its end.
        until: The epochs that its scheduler has given it, None for no limit.
        rested: The epochs after which it was last paused, 0 if it never was; its state at that
            time is on disk, or that of the trial from which it has taken over.
        spent: Seconds that it has run before it was last resumed.
        takeovers: What it has taken over from others.
        counted: Whether it is among the trials that have ended.
        results: Metrics that came with the end of the trial rather than with an epoch.
    """

    trial: LazyTrial
    number: int
    executions: list[dict[int, Metrics]] = field(default_factory=list)
    state: str = "running"
    attempt: int = 1
    began: float = 0.0
    ended: float | None = None
    stop_asked: bool = False
    results: Metrics = field(default_factory=dict)
    until: int | None = None
    rested: int = 0
    spent: float = 0.0
    takeovers: list[Takeover] = field(default_factory=list)
    counted: bool = False

    @property
    def trained(self) -> int:
        """Epochs of its growing curve, that is of its first execution."""
        return max(self.executions[0]) + 1 if self.executions and self.executions[0] else 0

    @property
    def budget_spent(self) -> bool:
        """Whether it has trained all the epochs that its scheduler has given it."""
        return self.until is not None and self.trained >= self.until

    @property
    def parent(self) -> str | None:
        """The trial whose state it goes on with, None if that is its own."""
        last = self.takeovers[-1] if self.takeovers else None
        return last.parent if last is not None and last.epoch == self.rested else None

    def generation_at(self, epochs: int) -> int:
        """Return how many takeovers had happened when it had trained so many epochs."""
        return sum(taken.epoch <= epochs for taken in self.takeovers)

    @property
    def best_values(self) -> Point:
        """The values of the active hyperparameters in its best epoch."""
        later = self.takeovers[self.generation_at(self.trial.best_step or 0) :]
        return dict(later[0].before if later else self.trial.values)

    @property
    def epochs(self) -> int:
        """Epochs trained, over all executions."""
        return sum(max(run) + 1 for run in self.executions if run)

    @property
    def seconds(self) -> float | None:
        """The time for which it ran, None while it does."""
        return None if self.ended is None else round(self.spent + self.ended - self.began, 3)
