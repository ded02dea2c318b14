"""A search in TensorBoard: two runs for each trial, the HParams dashboard, the search's curves.

Below `log_dir` the runs are

- ``<trial>/train``, ``<trial>/validation``: the trial's curves, written by Keras' own callback.
  When a trial has ended for good, its row of the dashboard, that is its hyperparameters, its state
  and its final numbers, is written to ``<trial>/train`` too;
- ``<trial>/running``, ``<trial>/paused``: the row of a trial that has not ended for good;
- ``search``: the columns of the dashboard, the best score so far against trials, epochs and seconds
  (first in the list, since their tags begin with ``best``), the pruned trials, and what a scheduler
  has done.

A later version of a row or of the columns is a new run with a number, and the former is deleted;
`kt_extras.tensorboard.events` says why.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from kt_extras.search.space import Space
from kt_extras.tensorboard import domains, events

if TYPE_CHECKING:
    from tensorboard.plugins.hparams.api_pb2 import Experiment, HParamInfo, MetricInfo

STATES = ("completed", "pruned", "paused", "infeasible", "failed", "rejected")

_RUNNING = "running"
_SEARCH = "search"
_WORDS = (_RUNNING, *STATES)
_TRAIN = "train"  # the run in which Keras writes the curves of the training
_OF_TRIAL = ("evaluation", _TRAIN, "validation")  # the runs of a trial, below each execution
# The columns that every trial has, before those of its Keras metrics.
_OWN_COLUMNS = {
    "score": "The objective of the search.",
    "pruned": "1 if the trial was stopped early because others were better, else 0.",
    "best_epoch": "The epoch with the best score.",
    "epochs": "How many epochs the trial was trained.",
}


@dataclass(frozen=True)
class Progress:
    """The state of the whole search at a moment, over all its sessions.

    Args:
        trials: Finished trials; None if they are no measure of progress.
        pruned: Those of them that were stopped early; None if none can be.
        epochs: Epochs trained, of all trials.
        seconds: Time spent.
        best: Best score so far on the user's own scale; None before the first.

    >>> Progress(trials=3, pruned=1, epochs=12, seconds=40.5, best=0.9).pruned
    1
    """

    trials: int | None
    pruned: int | None
    epochs: int
    seconds: float
    best: float | None


@dataclass(frozen=True)
class Rungs:
    """What a scheduler has done with a search so far.

    Args:
        reached: For each number of epochs that is a rung, the trials that have trained as long.
        promotions: How often a trial was given more epochs.  Defaults to 0.
        exploits: How often a member of a population has taken over from another.  Defaults to 0.
        lineage: One row an exploit: its epoch, the member, the parent, and what changed.

    >>> Rungs({1: ["0000", "0001"], 3: ["0001"]}, promotions=1).table().splitlines()[2:]
    ['| 1 | 2 | 0000, 0001 |', '| 3 | 1 | 0001 |']
    """

    reached: Mapping[int, Sequence[str]]
    promotions: int = 0
    exploits: int = 0
    lineage: Sequence[tuple[int, str, str, str]] = ()

    def table(self) -> str:
        """Return which trials reached which rung, as Markdown."""
        rows = [(str(k), str(len(v)), ", ".join(v)) for k, v in sorted(self.reached.items())]
        return _markdown(("epochs", "trials", "which"), rows)

    def lineage_table(self) -> str:
        """Return which trial copied which, as Markdown."""
        rows = [(str(epoch), *rest) for epoch, *rest in self.lineage]
        return _markdown(("epoch", "member", "from", "hyperparameters"), rows)


class SearchBoard:
    """Writes a search for TensorBoard; keeps no file open between calls.

    A trial that is resumed or retried begins and ends again: the last word holds.  So does a
    search that goes on in a new process with a new board on the same directory.

    Args:
        log_dir: Where the runs are written, as in `keras.callbacks.TensorBoard`.
        objective: Name of the objective, part of the names of the search's curves.
        project: Name of the project, part of the names of rows.  Defaults to an empty string.
        owner: What tells the project from others.  Another one in the same directory is written to
            a directory of its own in it.  Defaults to an empty string.

    >>> board = SearchBoard("logs", objective="val_accuracy")
    >>> os.path.relpath(board.trial_dir("0007"), "logs")
    '0007'
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        objective: str,
        project: str = "",
        owner: str = "",
    ) -> None:
        self._root = os.fspath(log_dir)
        self._project, self._owner = project, owner
        self.log_dir = project_dir(self._root, project, owner)
        self.objective = objective
        self._infos: dict[str, HParamInfo] = {}
        self._metrics: set[str] = set()
        self._started: dict[str, float] = {}
        self._search_file = ""

    def trial_dir(self, trial_id: str) -> str:
        """Return the directory of a trial's run, below which Keras writes the curves."""
        return os.path.join(self.log_dir, trial_id)

    def describe(self, space: Space) -> None:
        """Declare all hyperparameters with their domains; again whenever the space has grown.

        They are written when the next trial ends, with the metrics that only a trial tells.  What
        was declared before in the same directory, here or by another process, stays.

        Args:
            space: All hyperparameters known so far.
        """
        self._infos = {info.name: info for info in domains.hparam_infos(space)}

    def begin_trial(self, trial_id: str, values: Mapping[str, Any]) -> None:
        """Show a trial as running.

        Args:
            trial_id: Unique in the search.
            values: The active hyperparameters only.
        """
        self._started[trial_id] = time.time()
        parent = self.trial_dir(trial_id)
        events.clear_row(self._final_run(trial_id))
        version = events.Version(_latest(parent) + 1, _RUNNING, parent)
        events.supersede(version, [self._start(trial_id, _RUNNING, values)], _WORDS)

    def end_trial(
        self,
        trial_id: str,
        *,
        number: int,
        values: Mapping[str, Any],
        state: str,
        score: float | None,
        best_epoch: int | None,
        epochs: int,
        metrics: Mapping[str, float],
        schedule: Mapping[str, Sequence[tuple[int, float]]] | None = None,
        final: bool = True,
    ) -> None:
        """Write how a trial ended, in place of what was written of it before.

        Args:
            trial_id: Unique in the search.
            number: Of the trial, from 0: the step of its final numbers, so that a chart of them
                is the history of the search.
            values: The active hyperparameters only, with those discovered while it ran.
            state: `"completed"`, `"pruned"`, `"paused"`, `"infeasible"`, `"failed"` or
                `"rejected"`; the last three have the status of a failure in the dashboard.
            score: The objective; None if there is none.
            best_epoch: Epoch of `score`.
            epochs: Epochs trained.
            metrics: Each Keras metric at the best epoch.
            schedule: Of each hyperparameter that changes during the training, epochs and values.
                Defaults to None: there is none.
            final: Whether the trial is not to be resumed in this session.  Defaults to True.
        """
        if state not in STATES:
            raise ValueError(f"`state` must be one of {STATES}, got {state!r}.")
        own = {
            "score": score,
            "pruned": float(state == "pruned"),
            "best_epoch": best_epoch,
            "epochs": epochs,
        }
        numbers = {name: v for name, v in {**metrics, **own}.items() if _is_finite(v)}
        records = [self._start(trial_id, state, values), _end(state)]
        records += [events.scalar(_tag(name), float(v), number) for name, v in numbers.items()]
        for name, points in (schedule or {}).items():
            records += [events.scalar(f"hyperparameters/{name}", v, at) for at, v in points]
        self._write_row(trial_id, state, records, final=final)
        self._started.pop(trial_id, None)
        self._metrics.update(metrics)
        self._publish()

    def is_unfinished(self, trial_id: str) -> bool:
        """Return whether the row of a trial is still in a run of its own."""
        finished = bool(events.files(self._final_run(trial_id)))
        return not finished and bool(events.versions(self.trial_dir(trial_id), _WORDS))

    def report(self, progress: Progress) -> None:
        """Append a point to each of the search's curves; to be called by one process only.

        Args:
            progress: Counts that never fall, also in a later session; they are the steps.
        """
        counts = {
            "trials": progress.trials,
            "epochs": progress.epochs,
            "seconds": round(progress.seconds),
        }
        records = []
        if progress.pruned is not None and progress.trials is not None:
            pruned = events.scalar(f"{_SEARCH}/pruned_trials", progress.pruned, progress.trials)
            records.append(pruned)
        if _is_finite(progress.best):
            records += [
                events.scalar(f"best/{self.objective}/by_{unit}", progress.best, step)
                for unit, step in counts.items()
                if step is not None
            ]
        self._append(records)

    def report_rungs(self, rungs: Rungs, epochs: int) -> None:
        """Append a point to each curve of what the scheduler does.

        Args:
            rungs: What it has done so far.
            epochs: Trained in all; they are the steps.
        """
        counts = {f"rungs/{level}_epochs": len(names) for level, names in rungs.reached.items()}
        counts |= {"promotions": rungs.promotions} if rungs.promotions else {}
        counts |= {"exploits": rungs.exploits} if rungs.exploits else {}
        curves = [events.scalar(f"{_SEARCH}/{tag}", n, epochs) for tag, n in counts.items()]
        self._append(curves)

    def write_tables(self, rungs: Rungs, epochs: int) -> None:
        """Write which trials reached which rung, and which trial copied which, as they are now."""
        records = []
        if rungs.reached:
            records.append(events.text(f"{_SEARCH}/rungs", rungs.table(), epochs))
        if rungs.lineage:
            records.append(events.text(f"{_SEARCH}/lineage", rungs.lineage_table(), epochs))
        self._append(records)

    def clear(self) -> None:
        """Delete the runs of an earlier search in `log_dir`; other files and runs stay."""
        directories = events.directories(self.log_dir)
        shared = any(_is_project(directory) for directory in directories)
        for version in events.versions(self.log_dir, (_SEARCH,)):
            events.remove_run(version.run_dir, but=events.COLUMNS if shared else None)
        for directory in directories:
            trial = os.path.basename(directory)
            if events.versions(directory, _WORDS) or events.files(self._final_run(trial)):
                _remove_trial(directory)
        project_dir(self._root, self._project, self._owner)

    # Runs.

    def _final_run(self, trial_id: str) -> str:
        """Return the run of the row of a trial that has ended for good: the first one of Keras."""
        first = os.path.join(self.trial_dir(trial_id), "execution0")
        parent = first if events.exists(first) else self.trial_dir(trial_id)
        return os.path.join(parent, _TRAIN)

    def _write_row(
        self, trial_id: str, state: str, records: Sequence[events.Record], *, final: bool
    ) -> None:
        parent, run = self.trial_dir(trial_id), self._final_run(trial_id)
        if not final or events.files(run):  # a run shows the first row that it ever had
            events.clear_row(run)
            number = _latest(parent, but=_RUNNING) + 1
            events.supersede(events.Version(number, state, parent), records, _WORDS)
            return
        events.append(events.new_file_behind(run), records)
        for version in events.versions(parent, _WORDS):
            events.remove_run(version.run_dir)

    def _append(self, records: Sequence[events.Record]) -> None:
        """Add to the search's own run, which may have moved since the last call."""
        if not records:
            return
        run = _search_run(self.log_dir)
        if os.path.dirname(self._search_file) != run:
            self._search_file = events.new_file(run)
        try:
            events.append(self._search_file, records)
        except BaseException:
            self._search_file = ""  # nobody reads on behind a part of a record
            raise

    # Columns.

    @property
    def _state_column(self) -> str:
        return "trial_state" if "state" in self._infos else "state"

    def _start(self, trial_id: str, state: str, values: Mapping[str, Any]) -> events.Record:
        from tensorboard.plugins.hparams import api, api_pb2

        cells = {name: domains.cell(v, self._infos.get(name)) for name, v in values.items()}
        for name, info in self._infos.items():
            if info.type == api_pb2.DATA_TYPE_STRING:
                cells.setdefault(name, domains.INACTIVE)
        cells = {self._state_column: state, **cells}
        started = self._started.get(trial_id, time.time())
        name = f"{self._project}/{trial_id}" if self._project else trial_id
        return events.Record(api.hparams_pb(cells, name, start_time_secs=started))

    def _publish(self) -> None:
        """Bring the description on disk up to date; a change makes a new version of its run."""
        from tensorboard.plugins.hparams import summary

        run = _search_run(self._root)
        known = _read_experiment(run)
        infos = {info.name: info for info in known.hparam_infos} if known else {}
        names = {_name(info) for info in known.metric_infos} if known else set()
        state = domains.state_info(self._state_column, _WORDS)
        hparams = list({state.name: state, **infos, **self._infos}.values())
        metrics = _metric_infos((names | self._metrics) - set(_OWN_COLUMNS), {*infos, *self._infos})
        if known and list(known.hparam_infos) == hparams and list(known.metric_infos) == metrics:
            return
        record = events.Record(summary.experiment_pb(hparams, metrics))
        if known is None:
            events.append(events.new_file(run, events.COLUMNS), [record])
            return
        [*_, latest] = events.versions(self._root, (_SEARCH,))
        version = events.Version(latest.number + 1, _SEARCH, self._root)
        events.copy(run, version.run_dir, but=events.COLUMNS)
        events.append(events.new_file(version.run_dir, events.COLUMNS), [record])
        events.keep_only(version, (_SEARCH,))


def owner_of(project: str, log_dir: str) -> str:
    """Return what tells a project from others, the same when both directories are moved.

    Args:
        project: Path of the project's directory.
        log_dir: Directory of TensorBoard, or the URL of one.
    """
    path = os.path.abspath(project)
    with contextlib.suppress(ValueError):  # another drive
        return path if "://" in log_dir else os.path.relpath(path, log_dir)
    return path


def project_dir(log_dir: str, project: str, owner: str) -> str:
    """Return where a project writes below `log_dir`: a directory of its own if another has that.

    Args:
        log_dir: As the user gives it.
        project: Name of the project.
        owner: What tells it from others; an empty string for none.
    """
    if not owner:
        return log_dir
    path = os.path.join(_search_run(log_dir), events.OWNER)
    written = events.read_text(path)
    if written is None:
        events.write_text(path, owner)
    if written in {None, owner}:
        return log_dir
    return project_dir(os.path.join(log_dir, project), project, owner)


def _is_project(directory: str) -> bool:
    """Tell whether another project writes to this directory below its own."""
    return events.exists(os.path.join(_search_run(directory), events.OWNER))


def _remove_trial(directory: str) -> None:
    """Delete the runs of a trial; what others have written beside them stays."""
    for version in events.versions(directory, _WORDS):
        events.remove_run(version.run_dir)
    executions = [
        path
        for path in events.directories(directory)
        if os.path.basename(path).startswith("execution")
    ]
    for parent in (*executions, directory):
        for run in _OF_TRIAL:
            events.remove_of_keras(os.path.join(parent, run))
        events.remove_of_keras(parent)


def _search_run(log_dir: str) -> str:
    """Return the run of a search's own curves."""
    versions = events.versions(log_dir, (_SEARCH,))
    return versions[-1].run_dir if versions else os.path.join(log_dir, _SEARCH)


def _end(state: str) -> events.Record:
    from tensorboard.plugins.hparams import api_pb2, summary

    succeeded = state in ("completed", "pruned", "paused")
    status = api_pb2.STATUS_SUCCESS if succeeded else api_pb2.STATUS_FAILURE
    return events.Record(summary.session_end_pb(status))


def _metric_infos(metrics: set[str], hparams: Collection[str]) -> list[MetricInfo]:
    """Return the columns of metrics; one that is named like a hyperparameter says what it is."""
    from tensorboard.plugins.hparams import api

    columns = {**_OWN_COLUMNS, **{name: f"{name} at the best epoch." for name in sorted(metrics)}}
    shown = {name: f"{name} (metric)" if name in hparams else name for name in columns}
    return [
        api.Metric(_tag(name), display_name=shown[name], description=text).as_proto()
        for name, text in columns.items()
    ]


def _latest(parent: str, *, but: str | None = None) -> int:
    """Return the number of the newest version, 0 before the first.

    Args:
        parent: Directory of the versions.
        but: A word whose number may be used again by another word.
    """
    return max((v.number - (v.word == but) for v in events.versions(parent, _WORDS)), default=0)


def _read_experiment(run_dir: str) -> Experiment | None:
    from tensorboard.plugins.hparams import metadata

    for event in events.read(run_dir):
        for value in event.summary.value:
            if value.tag == metadata.EXPERIMENT_TAG:
                return metadata.parse_experiment_plugin_data(value.metadata.plugin_data.content)
    return None


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _tag(name: str) -> str:
    return f"trial/{name}"


def _name(info: MetricInfo) -> str:
    return info.name.tag.removeprefix("trial/")


def _is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
