"""The records of a search, read into plain data without Keras, KerasTuner and TensorFlow.

Nothing is written, and no lock is taken: the search may be running, here or in another process.
What each kind of record means is said by `kt_extras.records.search_state`, which the search itself
uses; `tests/analysis/test_reading_laws.py` holds the two equal.
"""

from __future__ import annotations

import contextlib
import gc
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kt_extras.analysis.recorded_space import RecordedSpace
from kt_extras.analysis.recorded_trial import (
    RecordedObjective,
    RecordedTrial,
    decoded,
)
from kt_extras.analysis.search_data import (
    EvaluationData,
    RepeatData,
    SearchData,
    Takeover,
    Target,
)
from kt_extras.records import events
from kt_extras.records.source import Source
from kt_extras.search import Space
from kt_extras.search.history import ELSEWHERE
from kt_extras.search.outcome import OutcomeConstraint
from kt_extras.storage.errors import RemovedRecordsError
from kt_extras.storage.journal import FORMAT
from kt_extras.storage.store import Store, open_store

Record = Mapping[str, Any]

_OBJECTIVE = re.compile(r'(?<!Multi)Objective\(name="(.+?)", direction="(min|max)"\)')
_SUM = Target("multi_objective", "min")  # as KerasTuner names a list of objectives
_TORN = "Dropped a torn last record"


class ProjectReader:
    """Reads the records of a project, and later those that were written since.

    Args:
        directory: The project's; its name is that of the project.
        storage: The URL of the database that holds the records.  Defaults to None: the journal in
            the directory.

    Raises:
        FileNotFoundError: The project has no records.
        kt_extras.storage.StorageError: A record cannot be read, or cannot have happened.

    Attributes:
        directory: The project's.
        storage: The URL of the database, None for a journal.
    """

    def __init__(self, directory: Path, storage: str | None = None) -> None:
        self.directory, self.storage = directory, storage
        self._store: Store = open_store(storage, directory.absolute())
        if not self._store.exists():
            self._store.release()
            raise FileNotFoundError(
                f"`path` and `project_name` must name a search of kt_extras, but {directory} holds "
                f"no records{'' if storage is None else ' in `storage`'}.  Pass them, and "
                "`storage`, as they were passed to the tuner."
            )
        self._fold = Fold(directory.absolute().name)
        self._read(anew=True)

    def data(self) -> SearchData:
        """Return all that was read."""
        with _collector_paused():
            return self._fold.data()

    def configs(self) -> list[Record]:
        """Return the configs of all hyperparameters, as `keras_tuner.HyperParameters` has them."""
        return list(self._fold.space.configs)

    def refresh(self) -> None:
        """Read what was written since the last time; another search in its place is read anew."""
        try:
            self._read(anew=False)
        except RemovedRecordsError:
            self._fold = Fold(self._fold.name)
            self._read(anew=True)

    def _read(self, *, anew: bool) -> None:
        try:
            with warnings.catch_warnings(), _collector_paused():
                # Another process may be writing the last record just now.
                warnings.filterwarnings("ignore", _TORN)
                self._apply(self._store.read() if anew else self._store.news())
        finally:
            self._store.release()  # for a database: its connection

    def _apply(self, records: Iterable[Record]) -> None:
        try:
            for record in records:
                self._fold.apply(record)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            source, number = Source(self.directory, self.storage), self._fold.count + 1
            raise source.damaged(number, f"{type(error).__name__}: {error}.") from error


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Let Python not look for garbage among objects that all stay, which doubles the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Fold:
    """What the records so far lead to.

    Args:
        name: The project's.

    Attributes:
        space: The hyperparameters that are declared.
        count: How many records were applied.
    """

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        self.space = RecordedSpace()
        self._made_space = Space([])
        self._trials: dict[str, RecordedTrial] = {}
        self._opened: Record = {}
        self._objective = RecordedObjective(Target("default_objective", "min"))
        self._targets: tuple[Target, ...] = (self._objective.target,)
        self._constraints: Mapping[str, OutcomeConstraint] = {}
        self._evaluations: list[EvaluationData] = []
        self._repeats: list[RepeatData] = []
        self._clock = 0.0
        self._kinds: Mapping[str, Callable[[Record], None]] = {
            events.ProjectOpened.kind: self._on_project,
            events.SpaceDeclared.kind: self._on_space,
            events.TrialBegun.kind: self._on_begin,
            events.TrialAbandoned.kind: self._on_abandon,
            events.BudgetExtended.kind: self._on_grant,
            events.TrialResumed.kind: self._on_resume,
            events.EpochReported.kind: self._on_report,
            events.TrialEnded.kind: self._on_end,
            events.PastTrial.kind: self._on_past,
            events.TrialAdded.kind: self._on_added,
            events.ModelEvaluated.kind: self._on_evaluate,
            events.TrialRepeated.kind: self._on_repeat,
            events.DataSeen.kind: _pass_over,
            events.PointEnqueued.kind: _pass_over,
            events.PastKnown.kind: _pass_over,
            events.StopRequested.kind: _pass_over,
            events.SnapshotCompleted.kind: _pass_over,
        }

    def apply(self, record: Record) -> None:
        """Apply one record.

        Raises:
            kt_extras.storage.StorageError: Its kind is not known.
            RuntimeError: It was written by a newer version.
            LookupError: It lacks a field, or names a trial that there is not.
            TypeError: A field is of another type than it must be.
            ValueError: A field has a value that it cannot have.
        """
        kind = record.get("kind")
        handler = self._kinds.get(kind) if isinstance(kind, str) else None
        if handler is None:
            events.from_record(record)  # which raises
        else:
            self._clock = max(self._clock, record.get("t") or 0.0)
            handler(record)
            self.count += 1

    def data(self) -> SearchData:
        """Return the search as data."""
        given = (self._objective, self._targets, self._constraints)
        return SearchData(
            name=self.name,
            space=self._made_space,
            objectives=self._targets,
            trials=tuple(trial.data(*given) for trial in self._trials.values()),
            constraints=tuple(self._constraints),
            weights=self._opened.get("weights"),
            seed=self._opened.get("seed"),
            seconds=self._clock,
            model=self._opened.get("model"),
            evaluations=tuple(self._evaluations),
            repeats=tuple(self._repeats),
        )

    # One method for each kind of record.

    def _on_project(self, record: Record) -> None:
        if record["format"] > FORMAT:
            raise RuntimeError(
                f"The records have format {record['format']}, written by a newer kt_extras; this "
                f"one reads up to {FORMAT}.  Upgrade kt_extras, or choose another `project_name`."
            )
        self._opened = record
        self._objective = recorded_objective(record["objective"])
        several = [Target(one["name"], one["direction"]) for one in record.get("objectives") or ()]
        self._targets = tuple(several) or (self._objective.target,)
        texts = record.get("constraints") or ()
        self._constraints = {text: OutcomeConstraint.parse(text) for text in texts}
        for trial in self._trials.values():
            trial.made = None

    def _on_space(self, record: Record) -> None:
        self.space.add(record["hyperparameters"]["space"], anew=bool(record.get("anew")))
        self._made_space = self.space.space()

    def _on_begin(self, record: Record) -> None:
        if record["trial"] not in self._trials:
            self._add(record, record.get("t", 0.0))
            return
        trial = self._changed(record)
        trial.keep(record.get("kept", 0), self._objective)
        trial.values, trial.state = dict(record["values"]), "running"
        trial.began, trial.worker = record.get("t", 0.0), record.get("worker")
        trial.attempt += 1
        if record.get("until") is not None:
            trial.budget = record["until"]

    def _on_abandon(self, record: Record) -> None:
        self._changed(record).attempt -= 1

    def _on_grant(self, record: Record) -> None:
        self._changed(record).budget = record["until"]

    def _on_resume(self, record: Record) -> None:
        trial, parent = self._changed(record), record.get("parent")
        trial.budget, trial.attempt, trial.state = record["until"], 1, "running"
        trial.worker = record.get("worker")
        trial.spent += (trial.ended or trial.began) - trial.began
        trial.began, trial.ended, trial.results = record.get("t", 0.0), None, {}
        if parent is not None:
            values = dict(record.get("values") or {})
            trial.takeovers.append(Takeover(trial.rested, parent, dict(trial.values), values))
            trial.values = values

    def _on_report(self, record: Record) -> None:
        self._changed(record).report(record["step"], record["metrics"])

    def _on_end(self, record: Record) -> None:
        trial = self._changed(record)
        trial.state, trial.ended = record["state"], record.get("t", 0.0)
        trial.score, trial.best_step = record["score"], record["best_step"]
        trial.values, trial.message = dict(record["values"]), record["message"]
        trial.results = numbers(record["results"])
        if trial.state == "paused":
            trial.rested = trial.trained

    def _on_past(self, record: Record) -> None:
        trial = self._add(record, record["began"])
        trial.executions = [decoded(run) for run in record["executions"] if run["steps"]]
        self._on_end(record)

    def _on_added(self, record: Record) -> None:
        self._on_past(record)
        self._changed(record).bracket = ELSEWHERE

    def _on_evaluate(self, record: Record) -> None:
        trial, metrics = record["trial"], numbers(record["metrics"])
        if trial is not None:
            self._changed(record)
        self._evaluations.append(EvaluationData(trial, metrics, record["rows"], record["at"]))

    def _on_repeat(self, record: Record) -> None:
        self._changed(record)
        measured = numbers(record["metrics"]), numbers(record.get("holdout") or {})
        repeat = RepeatData(record["trial"], record["seed"], record["epochs"], *measured)
        self._repeats.append(repeat)

    # Parts of these.

    def _add(self, record: Record, began: float) -> RecordedTrial:
        name = record["trial"]
        trial = self._trials[name] = RecordedTrial(
            number=len(self._trials), trial_id=name, values=dict(record["values"]), began=began
        )
        trial.worker, trial.budget = record.get("worker"), record.get("until")
        trial.bracket, trial.attempt = record.get("bracket", 0), record.get("attempt", 1)
        trial.rested, trial.spent = record.get("rested", 0), record.get("spent", 0.0)
        trial.takeovers = [
            Takeover(one["epoch"], one["parent"], dict(one["before"]), dict(one["after"]))
            for one in record.get("takeovers", ())
        ]
        return trial

    def _changed(self, record: Record) -> RecordedTrial:
        trial = self._trials[record["trial"]]
        trial.made = None
        return trial


def numbers(metrics: Record) -> dict[str, float]:
    """Return metrics as numbers, of which a record holds some by their names.

    >>> numbers({"loss": "nan", "accuracy": 1})
    {'loss': nan, 'accuracy': 1.0}
    """
    return {name: float(value) for name, value in metrics.items()}


def _pass_over(_: Record) -> None:
    """Leave out what says nothing of a trial."""


def recorded_objective(text: str) -> RecordedObjective:
    """Return the objective that records hold as `str` shows it.

    Args:
        text: That of one objective of KerasTuner, or of a list of them, which is their sum.

    Raises:
        ValueError: It is neither.

    >>> recorded_objective('Objective(name="val_f1", direction="max")').target
    Target(name='val_f1', direction='max')
    """
    found: Sequence[Any] = _OBJECTIVE.findall(text)
    parts = tuple(Target(name, direction) for name, direction in found)
    if not parts:
        raise ValueError(f"`objective` must be that of KerasTuner, got {text!r}")
    if text.startswith("Multi"):
        return RecordedObjective(_SUM, parts)
    return RecordedObjective(parts[0])
