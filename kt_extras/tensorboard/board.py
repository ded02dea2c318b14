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

import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from kt_extras.search.space import Space
from kt_extras.tensorboard import domains, events
from kt_extras.tensorboard.columns import (
    OWN_COLUMNS,
    metric_infos,
    metric_name,
    read_experiment,
    tag_of,
)
from kt_extras.tensorboard.progress import Progress, Rungs, importance_table
from kt_extras.tensorboard.project_dirs import SEARCH, is_project, project_dir, search_run

if TYPE_CHECKING:
    from tensorboard.plugins.hparams.api_pb2 import HParamInfo

STATES = ("completed", "pruned", "paused", "infeasible", "failed", "rejected")

_RUNNING = "running"
_WORDS = (_RUNNING, *STATES)
_TRAIN = "train"  # the run in which Keras writes the curves of the training
_OF_TRIAL = ("evaluation", _TRAIN, "validation")  # the runs of a trial, below each execution


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
        records += [events.scalar(tag_of(name), float(v), number) for name, v in numbers.items()]
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
            pruned = events.scalar(f"{SEARCH}/pruned_trials", progress.pruned, progress.trials)
            records.append(pruned)
        if _is_finite(progress.hypervolume) and progress.trials is not None:
            volume = events.scalar("best/hypervolume", progress.hypervolume, progress.trials)
            records.append(volume)
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
        curves = [events.scalar(f"{SEARCH}/{tag}", n, epochs) for tag, n in counts.items()]
        self._append(curves)

    def write_tables(self, rungs: Rungs, epochs: int) -> None:
        """Write which trials reached which rung, and which trial copied which, as they are now."""
        records = []
        if rungs.reached:
            records.append(events.text(f"{SEARCH}/rungs", rungs.table(), epochs))
        if rungs.lineage:
            records.append(events.text(f"{SEARCH}/lineage", rungs.lineage_table(), epochs))
        self._append(records)

    def write_importance(
        self, importance: Mapping[str, float], advice: Sequence[str], epochs: int
    ) -> None:
        """Write how much each hyperparameter matters, and what to do about it.

        Args:
            importance: Fractions of 1 by the names of hyperparameters.
            advice: Sentences.
            epochs: Trained in all; they are the step.
        """
        if importance:
            lines = importance_table(importance) + "".join(f"\n\n{line}" for line in advice)
            self._append([events.text(f"{SEARCH}/importance", lines, epochs)])

    def clear(self) -> None:
        """Delete the runs of an earlier search in `log_dir`; other files and runs stay."""
        directories = events.directories(self.log_dir)
        shared = any(is_project(directory) for directory in directories)
        for version in events.versions(self.log_dir, (SEARCH,)):
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
        run = search_run(self.log_dir)
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

        run = search_run(self._root)
        known = read_experiment(run)
        infos = {info.name: info for info in known.hparam_infos} if known else {}
        names = {metric_name(info) for info in known.metric_infos} if known else set()
        state = domains.state_info(self._state_column, _WORDS)
        hparams = list({state.name: state, **infos, **self._infos}.values())
        metrics = metric_infos((names | self._metrics) - set(OWN_COLUMNS), {*infos, *self._infos})
        if known and list(known.hparam_infos) == hparams and list(known.metric_infos) == metrics:
            return
        record = events.Record(summary.experiment_pb(hparams, metrics))
        if known is None:
            events.append(events.new_file(run, events.COLUMNS), [record])
            return
        [*_, latest] = events.versions(self._root, (SEARCH,))
        version = events.Version(latest.number + 1, SEARCH, self._root)
        events.copy(run, version.run_dir, but=events.COLUMNS)
        events.append(events.new_file(version.run_dir, events.COLUMNS), [record])
        events.keep_only(version, (SEARCH,))


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


def _end(state: str) -> events.Record:
    from tensorboard.plugins.hparams import api_pb2, summary

    succeeded = state in ("completed", "pruned", "paused")
    status = api_pb2.STATUS_SUCCESS if succeeded else api_pb2.STATUS_FAILURE
    return events.Record(summary.session_end_pb(status))


def _latest(parent: str, *, but: str | None = None) -> int:
    """Return the number of the newest version, 0 before the first.

    Args:
        parent: Directory of the versions.
        but: A word whose number may be used again by another word.
    """
    return max((v.number - (v.word == but) for v in events.versions(parent, _WORDS)), default=0)


def _is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
