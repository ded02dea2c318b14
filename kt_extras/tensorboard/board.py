"""A search in TensorBoard: a run for each trial, the HParams dashboard, and the search's curves.

Below `log_dir` the runs are

- ``<trial>/train``, ``<trial>/validation``: the trial's curves, written by Keras' own callback;
- ``<trial>/<state>``: its row of the dashboard, that is its hyperparameters and final numbers;
  the state is ``running``, ``completed``, ``pruned``, ``paused``, ``infeasible`` or ``failed``;
- ``search``: the best score so far against trials, epochs and seconds, and the pruned trials; with
  a scheduler also how many trials have reached each rung, promotions, exploits, and as a text which
  trials reached which rung and which trial copied which;
- ``search/space``: the domains of the hyperparameters, and which numbers are columns.

A later version of ``<state>`` or ``space`` is a new run with a number, and the former is deleted;
`kt_extras.tensorboard.events` says why.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from kt_extras.search.space import Space
from kt_extras.tensorboard import domains, events

if TYPE_CHECKING:
    from tensorboard.plugins.hparams.api_pb2 import Experiment, HParamInfo, MetricInfo

STATES = ("completed", "pruned", "paused", "infeasible", "failed")

_RUNNING = "running"
_SEARCH = "search"
_SPACE = "space"
_WORDS = (_RUNNING, *STATES)
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
        trials: Finished trials.
        pruned: Those of them that were stopped early.
        epochs: Epochs trained, of all trials.
        seconds: Time spent.
        best: Best score so far on the user's own scale; None before the first.

    >>> Progress(trials=3, pruned=1, epochs=12, seconds=40.5, best=0.9).pruned
    1
    """

    trials: int
    pruned: int
    epochs: int
    seconds: float
    best: float | None


@dataclass(frozen=True)
class Rungs:
    """What a scheduler has done with a search so far.

    Args:
        reached: For each number of epochs that is a rung, the trials that have trained as long.
        promotions: How often a trial was given more epochs. Defaults to `0`.
        exploits: How often a member of a population has taken over from another. Defaults to `0`.
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

    >>> board = SearchBoard("logs", objective="val_accuracy")
    >>> os.path.relpath(board.trial_dir("0007"), "logs")
    '0007'
    """

    def __init__(self, log_dir: str | os.PathLike[str], objective: str) -> None:
        self.log_dir = os.fspath(log_dir)
        self.objective = objective
        self._infos: dict[str, HParamInfo] = {}
        self._metrics: set[str] = set()
        self._started: dict[str, float] = {}
        self._search_file: str | None = None

    def trial_dir(self, trial_id: str) -> str:
        """Return the directory of a trial's run, below which Keras writes the curves."""
        return os.path.join(self.log_dir, trial_id)

    def describe(self, space: Space) -> None:
        """Declare all hyperparameters with their domains; again whenever the space has grown.

        What was declared before in the same directory, here or by another process, stays.  Without
        a change nothing is written.

        Args:
            space: All hyperparameters known so far.
        """
        self._infos = {info.name: info for info in domains.hparam_infos(space)}
        self._publish()

    def begin_trial(self, trial_id: str, values: Mapping[str, Any]) -> None:
        """Show a trial as running.

        Args:
            trial_id: Unique in the search.
            values: The active hyperparameters only.
        """
        self._started[trial_id] = time.time()
        parent = self.trial_dir(trial_id)
        version = events.Version(_latest(parent) + 1, _RUNNING, parent)
        events.supersede(version, [self._start(trial_id, values)])

    def end_trial(
        self,
        trial_id: str,
        *,
        values: Mapping[str, Any],
        state: str,
        score: float | None,
        best_epoch: int | None,
        epochs: int,
        metrics: Mapping[str, float],
    ) -> None:
        """Write how a trial ended, in place of what was written of it before.

        Args:
            trial_id: Unique in the search.
            values: The active hyperparameters only, with those discovered while it ran.
            state: `"completed"`, `"pruned"`, `"paused"`, `"infeasible"` or `"failed"`; the last
                two have the status of a failure in the dashboard.
            score: The objective; None if there is none.
            best_epoch: Epoch of `score`.
            epochs: Epochs trained.
            metrics: Each Keras metric at the best epoch.
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
        # At the number of epochs, so that a trial promoted by its rung has its later score last.
        scalars = [events.scalar(_tag(name), float(v), epochs) for name, v in numbers.items()]
        records = [self._start(trial_id, values), _end(state), *scalars]
        parent = self.trial_dir(trial_id)
        events.supersede(events.Version(_latest(parent, but=_RUNNING) + 1, state, parent), records)
        self._started.pop(trial_id, None)
        if not self._metrics.issuperset(metrics):
            self._metrics.update(metrics)
            self._publish()

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
        records = [events.scalar(f"{_SEARCH}/pruned_trials", progress.pruned, progress.trials)]
        if _is_finite(progress.best):
            records += [
                events.scalar(f"{_SEARCH}/best_{self.objective}/by_{unit}", progress.best, step)
                for unit, step in counts.items()
            ]
        self._append(records)

    def report_rungs(self, rungs: Rungs, epochs: int) -> None:
        """Append a point to each curve of what the scheduler does.

        Args:
            rungs: What it has done so far.
            epochs: Trained in all; they are the steps.
        """
        counts = {
            **{f"rungs/{level}_epochs": len(names) for level, names in rungs.reached.items()},
            "promotions": rungs.promotions,
            "exploits": rungs.exploits,
        }
        curves = [events.scalar(f"{_SEARCH}/{tag}", n, epochs) for tag, n in counts.items()]
        self._append(curves)

    def write_tables(self, rungs: Rungs, epochs: int) -> None:
        """Write which trials reached which rung, and which trial copied which, as they are now."""
        records = [events.text(f"{_SEARCH}/rungs", rungs.table(), epochs)]
        if rungs.lineage:
            records.append(events.text(f"{_SEARCH}/lineage", rungs.lineage_table(), epochs))
        self._append(records)

    def clear(self) -> None:
        """Delete the runs of an earlier search in `log_dir`; other files and runs stay."""
        for directory in events.directories(self.log_dir):
            is_search = os.path.basename(directory) == _SEARCH
            if is_search or any(v.word in _WORDS for v in events.versions(directory)):
                events.remove(directory)

    def _append(self, records: Sequence[events.Record]) -> None:
        """Add to the search's own run."""
        if self._search_file is None:
            self._search_file = events.new_file(os.path.join(self.log_dir, _SEARCH))
        events.append(self._search_file, records)

    def _start(self, trial_id: str, values: Mapping[str, Any]) -> events.Record:
        from tensorboard.plugins.hparams import api

        cells = {name: domains.cell(v, self._infos.get(name)) for name, v in values.items()}
        started = self._started.get(trial_id, time.time())
        return events.Record(api.hparams_pb(cells, trial_id, start_time_secs=started))

    def _publish(self) -> None:
        """Bring the description on disk up to date; only a change makes a new version."""
        from tensorboard.plugins.hparams import summary

        parent = os.path.join(self.log_dir, _SEARCH)
        versions = events.versions(parent)
        known = _read_experiment(versions[-1].run_dir) if versions else None
        infos = {info.name: info for info in known.hparam_infos} if known else {}
        names = {_name(info) for info in known.metric_infos} if known else set()
        hparams = list({**infos, **self._infos}.values())
        metrics = _metric_infos((names | self._metrics) - set(_OWN_COLUMNS))
        if known and list(known.hparam_infos) == hparams and list(known.metric_infos) == metrics:
            events.keep_only(versions[-1])
        else:
            version = events.Version(_latest(parent) + 1, _SPACE, parent)
            events.supersede(version, [events.Record(summary.experiment_pb(hparams, metrics))])


def _end(state: str) -> events.Record:
    from tensorboard.plugins.hparams import api_pb2, summary

    succeeded = state in ("completed", "pruned", "paused")
    status = api_pb2.STATUS_SUCCESS if succeeded else api_pb2.STATUS_FAILURE
    return events.Record(summary.session_end_pb(status))


def _metric_infos(metrics: set[str]) -> list[MetricInfo]:
    from tensorboard.plugins.hparams import api

    columns = {**_OWN_COLUMNS, **{name: f"{name} at the best epoch." for name in sorted(metrics)}}
    return [
        api.Metric(_tag(name), display_name=name, description=text).as_proto()
        for name, text in columns.items()
    ]


def _latest(parent: str, *, but: str | None = None) -> int:
    """Return the number of the newest version, 0 before the first.

    Args:
        parent: Directory of the versions.
        but: A word whose number may be used again by another word.
    """
    return max((v.number - (v.word == but) for v in events.versions(parent)), default=0)


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
