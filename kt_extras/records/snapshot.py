"""A whole search in as few events as possible, for a snapshot of the journal.

Applied to an empty `SearchState` they give the state that they were taken from.  A trial that is
not open is one event, with its epochs in columns; an open one keeps the events that it had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from keras_tuner.engine.trial import TrialStatus

from kt_extras.bridge.metrics import columns, encoded
from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.events import (
    EpochReported,
    Event,
    PastKnown,
    PastTrial,
    PointEnqueued,
    ProjectOpened,
    SnapshotCompleted,
    SpaceDeclared,
    StopRequested,
    TrialAdded,
    TrialBegun,
    TrialEnded,
)
from kt_extras.records.search_state import SearchState
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import Point
from kt_extras.storage.journal import FORMAT


def snapshot_events(state: SearchState) -> Iterator[Event]:
    """Yield the events.

    Args:
        state: The search; not changed.
    """
    yield ProjectOpened(
        format=FORMAT,
        objective=state.objective_recorded,
        seed=state.seed,
        model=state.model,
        **state.goals_recorded,
    )
    yield SpaceDeclared(hyperparameters=state.hyperparameters.get_config(), anew=True)
    for past in state.history.past:
        yield PastKnown(source=past.source, points=list(past.points), ranks=list(past.ranks))
    for record in state.trials.values():
        scheduled = _scheduled(record, int(state.history.brackets[record.number]))
        if record.state.is_open:
            yield from _open(record, state.history.points[record.number], scheduled)
        else:
            yield _past(record, scheduled)
    yield from (*state.seen, *state.evaluations, *state.repeats)
    for values in state.enqueued:
        yield PointEnqueued(values=values)
    yield SnapshotCompleted(
        found=sorted(state.found),
        ended=state.ended,
        waiting=list(state.waiting),
        totals=asdict(state.totals),
        tried=state.ever_enqueued[: len(state.ever_enqueued) - len(state.enqueued)],
        t=state.clock,
    )


def _past(record: TrialRecord, scheduled: dict[str, Any]) -> PastTrial:
    return (TrialAdded if record.added else PastTrial)(
        **_ending(record),
        **scheduled,
        attempt=record.attempt,
        began=record.began,
        stop_asked=record.stop_asked,
        worker=record.worker,
        executions=[columns(run) for run in record.executions],
    )


def _open(record: TrialRecord, point: Point, scheduled: dict[str, Any]) -> Iterator[Event]:
    name, began = record.trial.trial_id, record.began
    yield TrialBegun(
        trial=name,
        values=dict(point),
        attempt=record.attempt,
        worker=record.worker,
        t=began,
        **scheduled,
    )
    for run in record.executions:
        for step, metrics in run.items():
            yield EpochReported(trial=name, step=step, metrics=encoded(metrics), t=began)
    if record.stop_asked:
        yield StopRequested(trial=name)
    if record.state is TrialState.WAITING:
        yield TrialEnded(**_ending(record))


def _ending(record: TrialRecord) -> dict[str, Any]:
    """Return the fields of the event that has led to the state of a trial."""
    trial = record.trial
    scored = trial.status == TrialStatus.COMPLETED and trial.score is not None
    return {
        "trial": trial.trial_id,
        "state": record.state.value,
        "status": trial.status,
        "score": trial.score if scored else None,
        "best_step": trial.best_step,
        "values": dict(trial.values),
        "message": trial.message,
        "results": encoded(record.results),
        "t": record.ended,
    }


def _scheduled(record: TrialRecord, bracket: int) -> dict[str, Any]:
    """Return what a scheduler has decided, nothing if there is none."""
    if record.epoch_budget is None:
        return {}
    return {
        "until": record.epoch_budget,
        "bracket": bracket,
        "rested": record.paused_at_epoch,
        "spent": record.seconds_before_resume,
        "takeovers": tuple(record.exploits),
    }
