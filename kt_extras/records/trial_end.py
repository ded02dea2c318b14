"""How a trial ends: the event that follows from the worker's result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.arguments import plain
from kt_extras.bridge.metrics import Metrics, encoded
from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.events import TrialEnded
from kt_extras.records.trial_record import TrialRecord


@dataclass(frozen=True)
class Pause:
    """What happens to a trial that has used up its epoch budget.

    Attributes:
        state: `TrialState.PAUSED`, or `TrialState.PRUNED` if it will not be resumed.
        diverged_too: Whether that also holds for a trial whose loss is not a number.
    """

    state: TrialState
    diverged_too: bool


@dataclass(frozen=True)
class Outcome:
    """What an attempt at a trial has led to, before it is decided how the trial ends.

    Attributes:
        given: The trial as its worker hands it back: `"INVALID"` for a crash, `"FAILED"` for what
            cannot run at all, `"IDLE"` for a model that was not wanted, anything else for a proper
            end.
        score: The score, None if there is none.
        best_step: The best epoch, 0 without a score, None if no epoch was reported.
        pause: What happens to it if it has used up its epoch budget; None if it has not.
    """

    given: Trial
    score: float | None
    best_step: int | None
    pause: Pause | None = None


def end_event(record: TrialRecord, outcome: Outcome, max_retries: int) -> TrialEnded:
    """Return the event that closes a trial, pauses it, or lets it wait for another attempt.

    Args:
        record: What is known of the trial; not changed.
        outcome: What the attempt has led to.
        max_retries: How often a trial that crashed is run again.
    """
    state, message = _state(record, outcome, max_retries)
    # A trial that fails after a pause keeps the score of the pause; its weights are on disk.
    finite = outcome.score is not None and math.isfinite(outcome.score)
    kept = state.succeeded or (state.is_finished and record.paused_at_epoch > 0)
    scored = finite and kept and state is not TrialState.REJECTED
    return closing(
        record,
        state,
        score=outcome.score if scored else None,
        best_step=outcome.best_step,
        values=outcome.given.hyperparameters.values,
        message=message,
        results={} if state is TrialState.REJECTED else _unreported(outcome.given, record),
    )


def _state(
    record: TrialRecord, outcome: Outcome, max_retries: int
) -> tuple[TrialState, str | None]:
    """Return the state in which a trial ends, and its message."""
    status, message = outcome.given.status, outcome.given.message
    if status == TrialStatus.IDLE:
        return TrialState.REJECTED, message
    if status == TrialStatus.FAILED:
        return TrialState.INFEASIBLE, message
    crashed, pause = status == TrialStatus.INVALID, outcome.pause
    if not crashed and outcome.score is not None and math.isfinite(outcome.score):
        if record.stop_asked:
            return TrialState.PRUNED, message
        return pause.state if pause else TrialState.COMPLETED, message
    if not crashed and pause is not None and pause.diverged_too:
        return pause.state, message
    if not crashed:
        message = f"The objective came out as {outcome.score}."
    if record.attempt <= max_retries:
        return TrialState.WAITING, message
    return TrialState.FAILED if crashed else TrialState.INFEASIBLE, message


def closing(
    record: TrialRecord,
    state: TrialState,
    *,
    score: float | None,
    best_step: int | None,
    values: Mapping[str, Any],
    message: str | None,
    results: Mapping[str, float] = {},
) -> TrialEnded:
    """Return the event of a trial's end.

    Args:
        record: The trial.
        state: How it ends.
        score: A finite score, None if it has none.
        best_step: The best epoch, None if no epoch was reported.
        values: Of the active hyperparameters.
        message: What went wrong.
        results: Metrics that came with the end. Defaults to none.
    """
    return TrialEnded(
        trial=record.trial.trial_id,
        state=state.value,
        status=state.status(scored=score is not None),
        score=None if score is None else float(score),
        best_step=None if best_step is None else int(best_step),
        values=plain(dict(values)),
        message=message,
        results=encoded(results),
    )


def _unreported(trial: Trial, record: TrialRecord) -> Metrics:
    """Return the metrics that a worker put into the trial without reporting them by epoch."""
    reported = {name for run in record.executions for metrics in run.values() for name in metrics}
    return {
        name: float(history.get_last_value())
        for name, history in trial.metrics.metrics.items()
        if name not in reported
    }
