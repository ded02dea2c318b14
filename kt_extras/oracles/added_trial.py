"""The event of a trial that was trained elsewhere, from what the user says of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import TrialStatus

from kt_extras.arguments import is_finite, is_number, plain
from kt_extras.bridge.metrics import columns, decoded, encoded
from kt_extras.bridge.objective import loss_of
from kt_extras.bridge.spaces import to_space
from kt_extras.bridge.trial_state import TrialState
from kt_extras.oracles.arguments import Values, plain_values
from kt_extras.oracles.next_trial import unused_id
from kt_extras.records.events import TrialAdded
from kt_extras.records.search_state import SearchState
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import Choice, Dimension, Int, Point, Space
from kt_extras.search.dimensions import Value

Score = Union[float, Mapping[str, float]]  # noqa: UP007 - Python 3.10


def added_trial(
    values: Values, score: Score, curve: Sequence[float] | None, state: SearchState, seconds: float
) -> TrialAdded:
    """Return the event.

    Args:
        values: The values of all active hyperparameters.
        score: In the objective's own scale, or a dictionary of metrics with all that trials are
            compared by.
        curve: The objective after each epoch, None if it is not known.
        state: The search; not changed.
        seconds: On the search's clock.

    Raises:
        TypeError: `values` is no dictionary, or `curve` no list.
        ValueError: A name or value that the space does not have, or one that is missing; or the
            score is not a finite number, or a metric is missing.
    """
    point, space = plain_values(values), state.history.space
    if isinstance(values, keras_tuner.HyperParameters):  # which keeps those that are not active
        declared = space if len(space) else to_space(values)
        active = {dimension.name for dimension in declared.active(point)}
        point = {name: value for name, value in point.items() if name in active}
    if len(space):
        point = _checked_point(point, space)
    losses, objective, metrics = _checked_curve(curve), state.objective, _metrics(score, state)
    run = {step: {objective.name: value} for step, value in enumerate(losses)}
    best = int(np.argmin([loss_of(objective, value) for value in losses])) if losses else None
    return TrialAdded(
        trial=unused_id(state.trials),
        state=TrialState.COMPLETED.value,
        status=TrialStatus.COMPLETED,
        score=metrics[objective.name],
        best_step=best,
        values=point,
        message=None,
        results=encoded(metrics) if isinstance(score, Mapping) else {},
        attempt=1,
        began=round(seconds, 3),
        stop_asked=False,
        executions=[columns(run)] if run else [],
    )


def _metrics(score: Score, state: SearchState) -> dict[str, float]:
    """Return the metrics of a trial, with all that trials are compared by.

    Raises:
        ValueError: One is missing or is not a finite number.
    """
    goals, objective = state.goals, state.objective
    given = dict(score) if isinstance(score, Mapping) else {objective.name: score}
    wanted = [objective.name]
    if goals is not None:
        wanted += [target.name for target in goals.objectives]
        wanted += [constraint.metric for constraint in goals.constraints]
    if missing := [name for name in dict.fromkeys(wanted) if name not in given]:
        raise ValueError(
            f"`score` must be a dictionary with {list(dict.fromkeys(wanted))}, by which trials are "
            f"compared, but {missing} are missing in {score!r}."
        )
    for name, value in given.items():
        if not is_finite(value):
            which = f" for {name!r}" if isinstance(score, Mapping) else ""
            raise ValueError(f"`score` must be a finite number, got {value!r}{which}.")
    return {str(name): float(value) for name, value in given.items()}


def recorded_as(event: TrialAdded, records: Iterable[TrialRecord]) -> str | None:
    """Return the id of a record that says the same as an event, None if there is none.

    Args:
        event: The event of a trial that was trained elsewhere.
        records: What is known of all trials.
    """
    said = (event.values, event.score, event.executions, decoded(event.results))
    for record in records:
        runs = [columns(run) for run in record.executions]
        if record.added and (record.trial.values, record.trial.score, runs, record.results) == said:
            return record.trial.trial_id
    return None


def _checked_point(point: Point, space: Space) -> Point:
    """Return a point with the types of a space, of whose grids its values need not be.

    Raises:
        ValueError: It lacks an active hyperparameter, or has another one.
    """
    space.complete(point, np.full(len(space), 0.5))
    active = {dimension.name: dimension for dimension in space.active(point)}
    if missing := sorted({*active} - {*point}):
        raise ValueError(
            f"`values` must have all active hyperparameters, but {missing} are missing in "
            f"{point!r}; pass the values with which the model was trained."
        )
    return {name: _typed(active[name], value) for name, value in point.items()}


def _typed(dimension: Dimension, value: Value) -> Value:
    """Return a value as a dimension has it: 32.0 as 32 if that is one of integers."""
    if isinstance(dimension, Choice):
        return dimension.from_unit(dimension.to_unit(value))
    return int(value) if isinstance(dimension, Int) else float(value)


def _checked_curve(curve: Any) -> list[float]:
    """Return the values of a curve as numbers.

    Raises:
        TypeError: It is no list of numbers.
    """
    if curve is None:
        return []
    values = plain(curve)
    if not isinstance(values, (list, tuple)) or not all(map(is_number, values)) or not values:
        raise TypeError(
            "`curve` must be a list of numbers, the objective after each epoch, or None, got "
            f"{curve!r}."
        )
    return [float(value) if math.isfinite(value) else math.nan for value in values]
