"""Every kind of event of a search, as it is written to the journal or the database.

A search changes by events alone: each is written, then applied to the `SearchState`.  A reload
applies the written ones again.  The format is a promise: names of kinds and fields never change,
new fields have a default, and records written by older versions are read.

Every record also holds `kind`, and `t`: seconds on the search's clock, which stands still between
sessions.  Fields at their default are left out.  Metrics hold what is not a finite number by its
name: `"nan"`, `"inf"`, `"-inf"`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kt_extras.search import Point
from kt_extras.storage.errors import StorageError

Record = dict[str, Any]
Encoded = Mapping[str, Any]  # metrics as JSON holds them
DATA_PARTS = ("train", "validation", "holdout")


@dataclass(frozen=True, kw_only=True)
class Event:
    """What all events have.

    Attributes:
        t: Seconds on the search's clock.
    """

    kind: ClassVar[str]
    t: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ProjectOpened(Event):
    """The first event; written again when the objective is corrected before the first score.

    Attributes:
        format: The version of the format of records.
        objective: As `str` shows it.
        seed: The search's seed.
        model: What tells the model with default hyperparameters from others, None if it is unknown.
        directory: What marks the directory with the files of the search, where several processes
            may share the search; None where they may not.
        objectives: `name` and `direction` of each, if there are several; `objective` is the first.
        constraints: Bounds on metrics, as texts.
        weights: Of the objectives by name, in a weighted sum; None for dominance.
    """

    kind = "project"
    format: int
    objective: str
    seed: int | None
    model: str | None = None
    directory: str | None = None
    objectives: list[dict[str, str]] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    weights: dict[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class SpaceDeclared(Event):
    """Hyperparameters were declared.

    Attributes:
        hyperparameters: The config of a `keras_tuner.HyperParameters`.
        trial: The id of the trial that declared them while it ran, None if they were declared
            before the first trial.
        anew: Whether they replace those of before; otherwise they are added.
    """

    kind = "space"
    hyperparameters: Record
    trial: str | None = None
    anew: bool = False


@dataclass(frozen=True, kw_only=True)
class PointEnqueued(Event):
    """The user asked for a point to be tried first.

    Attributes:
        values: Of some or all hyperparameters.
    """

    kind = "enqueue"
    values: Point


@dataclass(frozen=True, kw_only=True)
class PastKnown(Event):
    """An earlier search was read, whose records may be gone later.

    Attributes:
        source: Its name, as the user has given it.
        points: The values of each trial.
        ranks: Rank of each trial in that search, from 0 for the best to 1.
    """

    kind = "past_search"
    source: str
    points: list[Point]
    ranks: list[float]


@dataclass(frozen=True, kw_only=True)
class Exploit:
    """A member of a population takes over the state of another and changes its point.

    Attributes:
        epoch: The number of epochs that both have trained.
        parent: The id of the other trial.
        generation: How many exploits of its own led to the parent's state at that epoch.
        before, after: The values of the active hyperparameters.
    """

    epoch: int
    parent: str
    generation: int
    before: Point
    after: Point


@dataclass(frozen=True, kw_only=True)
class TrialBegun(Event):
    """A trial begins, or another attempt at one that has begun before.

    Attributes:
        trial: Its id.
        values: Of the active hyperparameters.
        until: Its epoch budget, None for no limit.
        bracket: The number of its bracket, from 0.
        enqueued: Whether the point is the oldest enqueued one.
        dropped: How many enqueued points before it do not lie in the space any more, and are given
            up.
        kept: How many epochs of the last attempt stay, since a state at their end is on disk.
        worker: Who trains it, where several processes share a search; None where they do not.
        attempt, rested, spent, takeovers: In snapshots alone: the number of attempts, the epochs
            at the last pause, the seconds before the last resume, and the exploits.
    """

    kind = "create"
    trial: str
    values: Point
    until: int | None = None
    bracket: int = 0
    enqueued: bool = False
    dropped: int = 0
    kept: int = 0
    worker: str | None = None
    attempt: int = 1
    rested: int = 0
    spent: float = 0.0
    takeovers: tuple[Exploit, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrialAbandoned(Event):
    """A worker gives its trial back, as the user has stopped it; the attempt does not count.

    Attributes:
        trial: Its id.
    """

    kind = "abandon"
    trial: str


@dataclass(frozen=True, kw_only=True)
class BudgetExtended(Event):
    """A running trial that has used up its epoch budget goes on at once.

    Attributes:
        trial: Its id.
        until: Its new epoch budget.
    """

    kind = "grant"
    trial: str
    until: int


@dataclass(frozen=True, kw_only=True)
class TrialResumed(Event):
    """A paused trial goes on.

    Attributes:
        trial: Its id.
        until: Its new epoch budget.
        parent: The trial whose state it takes over, None for its own.
        values: With a parent: of the active hyperparameters from now on.
        worker: As in `TrialBegun`.
    """

    kind = "resume"
    trial: str
    until: int
    parent: str | None = None
    values: Point | None = None
    worker: str | None = None


@dataclass(frozen=True, kw_only=True)
class EpochReported(Event):
    """A trial has trained an epoch.

    Attributes:
        trial: Its id.
        step: The epoch, from 0; one that does not follow the last begins a new execution.
        metrics: All that were reported, by name.
    """

    kind = "report"
    trial: str
    step: int
    metrics: Encoded


@dataclass(frozen=True, kw_only=True)
class StopRequested(Event):
    """The pruner wants a trial to stop.

    Attributes:
        trial: Its id.
        withdrawn: Whether an earlier request is taken back: the trial was in its last epoch.
    """

    kind = "stop"
    trial: str
    withdrawn: bool = False


@dataclass(frozen=True, kw_only=True)
class TrialEnded(Event):
    """A trial has ended, is paused, or waits for another attempt.

    Attributes:
        trial: Its id.
        state: The value of a `TrialState`.
        status: KerasTuner's status.
        score: A finite number, None if it has none.
        best_step: The best epoch, from 0; None if no epoch was reported.
        values: Of the active hyperparameters.
        message: What went wrong, None if nothing did.
        results: Metrics that came with the end rather than with an epoch.
    """

    kind = "end"
    trial: str
    state: str
    status: str
    score: float | None
    best_step: int | None
    values: Point
    message: str | None
    results: Encoded


@dataclass(frozen=True, kw_only=True)
class PastTrial(TrialEnded):
    """In snapshots alone: all events of a trial that is not open, in one.

    Attributes:
        attempt: The number of attempts.
        began: Seconds on the search's clock.
        stop_asked: Whether the pruner wanted it to stop.
        executions: The epochs of each execution in columns: `steps` and `metrics`.
        worker: Who has trained it last, where several processes share a search.
        until, bracket, rested, spent, takeovers: As in `TrialBegun`.
    """

    kind = "past"
    attempt: int
    began: float
    stop_asked: bool
    executions: list[Record]
    worker: str | None = None
    until: int | None = None
    bracket: int = 0
    rested: int = 0
    spent: float = 0.0
    takeovers: tuple[Exploit, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrialAdded(PastTrial):
    """A trial that was trained elsewhere, as the user has reported it; it is none of the budget."""

    kind = "add"


@dataclass(frozen=True, kw_only=True)
class DataSeen(Event):
    """A search, or a confirmation, uses data that were not seen before.

    Attributes:
        part: What they are for, one of `DATA_PARTS`.
        rows: How many rows they have.
        sample: Hashes of some rows, as `kt_extras.evaluation.rows.texts` has them.
        leaked: How many of these rows are training data too, None if it is not known.
    """

    kind = "data"
    part: str
    rows: int
    sample: list[str]
    leaked: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelEvaluated(Event):
    """A model was evaluated on a test set.

    Attributes:
        trial: The id of the trial whose model it was, None for a model of another origin.
        metrics: What was measured, by name.
        rows: How many rows the test set has.
        sample: As in `DataSeen`.
        at: Seconds since 1970, UTC.
    """

    kind = "evaluate"
    trial: str | None
    metrics: Encoded
    rows: int
    sample: list[str]
    at: float


@dataclass(frozen=True, kw_only=True)
class TrialRepeated(Event):
    """The model of a trial was trained again with another seed, which is no part of the search.

    Attributes:
        trial: Its id.
        seed: That of the training.
        setup: What tells its data and arguments from those of other repeats.
        epochs: How many it trained, None if that is not known.
        metrics: Of the last epoch.
        holdout: Metrics on data that nothing was chosen by, empty without such data.
        parts: The objective on equal parts of the validation data, empty if not measured.
    """

    kind = "repeat"
    trial: str
    seed: int
    setup: str
    epochs: int | None
    metrics: Encoded
    holdout: Encoded = field(default_factory=dict)
    parts: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class SnapshotCompleted(Event):
    """In snapshots alone: what the other events of a snapshot do not show.

    Attributes:
        found: Names of hyperparameters that were declared by running trials.
        ended: Ids of all counted trials, in the order of their first end.
        waiting: Ids of trials to run again, in their order.
        totals: The fields of `kt_extras.records.search_state.Totals`.
        tried: Points that were enqueued and are no longer waiting.
    """

    kind = "restore"
    found: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    totals: Record = field(default_factory=dict)
    tried: list[Point] = field(default_factory=list)


_KINDS: dict[str, type[Event]] = {
    event.kind: event
    for event in (
        ProjectOpened,
        SpaceDeclared,
        PointEnqueued,
        PastKnown,
        TrialBegun,
        TrialAbandoned,
        BudgetExtended,
        TrialResumed,
        EpochReported,
        StopRequested,
        TrialEnded,
        PastTrial,
        TrialAdded,
        DataSeen,
        ModelEvaluated,
        TrialRepeated,
        SnapshotCompleted,
    )
}
_FIELDS = {event: dataclasses.fields(event) for event in _KINDS.values()}
_NAMES = {event: frozenset(f.name for f in fields) for event, fields in _FIELDS.items()}


def to_record(event: Event) -> Record:
    """Return an event as JSON can hold it, without the fields at their default.

    >>> to_record(StopRequested(trial="0003", t=1.5))
    {'kind': 'stop', 'trial': '0003', 't': 1.5}
    """
    record: Record = {"kind": event.kind}
    for item in _FIELDS[type(event)]:
        value = getattr(event, item.name)
        if item.name == "t" or value == item.default:
            continue
        if item.default_factory is not dataclasses.MISSING and value == item.default_factory():
            continue
        record[item.name] = value
    if "takeovers" in record:
        record["takeovers"] = [dataclasses.asdict(exploit) for exploit in event.takeovers]  # type: ignore[attr-defined]
    return {**record, "t": event.t}


def from_record(record: Mapping[str, Any]) -> Event:
    """Return the event that a record holds; fields that are not known here are passed over.

    Raises:
        kt_extras.storage.StorageError: Its kind is not known, or a field is missing.

    >>> from_record({"kind": "stop", "trial": "0003", "t": 1.5, "of_tomorrow": 1})
    StopRequested(t=1.5, trial='0003', withdrawn=False)
    """
    kind = record.get("kind") if isinstance(record, Mapping) else None
    event = _KINDS.get(kind) if isinstance(kind, str) else None
    if event is None:
        raise StorageError(
            f"A record has the kind {kind!r}, which this version of kt_extras does "
            f"not know; it knows {sorted(_KINDS)}.  Upgrade kt_extras to the version that wrote it."
        )
    known = {name: value for name, value in record.items() if name in _NAMES[event]}
    try:
        if known.get("takeovers"):
            known["takeovers"] = tuple(Exploit(**exploit) for exploit in known["takeovers"])
        return event(**known)
    except TypeError as error:
        raise StorageError(f"A record of the kind {event.kind!r} lacks a field: {error}.") from None
