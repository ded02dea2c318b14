"""The rules of events: what passes `check` can be written, read again and applied.

Every event is checked before it is written, and every record when it is read.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from kt_extras.arguments import counted
from kt_extras.bridge.goals import recorded_goals
from kt_extras.bridge.spaces import to_space
from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.events import (
    DATA_PARTS,
    BudgetExtended,
    DataSeen,
    EpochReported,
    Event,
    Exploit,
    ModelEvaluated,
    PastKnown,
    PastTrial,
    PointEnqueued,
    ProjectOpened,
    SnapshotCompleted,
    SpaceDeclared,
    StopRequested,
    TrialAbandoned,
    TrialAdded,
    TrialBegun,
    TrialEnded,
    TrialRepeated,
    TrialResumed,
)
from kt_extras.records.search_state import SearchState, Totals
from kt_extras.records.trial_record import TrialRecord
from kt_extras.storage.journal import FORMAT

#: Epochs of one trial.  Curves are kept in columns, one for each epoch of the longest.
MAX_EPOCHS = 1_000_000

_MAX_INTEGER = 2**63 - 1  # what databases and KerasTuner's own messages hold
_HASH = re.compile(r"[0-9a-f]{16}")
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")  # part of the names of folders
_NOT_FINITE = frozenset({"nan", "inf", "-inf"})
_STATUSES = frozenset(v for name, v in vars(TrialStatus).items() if name.isupper())
_STATES = frozenset(state.value for state in TrialState)
_TOTALS = frozenset(vars(Totals()))


def check(event: Event, state: SearchState) -> None:
    """Raise unless an event can be written, read and applied to a state; nothing is changed.

    Args:
        event: What is to happen, or what a record says has happened.
        state: The search until then.

    Raises:
        ValueError: It cannot; the message names the field, its rule and the value.
        RuntimeError: The records have been written by a newer version.

    >>> hp = keras_tuner.HyperParameters()
    >>> state = SearchState(keras_tuner.Objective("loss", "min"), hp)
    >>> state.apply(TrialBegun(trial="0000", values={}))
    >>> check(EpochReported(trial="0000", step=-1, metrics={}), state)
    Traceback (most recent call last):
    ValueError: `step` must be an integer from 0 to 999999, got -1.
    """
    _check_number("t", event.t, minimum=0)
    _RULES[type(event)](event, state)


# One rule for each kind.


def _on_project(event: ProjectOpened, _: SearchState) -> None:
    _check_integer("format", event.format, minimum=1)
    if event.format > FORMAT:
        raise RuntimeError(
            f"The records have format {event.format}, written by a newer kt_extras; this one "
            f"reads up to {FORMAT}.  Upgrade kt_extras, or choose another `project_name`."
        )
    _check_is("objective", event.objective, str)
    if event.seed is not None:
        _check_integer("seed", event.seed)
    if event.model is not None:
        _check_is("model", event.model, str)
    if event.directory is not None:
        _check_is("directory", event.directory, str)
    try:
        objective = keras_tuner.Objective("score", "min")  # that of `objective`, a text, is enough
        recorded_goals(objective, event.objectives, event.constraints, event.weights)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"`objectives` must be names with directions: {error}.") from error


def _on_space(event: SpaceDeclared, state: SearchState) -> None:
    if event.trial is not None:
        _check_id("trial", event.trial)
    _check_is("anew", event.anew, bool)
    try:
        config = copy.deepcopy(event.hyperparameters)  # KerasTuner changes what it reads
        declared = keras_tuner.HyperParameters.from_config(config)
        merged = keras_tuner.HyperParameters()
        merged.merge([] if event.anew else state.hyperparameters.space)
        merged.merge(declared, overwrite=False)
        to_space(merged)
    except Exception as error:
        raise ValueError(
            f"`hyperparameters` must be those of a `keras_tuner.HyperParameters`: {error!r}."
        ) from error


def _on_enqueue(event: PointEnqueued, _: SearchState) -> None:
    _check_values("values", event.values)


def _on_past_search(event: PastKnown, state: SearchState) -> None:
    _check_is("source", event.source, str)
    if any(past.source == event.source for past in state.history.past):
        raise ValueError(f"`source` must not be recorded twice, but {event.source!r} is.")
    _check_is("points", event.points, list)
    _check_is("ranks", event.ranks, list)
    if len(event.points) != len(event.ranks):
        raise ValueError(f"`ranks` must be {len(event.points)}, one a point.")
    for point in event.points:
        _check_values("points", point)
    for rank in event.ranks:
        _check_number("ranks", rank, minimum=0)


def _on_begin(event: TrialBegun, state: SearchState) -> None:
    _check_id("trial", event.trial)
    _check_values("values", event.values)
    _check_scheduled(event)
    _check_integer("kept", event.kept, maximum=MAX_EPOCHS)
    _check_integer("dropped", event.dropped)
    _check_is("enqueued", event.enqueued, bool)
    _check_worker(event)
    queued = event.dropped + event.enqueued
    if queued > len(state.enqueued):
        raise ValueError(f"`enqueued` must be a queued point, but {len(state.enqueued)} are left.")
    if event.trial not in state.trials:
        return
    record = _known(event.trial, state)
    _check_state(record, TrialState.RUNNING, TrialState.WAITING, TrialState.PAUSED)
    if event.kept > record.paused_at_epoch:
        raise ValueError(
            f"`kept` must be at most {record.paused_at_epoch}, the epochs of trial "
            f"{event.trial!r} whose state is on disk, got {event.kept}."
        )


def _on_abandon(event: TrialAbandoned, state: SearchState) -> None:
    _check_state(_known(event.trial, state), TrialState.RUNNING)
    if event.trial in state.given_back:
        raise ValueError(f"`trial` must be in the hands of a worker, but {event.trial!r} waits.")


def _on_grant(event: BudgetExtended, state: SearchState) -> None:
    record = _known(event.trial, state)
    _check_state(record, TrialState.RUNNING)
    _check_integer("until", event.until, minimum=1, maximum=MAX_EPOCHS)


def _on_resume(event: TrialResumed, state: SearchState) -> None:
    record = _known(event.trial, state)
    _check_state(record, TrialState.PAUSED)
    _check_integer("until", event.until, minimum=record.paused_at_epoch + 1, maximum=MAX_EPOCHS)
    _check_worker(event)
    if event.parent is not None:
        _known(event.parent, state)
        _check_values("values", event.values)


def _on_report(event: EpochReported, state: SearchState) -> None:
    _check_state(_known(event.trial, state), TrialState.RUNNING)
    _check_integer("step", event.step, maximum=MAX_EPOCHS - 1)
    _check_metrics("metrics", event.metrics)


def _on_stop(event: StopRequested, state: SearchState) -> None:
    _check_is("withdrawn", event.withdrawn, bool)
    _check_state(_known(event.trial, state), TrialState.RUNNING)


def _on_end(event: TrialEnded, state: SearchState) -> None:
    _check_state(_known(event.trial, state), TrialState.RUNNING, TrialState.WAITING)
    _check_ending(event)


def _on_past(event: PastTrial, state: SearchState) -> None:
    _check_id("trial", event.trial)
    if event.trial in state.trials:
        raise ValueError(f"`trial` must not be recorded twice, but {event.trial!r} is.")
    _check_ending(event)
    _check_scheduled(event)
    _check_worker(event)
    _check_number("began", event.began, minimum=0)
    _check_is("stop_asked", event.stop_asked, bool)
    _check_is("executions", event.executions, list)
    for run in event.executions:
        _check_columns(run)


def _on_add(event: TrialAdded, state: SearchState) -> None:
    _on_past(event, state)
    if event.score is None or event.state != TrialState.COMPLETED:
        raise ValueError(f"`score` must be that of a completed trial, got {event.score!r}.")


def _on_data(event: DataSeen, _: SearchState) -> None:
    if event.part not in DATA_PARTS:
        raise ValueError(f"`part` must be one of {DATA_PARTS}, got {event.part!r}.")
    _check_sample(event)
    if event.leaked is not None:
        _check_integer("leaked", event.leaked)


def _on_evaluate(event: ModelEvaluated, state: SearchState) -> None:
    if event.trial is not None:
        _known(event.trial, state)
    _check_metrics("metrics", event.metrics)
    _check_sample(event)
    _check_number("at", event.at, minimum=0)


def _on_repeat(event: TrialRepeated, state: SearchState) -> None:
    _known(event.trial, state)
    _check_integer("seed", event.seed)
    _check_is("setup", event.setup, str)
    if event.epochs is not None:
        _check_integer("epochs", event.epochs, maximum=MAX_EPOCHS)
    _check_metrics("metrics", event.metrics)
    _check_metrics("holdout", event.holdout)
    _check_is("parts", event.parts, list)
    for value in event.parts:
        _check_number("parts", value)


def _on_restore(event: SnapshotCompleted, state: SearchState) -> None:
    for name in ("found", "ended", "waiting", "tried"):
        _check_is(name, getattr(event, name), list)
    parents = (taken.parent for record in state.trials.values() for taken in record.exploits)
    for trial in (*event.ended, *event.waiting, *parents):
        _known(trial, state)
    for name in event.found:
        _check_is("found", name, str)
    for point in event.tried:
        _check_values("tried", point)
    _check_is("totals", event.totals, dict)
    for name, value in event.totals.items():
        if name not in _TOTALS:
            raise ValueError(f"`totals` must be of {sorted(_TOTALS)}, got {name!r}.")
        if name != "best":
            _check_integer(name, value)
        elif value is not None:
            _check_number(name, value)


_RULES: dict[type[Event], Callable[[Any, SearchState], None]] = {
    ProjectOpened: _on_project,
    SpaceDeclared: _on_space,
    PointEnqueued: _on_enqueue,
    PastKnown: _on_past_search,
    TrialBegun: _on_begin,
    TrialAbandoned: _on_abandon,
    BudgetExtended: _on_grant,
    TrialResumed: _on_resume,
    EpochReported: _on_report,
    StopRequested: _on_stop,
    TrialEnded: _on_end,
    PastTrial: _on_past,
    TrialAdded: _on_add,
    DataSeen: _on_data,
    ModelEvaluated: _on_evaluate,
    TrialRepeated: _on_repeat,
    SnapshotCompleted: _on_restore,
}


# What these share.


def _check_worker(event: TrialBegun | TrialResumed | PastTrial) -> None:
    if event.worker is not None:
        _check_is("worker", event.worker, str)


def _check_sample(event: DataSeen | ModelEvaluated) -> None:
    _check_integer("rows", event.rows)
    _check_is("sample", event.sample, list)
    for one in event.sample:
        if not isinstance(one, str) or _HASH.fullmatch(one) is None:
            raise ValueError(f"`sample` must be hashes of 16 digits, got {one!r}.")


def _known(trial: str, state: SearchState) -> TrialRecord:
    record = state.trials.get(trial) if isinstance(trial, str) else None
    if record is None:
        known = counted(len(state.trials), "known trial")
        raise ValueError(f"`trial` must be one of {known}, got {trial!r}.")
    return record


def _check_state(record: TrialRecord, *allowed: TrialState) -> None:
    if record.state not in allowed:
        raise ValueError(
            f"`trial` must be {' or '.join(allowed)}, but {record.trial.trial_id!r} is "
            f"{record.state}."
        )


def _check_scheduled(event: TrialBegun | PastTrial) -> None:
    if event.until is not None:
        _check_integer("until", event.until, minimum=1, maximum=MAX_EPOCHS)
    _check_integer("bracket", event.bracket)
    _check_integer("attempt", event.attempt)
    _check_integer("rested", event.rested, maximum=MAX_EPOCHS)
    _check_number("spent", event.spent, minimum=0)
    _check_is("takeovers", event.takeovers, tuple)
    for exploit in event.takeovers:
        _check_exploit(exploit)


def _check_exploit(exploit: Exploit) -> None:
    _check_is("takeovers", exploit, Exploit)
    _check_integer("epoch", exploit.epoch, maximum=MAX_EPOCHS)
    _check_id("parent", exploit.parent)
    _check_integer("generation", exploit.generation)
    _check_values("before", exploit.before)
    _check_values("after", exploit.after)


def _check_ending(event: TrialEnded) -> None:
    _check_is("state", event.state, str)
    _check_is("status", event.status, str)
    if event.state not in _STATES or event.state == TrialState.RUNNING:
        raise ValueError(f"`state` must be that of a trial that has ended, got {event.state!r}.")
    if event.status not in _STATUSES:
        raise ValueError(f"`status` must be one of {sorted(_STATUSES)}, got {event.status!r}.")
    if event.score is not None:
        _check_number("score", event.score)
    if event.best_step is not None:
        _check_integer("best_step", event.best_step, maximum=MAX_EPOCHS)
    _check_values("values", event.values)
    if event.message is not None:
        _check_is("message", event.message, str)
    _check_metrics("results", event.results)


def _check_columns(run: dict[str, Any]) -> None:
    """Check the epochs of an execution in columns."""
    _check_is("executions", run, dict)
    steps, metrics = run.get("steps"), run.get("metrics")
    if not isinstance(steps, list) or not isinstance(metrics, dict):
        raise ValueError(f"`executions` must have `steps` and `metrics`, got {run!r}.")
    for step in steps:
        _check_integer("steps", step, maximum=MAX_EPOCHS - 1)
    for name, column in metrics.items():
        _check_is("metrics", name, str)
        if not isinstance(column, list) or len(column) != len(steps):
            raise ValueError(f"`metrics` must have {len(steps)} values of {name!r}.")
        _check_measured(name, (value for value in column if value is not None))


def _check_is(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise ValueError(f"`{name}` must be of the type {kind.__name__}, got {value!r}.")


def _check_integer(
    name: str, value: object, *, minimum: int = 0, maximum: int = _MAX_INTEGER
) -> None:
    if type(value) is not int or not minimum <= value <= maximum:
        limit = "" if maximum == _MAX_INTEGER else f" to {maximum}"
        raise ValueError(f"`{name}` must be an integer from {minimum}{limit}, got {value!r}.")


def _check_number(name: str, value: object, *, minimum: float = -math.inf) -> None:
    if type(value) is bool or not isinstance(value, (int, float)) or not _fits(value):
        raise ValueError(f"`{name}` must be a finite number, got {value!r}.")
    if value < minimum:
        raise ValueError(f"`{name}` must be at least {minimum}, got {value!r}.")


def _check_id(name: str, value: object) -> None:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise ValueError(
            f"`{name}` must be an id of up to 64 letters, digits, `-` and `_`, got {value!r}."
        )


def _check_values(name: str, values: Any) -> None:
    """Check the values of hyperparameters."""
    _check_is(name, values, dict)
    for key, value in values.items():
        _check_is(name, key, str)
        if isinstance(value, (str, bool)) or value is None:
            continue
        if not isinstance(value, (int, float)) or not _fits(value):
            raise ValueError(
                f"`{name}` must be texts, booleans, finite numbers or integers of 64 bits, but "
                f"that of {key!r} is {value!r}."
            )


def _check_metrics(name: str, metrics: Any) -> None:
    _check_is(name, metrics, dict)
    for key, value in metrics.items():
        _check_is(name, key, str)
        _check_measured(key, (value,))


def _check_measured(name: str, values: Iterable[object]) -> None:
    """Check values of a metric; those that are not finite are written by their names."""
    for value in values:
        if isinstance(value, float) and math.isfinite(value):
            continue
        if type(value) is int and _fits(value):
            continue
        if isinstance(value, str) and value in _NOT_FINITE:
            continue
        raise ValueError(f"The metric {name!r} must be a number, got {value!r}.")


def _fits(value: float) -> bool:
    return math.isfinite(value) if isinstance(value, float) else abs(value) <= _MAX_INTEGER
