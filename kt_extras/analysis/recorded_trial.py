"""One trial as its records have it, until it becomes `TrialData`.

Scores and best epochs follow `kt_extras.records.scores`, which the search itself uses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kt_extras.analysis.search_data import Epochs, Takeover, Target, TrialData
from kt_extras.search import Point
from kt_extras.search.history import ELSEWHERE
from kt_extras.search.outcome import OutcomeConstraint


@dataclass(frozen=True)
class RecordedObjective:
    """What gives a trial its score.

    Attributes:
        target: Its name and direction.
        parts: Those of a sum, as a list of objectives is in KerasTuner; none for a single one.
    """

    target: Target
    parts: tuple[Target, ...] = ()

    def values(self, epochs: Epochs) -> Sequence[float | None]:
        """Return the value of the objective in each epoch, None where it was not measured."""
        metrics, count = epochs["metrics"], len(epochs["steps"])
        own = metrics.get(self.target.name, [None] * count)
        if not all(part.name in metrics for part in self.parts) or not self.parts:
            return own
        signs = {part.name: part.sign for part in self.parts}
        terms = [(signs[name], column) for name, column in metrics.items() if name in signs]
        return [_sum(terms, row) if own[row] is None else own[row] for row in range(count)]

    def best(self, epochs: Epochs, until: float = math.inf) -> tuple[float, int] | None:
        """Return the best value of one execution and its epoch, None if there is no value.

        Args:
            epochs: Those of the execution.
            until: Epochs from here on are left out.  Defaults to `inf`: all count.
        """
        found, least = None, math.inf
        for step, value in zip(epochs["steps"], self.values(epochs), strict=True):
            if value is None or step >= until:
                continue
            loss = value * self.target.sign if math.isfinite(value) else math.inf
            if found is None or loss < least:
                found, least = (value, step), loss
        return found


def _sum(terms: Sequence[tuple[float, Sequence[float | None]]], row: int) -> float | None:
    values = [(sign, column[row]) for sign, column in terms]
    known = [sign * value for sign, value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None


@dataclass(slots=True)
class RecordedTrial:
    """What is known of one trial so far; its fields are those of `TrialData` if not said here.

    Attributes:
        results: Metrics that came with its end.
        rested: After how many epochs it was last paused.
        spent: For how many seconds it had run before it was last resumed.
        best_step: Its best epoch, also without a score.
        made: What `data` has returned, None once anything has changed.
    """

    number: int
    trial_id: str
    values: Point
    began: float
    state: str = "running"
    score: float | None = None
    best_step: int | None = None
    results: Mapping[str, float] = field(default_factory=dict)
    executions: list[Epochs] = field(default_factory=list)
    ended: float | None = None
    rested: int = 0
    spent: float = 0.0
    worker: str | None = None
    bracket: int = 0
    budget: int | None = None
    takeovers: list[Takeover] = field(default_factory=list)
    message: str | None = None
    attempt: int = 1
    made: TrialData | None = None

    def report(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Add an epoch; one that does not follow the last begins a new execution."""
        if not self.executions or step <= self.executions[-1]["steps"][-1]:
            self.executions.append({"steps": [], "metrics": {}})
        epochs = self.executions[-1]
        for name in metrics:
            if name not in epochs["metrics"]:
                epochs["metrics"][name] = [None] * len(epochs["steps"])
        epochs["steps"].append(step)
        for name, column in epochs["metrics"].items():
            column.append(float(metrics[name]) if name in metrics else None)

    def keep(self, count: int, objective: RecordedObjective) -> None:
        """Begin another attempt, which keeps the first epochs of the first execution."""
        self.executions = [before(epochs, count) for epochs in self.executions[:1] if count]
        self.takeovers = [taken for taken in self.takeovers if taken.epoch <= count]
        self.results, self.rested = {}, count
        self.score = self.best_step = self.message = self.ended = None
        if count:
            self.score_at_pause(objective)

    def score_at_pause(self, objective: RecordedObjective) -> None:
        """Take the score and the best epoch that it had when it was last paused."""
        first = self.executions[0] if self.executions else Epochs(steps=[], metrics={})
        score, step = objective.best(first, self.rested) or (math.nan, 0)
        self.score, self.best_step = (score, step) if math.isfinite(score) else (None, 0)

    @property
    def trained(self) -> int:
        """Epochs of its first execution."""
        return self.executions[0]["steps"][-1] + 1 if self.executions else 0

    def metrics(self, objective: RecordedObjective) -> dict[str, float]:
        """Return all metrics of the best epoch, as means over the executions, like the score."""
        if self.score is None:
            return {}
        steps = [self.best_step]
        if len(self.executions) > 1:
            found = [objective.best(epochs) for epochs in self.executions]
            steps = [best[1] for best in found if best is not None]
        rows = [_row(e, step) for e, step in zip(self.executions, steps, strict=False)]
        if len(rows) == 1:
            return {**rows[0], **self.results}
        names = dict.fromkeys(name for row in rows for name in row)
        means = {n: float(np.mean([row[n] for row in rows if n in row])) for n in names}
        return {**means, **self.results}

    @property
    def best_values(self) -> Point:
        """The values of the active hyperparameters in its best epoch."""
        best = self.best_step or 0
        return dict(next((t.before for t in self.takeovers if t.epoch > best), self.values))

    def data(
        self,
        objective: RecordedObjective,
        targets: Sequence[Target],
        constraints: Mapping[str, OutcomeConstraint],
    ) -> TrialData:
        """Return the trial as data.

        Args:
            objective: What gives the score.
            targets: All objectives.
            constraints: Those on the outcome, by their texts.
        """
        if self.made is not None:
            return self.made
        if self.state == "running" and self.rested:
            self.score_at_pause(objective)
        metrics, scored = self.metrics(objective), self.score is not None
        self.made = TrialData(
            number=self.number,
            trial_id=self.trial_id,
            state=self.state,
            values=self.best_values,
            score=self.score,
            objective_values=target_values(self.score, metrics, targets),
            violations={
                text: constraint.violation(metrics) for text, constraint in constraints.items()
            }
            if scored
            else {},
            metrics=metrics,
            best_epoch=self.best_step if scored else None,
            executions=tuple(map(_copy, self.executions) if self._grows else self.executions),
            epochs=sum(epochs["steps"][-1] + 1 for epochs in self.executions),
            began=self.began,
            ended=self.ended,
            seconds=self._seconds(),
            worker=self.worker,
            bracket=self.bracket,
            budget=self.budget,
            takeovers=tuple(self.takeovers),
            message=self.message,
            attempt=self.attempt,
        )
        return self.made

    @property
    def _grows(self) -> bool:
        return self.state in {"running", "waiting", "paused"}

    def _seconds(self) -> float | None:
        if self.ended is None or self.bracket == ELSEWHERE:
            return None
        return round(self.spent + self.ended - self.began, 3)


def target_values(
    score: float | None, metrics: Mapping[str, float], targets: Sequence[Target]
) -> dict[str, float]:
    """Return the value of each objective of a trial, in its own scale.

    Args:
        score: That of the trial; None for none, and so for no values.
        metrics: Those of its best epoch.
        targets: The objectives; the first one has given the score.
    """
    if score is None:
        return {}
    rest = {target.name: metrics[target.name] for target in targets[1:] if target.name in metrics}
    return {targets[0].name: score, **rest}


def decoded(run: Mapping[str, Any]) -> Epochs:
    """Return the epochs of an execution as snapshots hold them, with numbers in place of names."""
    metrics = {name: _numbers(column) for name, column in run["metrics"].items()}
    return {"steps": list(run["steps"]), "metrics": metrics}


def before(epochs: Epochs, end: int) -> Epochs:
    """Return the epochs before one of them."""
    count = sum(step < end for step in epochs["steps"])
    found = {name: column[:count] for name, column in epochs["metrics"].items()}
    known = {n: column for n, column in found.items() if any(v is not None for v in column)}
    return {"steps": epochs["steps"][:count], "metrics": known}


def _numbers(column: list[Any]) -> list[float | None]:
    if str not in map(type, column):  # nearly always: only "nan" and infinities are texts
        return column
    return [None if value is None else float(value) for value in column]


def _copy(epochs: Epochs) -> Epochs:
    columns = {name: list(column) for name, column in epochs["metrics"].items()}
    return {"steps": list(epochs["steps"]), "metrics": columns}


def _row(epochs: Epochs, step: int | None) -> dict[str, float]:
    """Return the metrics of an epoch, none if it was not reported."""
    if step not in epochs["steps"]:
        return {}
    row = epochs["steps"].index(step)
    return {n: value for n, c in epochs["metrics"].items() if (value := c[row]) is not None}
