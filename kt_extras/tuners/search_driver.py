"""What the driver of a search in other processes does: it reads their records and reports."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import keras

from kt_extras.loggers.trial_logger import loggers_among
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.parallel.oracle_actor import News
from kt_extras.records.events import EpochReported, TrialEnded
from kt_extras.training.notes import Notes
from kt_extras.tuners.search_monitor import SearchMonitor
from kt_extras.tuners.time_report import TimeReport
from kt_extras.tuners.trained_models import TrainedModels


class SearchDriver:
    """Reports a search, as one in this process is reported.

    Args:
        tuner: The tuner.
        oracle: Its oracle, which reads and writes nothing.
        models: Its trained models.
        args: Positional arguments of `search`, checked.
        kwargs: Keyword arguments of `search`, without `verbose`.
        verbose: How much is shown.
        begins_again: Whether the records of an earlier search were removed.

    Attributes:
        project: Path of the project's directory.
        is_visible: Whether anything is shown.
        shows_output: Whether what workers print is shown.
        arguments: What workers call `search` with.
    """

    def __init__(
        self,
        tuner: Any,
        oracle: SamplerOracle,
        models: TrainedModels,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        verbose: int,
        begins_again: bool,
    ) -> None:
        self._tuner, self._oracle, self._models = tuner, oracle, models
        self.project = str(tuner.project_dir)
        self.is_visible, self.shows_output = verbose > 0, verbose > 1
        self.arguments = list(args), {**kwargs, "verbose": 2 if verbose > 1 else 0}
        self._callbacks = kwargs.get("callbacks")
        self._begins_again = begins_again
        self._monitor: SearchMonitor | None = None
        self._reported: SearchMonitor | None = None  # once it is closed
        self._ended_because: str | None = None
        self._time_reports: list[TimeReport] = []

    def oracle(self) -> Any:
        """Return the oracle that is sent."""
        self._oracle.go_on()
        sent = copy.copy(self._oracle)
        sent.when_ended = _nothing
        return sent

    @property
    def stop_asked(self) -> bool:
        """Whether `stop()` was called in this process, of which the sent oracle does not know."""
        return self._oracle.is_stopped

    def began(self) -> None:
        """Begin to report: no other process searches the project."""
        self._oracle.follow()
        self._models.remove_leftovers()
        begins_again = self._begins_again and not self._oracle.trials
        self._monitor = SearchMonitor(
            self._oracle,
            self.project,
            visible=self.is_visible,
            loggers=loggers_among(self._callbacks),
            clear_boards=begins_again,
        )
        given = self._callbacks if isinstance(self._callbacks, (list, tuple)) else ()
        boards = [c.log_dir for c in given if isinstance(c, keras.callbacks.TensorBoard)]
        self._monitor.prepare([str(board) for board in boards])

    def look(self, news: News) -> None:
        """Report what has been recorded since the last call."""
        if self._monitor is None:
            return
        self._ended_because = news.ended_because
        events = self._oracle.follow()
        for trial_id, log_dir in news.boards:
            if trial_id in self._oracle.trials:
                self._monitor.trial_began(self._oracle.trials[trial_id], log_dir)
        for event in events:
            if isinstance(event, TrialEnded):
                self._oracle.when_ended(self._oracle.trial_record(event.trial))
                self._monitor.trial_ended(event.trial)
        for trial_id in {event.trial for event in events if isinstance(event, EpochReported)}:
            self._monitor.epoch_ended(trial_id)

    def worker_ended(self, report: TimeReport | None) -> None:
        """Take what a worker says of its time, None if it was interrupted."""
        if report is not None:
            self._time_reports.append(report)

    def close(self) -> None:
        """End the progress line, and load what is on record."""
        monitor, self._monitor = self._monitor, None
        if monitor is not None:
            self._oracle.follow()
            monitor.close(finished=self._ended_because is not None)
        if self._oracle.is_recorded():
            self._oracle.reload()
        self._oracle.ended_because = self._ended_because
        self._reported = monitor

    def ended(self) -> None:
        """Say why the search has ended, and where the time of its workers went."""
        if self._reported is not None:
            self._reported.report_ending()
        if self._time_reports:
            notes = Notes(visible=self.is_visible)
            for line in reduce(add, self._time_reports).lines("Time of the workers"):
                notes.add(line)


def _nothing(_: Any) -> None:
    """Take the place of what is done where a trial has ended: the driver does it."""
