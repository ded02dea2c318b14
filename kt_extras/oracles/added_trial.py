"""The event of a trial that was trained elsewhere, from what the user says of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import TrialStatus

from kt_extras.arguments import is_finite, is_number, plain
from kt_extras.bridge.metrics import columns
from kt_extras.bridge.objective import loss_of
from kt_extras.bridge.trial_state import TrialState
from kt_extras.oracles.arguments import Values, plain_values
from kt_extras.oracles.next_trial import unused_id
from kt_extras.records.events import TrialAdded
from kt_extras.records.search_state import SearchState
from kt_extras.search import Point, Space


def added_trial(
    values: Values, score: float, curve: Sequence[float] | None, state: SearchState, seconds: float
) -> TrialAdded:
    """Return the event.

    Args:
        values: The values of all active hyperparameters.
        score: In the objective's own scale.
        curve: The objective after each epoch, None if it is not known.
        state: The search; not changed.
        seconds: On the search's clock.

    Raises:
        TypeError: `values` is no dictionary, or `curve` no list.
        ValueError: A name or value that the space does not have, or one that is missing; or the
            score is not a finite number.
    """
    point = plain_values(values)
    if isinstance(values, keras_tuner.HyperParameters):  # which keeps those that are not active
        active = {dimension.name for dimension in state.history.space.active(point)}
        point = {name: value for name, value in point.items() if name in active}
    if len(state.history.space):
        _check_point(point, state.history.space)
    if not is_finite(score):
        raise ValueError(f"`score` must be a finite number, got {score!r}.")
    losses = _checked_curve(curve)
    objective = state.objective
    run = {step: {objective.name: value} for step, value in enumerate(losses)}
    best = int(np.argmin([loss_of(objective, value) for value in losses])) if losses else None
    return TrialAdded(
        trial=unused_id(state.trials),
        state=TrialState.COMPLETED.value,
        status=TrialStatus.COMPLETED,
        score=float(score),
        best_step=best,
        values=point,
        message=None,
        results={},
        attempt=1,
        began=round(seconds, 3),
        stop_asked=False,
        executions=[columns(run)] if run else [],
    )


def _check_point(point: Point, space: Space) -> None:
    """Raise unless a point has a value of every active hyperparameter, and of no other one."""
    space.complete(point, np.full(len(space), 0.5))
    active = [dimension.name for dimension in space.active(point)]
    if missing := sorted({*active} - {*point}):
        raise ValueError(
            f"`values` must have all active hyperparameters, but {missing} are missing in "
            f"{point!r}; pass the values with which the model was trained."
        )


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
