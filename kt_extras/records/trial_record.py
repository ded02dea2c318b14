"""What is known of one trial."""

from __future__ import annotations

from dataclasses import dataclass, field

import keras_tuner

from kt_extras.bridge.lazy_trial import LazyTrial, set_missing_defaults
from kt_extras.bridge.metrics import Metrics
from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.events import Exploit
from kt_extras.search import Point


@dataclass
class TrialRecord:
    """What is known of one trial; changed by `SearchState.apply` alone.

    Attributes:
        trial: KerasTuner's own object, the one that its readers see.
        number: From 0, in the order in which trials began.
        executions: For each training run of the trial, the metrics of each epoch.
        state: Where it stands.
        attempt: How often it has been begun since it was last paused.
        began, ended: Seconds on the search's clock, which stands still between sessions.
        stop_asked: Whether the pruner wants it to stop.
        results: Metrics that came with the end of the trial rather than with an epoch.
        epoch_budget: Up to which epoch its scheduler lets it train, None for no limit.
        paused_at_epoch: After how many epochs it was last paused, 0 if it never was.  Its state at
            that time is on disk, or that of the trial that it took over.
        seconds_before_resume: How long it had run before it was last resumed.
        exploits: What it has taken over from others.
        counted: Whether it is among the trials that have ended.
        added: Whether it was trained elsewhere, so that there is nothing but its numbers.
        worker: Who trains it or did so last, None where one process searches.
    """

    trial: LazyTrial
    number: int
    executions: list[dict[int, Metrics]] = field(default_factory=list)
    state: TrialState = TrialState.RUNNING
    attempt: int = 1
    began: float = 0.0
    ended: float | None = None
    stop_asked: bool = False
    results: Metrics = field(default_factory=dict)
    epoch_budget: int | None = None
    paused_at_epoch: int = 0
    seconds_before_resume: float = 0.0
    exploits: list[Exploit] = field(default_factory=list)
    counted: bool = False
    added: bool = False
    worker: str | None = None

    @property
    def trained(self) -> int:
        """Epochs of its growing curve, that is of its first execution."""
        return max(self.executions[0]) + 1 if self.executions and self.executions[0] else 0

    @property
    def reports(self) -> int:
        """How many epochs were reported, over all executions."""
        return sum(map(len, self.executions))

    @property
    def unsaved(self) -> int:
        """How many of them another attempt would train again: those after its last pause."""
        first = self.executions[0] if self.executions else {}
        return self.reports - sum(step < self.paused_at_epoch for step in first)

    @property
    def budget_used_up(self) -> bool:
        """Whether it has trained all the epochs of its budget."""
        return self.epoch_budget is not None and self.trained >= self.epoch_budget

    @property
    def parent(self) -> str | None:
        """The trial whose state it continues, None if that is its own."""
        last = self.exploits[-1] if self.exploits else None
        return last.parent if last is not None and last.epoch == self.paused_at_epoch else None

    def generation_at(self, epochs: int) -> int:
        """Return how many exploits had happened when it had trained so many epochs."""
        return sum(exploit.epoch <= epochs for exploit in self.exploits)

    @property
    def best_values(self) -> Point:
        """The values of the active hyperparameters in its best epoch."""
        later = self.exploits[self.generation_at(self.trial.best_step or 0) :]
        return dict(later[0].before if later else self.trial.values)

    def best_hyperparameters(
        self, declared: keras_tuner.HyperParameters
    ) -> keras_tuner.HyperParameters:
        """Return a copy of its hyperparameters as they were in its best epoch.

        Args:
            declared: The space of the search, of which parts may have been declared later.
        """
        hp = self.trial.hyperparameters.copy()
        hp.values = {**hp.values, **self.best_values}
        hp.merge(declared, overwrite=False)
        return set_missing_defaults(hp)

    @property
    def epochs(self) -> int:
        """Epochs trained, over all executions."""
        return sum(max(run) + 1 for run in self.executions if run)

    @property
    def seconds(self) -> float | None:
        """How long it has run here, None while it does, and for one that was trained elsewhere."""
        if self.ended is None or self.added:
            return None
        return round(self.seconds_before_resume + self.ended - self.began, 3)
