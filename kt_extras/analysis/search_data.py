"""A search as plain data: what plots, importance, reports and exports read.

It is made from the records of a project (`kt_extras.analysis.reading`) or from the state of a
running search; nothing here needs Keras, KerasTuner or TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypedDict

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.search import Point, Space
from kt_extras.search.outcome import Goals, OutcomeConstraint
from kt_extras.search.outcome import Target as Target


class Epochs(TypedDict):
    """The epochs of one execution in columns; None where a metric was not measured.

    Attributes:
        steps: The epochs, counted from 0.
        metrics: For each metric its value at each of them.
    """

    steps: list[int]
    metrics: dict[str, list[float | None]]


@dataclass(frozen=True)
class Takeover:
    """A member of a population has gone on with the state of another one.

    Attributes:
        epoch: After how many epochs.
        parent: The id of the other trial.
        before, after: The values of its hyperparameters until then and from then on.
    """

    epoch: int
    parent: str
    before: Point
    after: Point


@dataclass(frozen=True)
class TrialData:
    """One trial of a search.

    Attributes:
        number: From 0, in the order in which trials began.
        trial_id: As KerasTuner names it.
        state: `"completed"`, `"pruned"`, `"infeasible"`, `"failed"`, `"rejected"`, `"paused"`,
            `"running"` or `"waiting"`.
        values: Of its active hyperparameters, as they were in its best epoch.
        score: The value of the first objective in its own scale, None without one.
        objective_values: Of each objective by its name, in its own scale; empty without a score.
        violations: By how much each constraint is violated, by its text; 0 where it holds.
        metrics: All metrics of the best epoch, as means over the executions.
        best_epoch: From 0; None if no epoch was reported.
        executions: The curves of each training run.
        epochs: Trained, over all executions.
        began, ended: Seconds on the search's clock, which stands still between sessions.
        seconds: How long it has run; None while it does, and for one trained elsewhere.
        worker: Who trained it last, None where one process searches.
        bracket: That of the scheduler in which it began; -1 for a trial that was trained elsewhere.
        budget: Up to which epoch its scheduler lets it train, None for no limit.
        takeovers: What it has taken over from other members of a population.
        message: Why it failed, or what else there is to say; None for nothing.
        attempt: How often it has been begun.
    """

    number: int
    trial_id: str
    state: str
    values: Point
    score: float | None = None
    objective_values: Mapping[str, float] = field(default_factory=dict)
    violations: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    best_epoch: int | None = None
    executions: Sequence[Epochs] = ()
    epochs: int = 0
    began: float = 0.0
    ended: float | None = None
    seconds: float | None = None
    worker: str | None = None
    bracket: int = 0
    budget: int | None = None
    takeovers: Sequence[Takeover] = ()
    message: str | None = None
    attempt: int = 1

    @property
    def violation(self) -> float:
        """By how much it violates the constraints together; 0 for a feasible trial."""
        return math.fsum(self.violations.values())

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from kt_extras.analysis.trial_html import trial_html

        return trial_html(self)

    def curve(self, metric: str, execution: int = 0) -> tuple[FloatArray, FloatArray]:
        """Return the epochs, counted from 0, and the values of a metric in one execution.

        Returns:
            Two arrays of shape ``(k,)``, without epochs in which it was not measured.
        """
        if execution >= len(self.executions):
            return np.empty(0), np.empty(0)
        epochs = self.executions[execution]
        values = epochs["metrics"].get(metric, [])
        known = [(s, v) for s, v in zip(epochs["steps"], values, strict=False) if v is not None]
        steps, found = zip(*known, strict=True) if known else ((), ())
        return np.array(steps, dtype=float), np.array(found, dtype=float)


@dataclass(frozen=True)
class EvaluationData:
    """One evaluation of a model on a test set.

    Attributes:
        trial_id: That of the trial whose model it was, None for a model of another origin.
        metrics: What was measured, by name.
        rows: How many rows the test set has.
        at: When it was, in seconds since 1970.
    """

    trial_id: str | None
    metrics: Mapping[str, float]
    rows: int
    at: float


@dataclass(frozen=True)
class RepeatData:
    """One training of a trial's model with another seed, which `confirm` has made.

    Attributes:
        trial_id: That of the trial.
        seed: That of the training.
        epochs: How many it trained, None if that is not known.
        metrics: Of its last epoch.
        holdout_metrics: On data that nothing was chosen by, empty without such data.
    """

    trial_id: str
    seed: int
    epochs: int | None
    metrics: Mapping[str, float]
    holdout_metrics: Mapping[str, float]


@dataclass(frozen=True)
class SearchData:
    """A whole search.

    Attributes:
        name: The project's.
        space: What was searched, as declared last.
        objectives: At least one; the first one gives the scores and the best epochs.
        trials: In the order in which they began.
        constraints: Their texts.
        weights: The weights of the objectives in a weighted sum, by name; None where trials are
            compared by dominance, or by the only objective.
        seed: The search's, None if it is not known.
        seconds: How long the search has taken, over all sessions.
        model: What tells the model with default hyperparameters from others, None if unknown.
        evaluations: Of models on test sets, oldest first.
        repeats: Trainings of trials with other seeds, oldest first.
    """

    name: str
    space: Space
    objectives: tuple[Target, ...]
    trials: tuple[TrialData, ...]
    constraints: tuple[str, ...] = ()
    weights: Mapping[str, float] | None = None
    seed: int | None = None
    seconds: float = 0.0
    model: str | None = None
    evaluations: tuple[EvaluationData, ...] = ()
    repeats: tuple[RepeatData, ...] = ()

    @property
    def objective(self) -> Target:
        """The first objective."""
        return self.objectives[0]

    @property
    def goals(self) -> Goals | None:
        """What is wanted of outcomes, None for a good score alone."""
        if len(self.objectives) == 1 and not self.constraints:
            return None
        shares = self.weights and tuple(self.weights[target.name] for target in self.objectives)
        bounds = tuple(map(OutcomeConstraint.parse, self.constraints))
        return Goals(self.objectives, bounds, shares or None)

    @cached_property
    def scored(self) -> tuple[TrialData, ...]:
        """The trials that have a value for each objective, in their order.

        Trials that were pruned or paused are among them, with their best values so far.
        """
        return tuple(
            trial
            for trial in self.trials
            if trial.score is not None and len(trial.objective_values) == len(self.objectives)
        )

    @cached_property
    def unit(self) -> FloatArray:
        """Shape ``(trials, d)``: their points on the unit cube, NaN where inactive."""
        return self.space.encode_all([trial.values for trial in self.trials])

    @cached_property
    def losses(self) -> FloatArray:
        """Shape ``(n, m)``: the losses of the trials of `scored` in each objective."""
        rows = [[t.objective_values[o.name] * o.sign for o in self.objectives] for t in self.scored]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.objectives))

    @cached_property
    def total_violations(self) -> FloatArray:
        """Shape ``(n,)``: by how much each trial of `scored` violates the constraints together."""
        return np.array([trial.violation for trial in self.scored], dtype=float)

    def trial(self, trial_id: str | int) -> TrialData:
        """Return one trial.

        Args:
            trial_id: Its id, or its number.

        Raises:
            KeyError: There is no such trial.
        """
        for trial in self.trials:
            if trial_id in (trial.trial_id, trial.number):
                return trial
        known = ", ".join(repr(trial.trial_id) for trial in self.trials[:20])
        more = f", ... ({len(self.trials)} trials)" if len(self.trials) > 20 else ""
        raise KeyError(
            f"`trial_id` must be the id or the number of one of [{known}{more}], got {trial_id!r}."
        )


def data_of(search: Any) -> SearchData:
    """Return the data of a search: a tuner, an oracle, what `kt_extras.load` returns, or data.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(search, SearchData):
        return search
    get_data = getattr(search, "search_data", None)
    if get_data is None:
        raise TypeError(
            "`search` must be a tuner or an oracle of kt_extras, a `kt_extras.Study`, or what "
            f"`kt_extras.load` returns, got {search!r}."
        )
    data: SearchData = get_data()
    return data
