"""A search without Keras: asks for points and is told what has come of them."""

from __future__ import annotations

import math
import os
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import numpy as np

from kt_extras.analysis.search_data import SearchData
from kt_extras.arguments import check_integer, check_project_name, check_protocol, plain
from kt_extras.pruners import Pruner
from kt_extras.pruners.number import check_compares_trials
from kt_extras.records.events import EpochReported, PointEnqueued, TrialBegun, TrialEnded
from kt_extras.samplers.auto import Auto
from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.exhaustive import Exhaustive
from kt_extras.search import History, Point, Sampler, Space, State
from kt_extras.search.outcome import Goals, OutcomeConstraint, Target, checked_weights
from kt_extras.search.sampler import SpaceExhausted, trial_rng
from kt_extras.study.records import StudyRecords, opening
from kt_extras.views.search_views import SearchViews

Outcome = Union[float, Mapping[str, float], None]  # noqa: UP007 - Python 3.10

_STATES = {"completed": State.COMPLETED, "pruned": State.PRUNED, "infeasible": State.INFEASIBLE}


class StudyTrial:
    """A point that is to be tried, as `Study.ask` returns it.

    Attributes:
        number: Of the trial, from 0.
        values: Of the active hyperparameters.
    """

    def __init__(self, study: Study, number: int, values: Point) -> None:
        self._study = study
        self.number, self.values = number, values

    def __getitem__(self, name: str) -> Any:
        """Return the value of a hyperparameter."""
        return self.values[name]

    def report(self, outcome: float | Mapping[str, float], step: int | None = None) -> bool:
        """Report what there is after a step of the training.

        Args:
            outcome: The objective, or a dictionary of metrics.
            step: From 0.  Defaults to None: the next one.

        Returns:
            Whether the pruner would stop the trial; then `tell` it with `state="pruned"`.
        """
        return self._study._report(self.number, outcome, step)


class Study(SearchViews):
    """Suggests points of a space, and learns from what is told of them.

    It has the samplers and pruners of kt_extras, and needs neither Keras nor TensorFlow.  In a
    directory it is on record, as a search of a tuner is: `kt_extras.load` reads it, and the same
    call goes on with it, in one process at a time.  What can be asked of a loaded search can be
    asked of a study: results, importance, the Pareto front, a report.

    Args:
        space: A `kt_extras.search.Space`, or a list of its dimensions.
        objectives: A dictionary from the names of one or several objectives to `"min"` or `"max"`.
            Defaults to `{"loss": "min"}`.
        constraints: As for `kt_extras.SamplerOracle`.
        weights: As for `kt_extras.SamplerOracle`.
        sampler: A `kt_extras.samplers.Sampler`.  Defaults to `kt_extras.samplers.Auto()`.
        pruner: A `kt_extras.pruners.Pruner`.  Defaults to None.
        seed: An integer from 0 that fixes the suggestions.  Defaults to None: one that Python's
            `random` gives, or the recorded one.
        directory: Where to keep the records.  Defaults to None: in memory alone.
        name: That of the project in the directory.  Defaults to `"study"`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument breaks its rule, or the directory has other objectives on record.
        kt_extras.storage.ProjectInUseError: Another process goes on with the study.

    >>> from kt_extras.search import Float
    >>> study = Study([Float("x", -1, 1)], seed=0)
    >>> for _ in range(20):
    ...     trial = study.ask()
    ...     study.tell(trial, trial["x"] ** 2)
    >>> abs(study.best_trial.values["x"]) < 0.1
    True
    """

    def __init__(
        self,
        space: Space | Sequence[Any],
        objectives: Mapping[str, Any] | None = None,
        *,
        constraints: Sequence[Any] | None = None,
        weights: Mapping[str, float] | None = None,
        sampler: Sampler | None = None,
        pruner: Pruner | None = None,
        seed: int | None = None,
        directory: str | os.PathLike[str] | None = None,
        name: str = "study",
    ) -> None:
        sampler = Auto() if sampler is None else sampler
        check_protocol("sampler", sampler, Sampler, "suggest")
        if pruner is not None:
            check_protocol("pruner", pruner, Pruner, "should_stop")
        if seed is not None:
            check_integer("seed", seed, minimum=0)
        check_project_name(name)
        self.space = space if isinstance(space, Space) else Space(space)
        self._targets = _checked_objectives(objectives)
        bounds = tuple(map(OutcomeConstraint.parse, constraints or ()))
        goals = Goals(self._targets, bounds, checked_weights(weights, self._targets))
        self._goals = goals if bounds or len(self._targets) > 1 else None
        check_compares_trials(pruner, self._goals)
        self._sampler, self.pruner = Exhaustive(Distinct(sampler)), pruner
        self._history = History(self.space, self._targets[0].sign, self._goals)
        self._reports: dict[int, dict[int, dict[str, float]]] = {}  # of trials that run
        self._records = StudyRecords(directory, str(name))
        self._enqueued = deque(self._records.enqueued)
        try:
            self.seed = self._take_up(seed)
        except BaseException:
            self.close()
            raise

    # Asking and telling.

    def ask(self) -> StudyTrial:
        """Return a trial with the next point.

        Raises:
            kt_extras.search.SpaceExhausted: All points of the space have been tried.
        """
        number, enqueued = len(self._history), bool(self._enqueued)
        rng = trial_rng(self.seed, number)
        if enqueued:
            values = self.space.complete(self._enqueued[0], rng.random(len(self.space)))
        else:
            values = self._sampler.suggest(self._history.ranked(), self.space, rng)
        values = plain(values)
        self._records.write(TrialBegun(trial=f"{number:04d}", values=values, enqueued=enqueued))
        if enqueued:
            self._enqueued.popleft()
        return StudyTrial(self, self._history.start(values), values)

    def tell(
        self, trial: StudyTrial | int, outcome: Outcome = None, state: str = "completed"
    ) -> None:
        """Say what has come of a trial.

        Args:
            trial: As `ask` has returned it, or its number.
            outcome: The objective, or a dictionary of metrics with all objectives.  Defaults to
                None: what was reported.
            state: `"completed"`, `"pruned"` for a trial that was stopped early, or `"infeasible"`
                for one that has failed.  Defaults to `"completed"`.

        Raises:
            KeyError: There is no such trial.
            ValueError: The trial has been told before, or an objective is missing.
        """
        if state not in _STATES:
            raise ValueError(f"`state` must be one of {list(_STATES)}, got {state!r}.")
        number = trial.number if isinstance(trial, StudyTrial) else trial
        self._check_running(number)
        results = self._metrics_of(outcome)
        step = self._best_step(number)
        reported = self._reports.get(number, {}).get(-1 if step is None else step, {})
        metrics = {**reported, **results}
        missing = [target.name for target in self._targets if target.name not in metrics]
        if missing and state == "completed":
            raise ValueError(
                f"`outcome` must have a number for each objective, but {missing} are missing in "
                f"{metrics}; pass state='infeasible' for a trial that has failed."
            )
        score = metrics.get(self._targets[0].name, math.nan)
        failed = state == "infeasible" or not math.isfinite(score)
        observed = State.INFEASIBLE if failed else _STATES[state]
        self._records.write(
            TrialEnded(
                trial=f"{number:04d}",
                state="infeasible" if failed else state,
                status="FAILED" if failed else "COMPLETED",
                score=None if failed else score,
                best_step=0 if failed else step,
                values=dict(self._history.points[number]),
                message="It was told as infeasible." if failed else None,
                results={k: v if math.isfinite(v) else str(v) for k, v in results.items()},
            ),
            sync=True,
        )
        self._finish(number, observed, metrics)

    def enqueue(self, values: Point) -> None:
        """Have a point tried before the sampler is asked again.

        Args:
            values: Of some or all hyperparameters; the rest are drawn at random.

        Raises:
            ValueError: A name or value that the space does not have.
        """
        self.space.complete(values, np.full(len(self.space), 0.5))
        self._records.write(PointEnqueued(values=dict(values)))
        self._enqueued.append(dict(values))

    def optimize(self, function: Callable[[StudyTrial], Outcome], trials: int) -> None:
        """Ask for trials, call a function with each, and tell what it returns.

        Args:
            function: Gets a trial, and returns its outcome.  A `RuntimeError`, `ValueError` or
                `ArithmeticError` that it raises makes the trial infeasible.
            trials: How many, or fewer if all points of the space have been tried.
        """
        check_integer("trials", trials, minimum=1)
        for _ in range(trials):
            try:
                trial = self.ask()
            except SpaceExhausted:
                return
            try:
                outcome = function(trial)
            except (ArithmeticError, RuntimeError, ValueError):
                self.tell(trial, state="infeasible")
                continue
            self.tell(trial, outcome)

    # Looking at it.

    def search_data(self) -> SearchData:
        """Return the study as data, for plots, importance, reports and exports."""
        return self._records.data()

    def close(self) -> None:
        """Let other processes go on with the study."""
        self._records.close()

    def __enter__(self) -> Study:
        """Return the study."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    # What is known.

    def _take_up(self, seed: int | None) -> int:
        """Take up what is on record, and return the seed."""
        data = self._records.data()
        if data.trials and data.objectives != self._targets:
            raise ValueError(
                f"`objectives` must be those on record, {dict(data.objectives)}, got "
                f"{dict(self._targets)}; choose another `name`."
            )
        for trial in data.trials:
            number = self._history.start(trial.values)
            for epochs in trial.executions[:1]:
                for row, step in enumerate(epochs["steps"]):
                    columns = epochs["metrics"].items()
                    known = {name: column[row] for name, column in columns}
                    self._observe(number, step, {n: v for n, v in known.items() if v is not None})
            if trial.state in _STATES:
                self._finish(number, _STATES[trial.state], trial.metrics)
        known_seed = data.seed if seed is None else seed
        seed = random.randrange(2**31) if known_seed is None else known_seed
        self._records.open(opening(self._targets, self._goals, seed), self.space)
        return seed

    def _report(self, number: int, outcome: Outcome, step: int | None) -> bool:
        self._check_running(number)
        metrics = self._metrics_of(outcome)
        step = int(self._history.epochs[number]) if step is None else step
        check_integer("step", step, minimum=int(self._history.epochs[number]))
        encoded = {k: v if math.isfinite(v) else str(v) for k, v in metrics.items()}
        self._records.write(EpochReported(trial=f"{number:04d}", step=step, metrics=encoded))
        self._observe(number, step, metrics)
        if self.pruner is None or self._targets[0].name not in metrics:
            return False
        ranked = self._history.ranked()
        rivals = ranked.curves(State.COMPLETED)
        return bool(self.pruner.should_stop(ranked.curve(number), rivals))

    def _observe(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        first = self._targets[0]
        self._reports.setdefault(number, {})[step] = dict(metrics)
        if first.name in metrics:
            outcome = None if self._goals is None else self._goals.outcome(metrics)
            self._history.report(number, step, first.sign * metrics[first.name], outcome)

    def _finish(self, number: int, state: State, metrics: Mapping[str, float]) -> None:
        first = self._targets[0]
        loss = first.sign * metrics.get(first.name, math.nan)
        if state is State.INFEASIBLE:
            loss = math.inf
        outcome = None if self._goals is None else self._goals.outcome(metrics)
        self._reports.pop(number, None)
        self._history.finish(number, state, loss, outcome)

    def _metrics_of(self, outcome: Outcome) -> dict[str, float]:
        if outcome is None:
            return {}
        if isinstance(outcome, Mapping):
            return {str(name): float(value) for name, value in outcome.items()}
        if len(self._targets) > 1:
            names = [target.name for target in self._targets]
            raise ValueError(f"`outcome` must be a dictionary with {names}, got {outcome!r}.")
        return {self._targets[0].name: float(outcome)}

    def _best_step(self, number: int) -> int | None:
        losses = self._history.curve(number).losses
        return int(np.nanargmin(losses)) if len(losses) else None

    def _check_running(self, number: int) -> None:
        if not 0 <= number < len(self._history):
            raise KeyError(
                f"`trial` must be one of the {len(self._history)} that were asked for, got "
                f"{number}."
            )
        if self._history.states[number] != State.RUNNING:
            raise ValueError(f"`trial` {number} has been told before.")


def _checked_objectives(given: Mapping[str, Any] | None) -> tuple[Target, ...]:
    given = {"loss": "min"} if given is None else given
    if not isinstance(given, Mapping) or not given:
        raise TypeError(
            f"`objectives` must be a dictionary such as {{'error': 'min'}}, got {given!r}."
        )
    for name, direction in given.items():
        if not isinstance(name, str) or direction not in {"min", "max"}:
            raise ValueError(
                f"`objectives` must have 'min' or 'max' for each name, got {direction!r} for "
                f"{name!r}."
            )
    return tuple(Target(name, direction) for name, direction in given.items())
