"""What a process does in a search: everything, or a chief's or a worker's part of it.

In KerasTuner's distributed search a chief process has the oracle and decides; worker processes ask
it for trials and train them.  Without a chief, one process does both.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import keras_tuner

from kt_extras.oracles.drivers import has_chief
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.records.trial_record import TrialRecord
from kt_extras.tuners.search_monitor import SearchMonitor
from kt_extras.tuners.trained_models import TrainedModels

_WHERE = (
    "the chief has them.  Call it on the chief, or, once the search has ended, in a process "
    "without the variable `KERASTUNER_ORACLE_IP`."
)


class Worker:
    """Trains the trials of a chief in another process, which has the records.

    Args:
        tuner: The tuner, whose hooks are called.
    """

    trains = True
    monitor: SearchMonitor | None = None

    def __init__(self, tuner: keras_tuner.Tuner) -> None:
        self._tuner = tuner

    def search(self, run_trials: Callable[[], None], *, visible: bool) -> None:
        """Run trials until the chief has no more.

        Args:
            run_trials: Runs one trial after the other.
            visible: Not used: the chief reports the search.
        """
        self._tuner.on_search_begin()
        run_trials()
        self._tuner.on_search_end()

    def trial_ended(self, trial_id: str) -> None:
        """Do nothing: the chief reports the search."""


class Local:
    """Decides and trains in one process.

    Args:
        tuner: The tuner, whose hooks are called.
        oracle: Its oracle.
        models: Its trained models.
        overwrite: Whether the records of an earlier search were removed.

    Attributes:
        monitor: Reports the search; None before its first trial.
    """

    trains = True

    def __init__(
        self,
        tuner: keras_tuner.Tuner,
        oracle: SamplerOracle,
        models: TrainedModels,
        *,
        overwrite: bool,
    ) -> None:
        self._tuner, self._oracle, self._models = tuner, oracle, models
        self._overwrite = overwrite
        self.monitor: SearchMonitor | None = None

    def search(self, run_trials: Callable[[], None], *, visible: bool) -> None:
        """Run trials until the oracle has no more, and report the search.

        Args:
            run_trials: Runs one trial after the other.
            visible: Whether to show the progress line.
        """
        with self._oracle.session(self._tuner.tuner_id):
            self._tuner.on_search_begin()
            self._models.remove_leftovers()
            begins_again = self._overwrite and not self._oracle.trials
            project = str(self._tuner.project_dir)
            monitor = SearchMonitor(
                self._oracle, project, visible=visible, clear_boards=begins_again
            )
            self.monitor = monitor
            with _closed(monitor):
                run_trials()
        self._tuner.on_search_end()
        monitor.report_ending()

    def trial_ended(self, trial_id: str) -> None:
        """Report the end of a trial."""
        if self.monitor is not None:
            self.monitor.trial_ended(trial_id)


class Chief:
    """Serves the oracle to the workers, and trains nothing.

    Args:
        oracle: The oracle.
        models: The trained models, of which it knows the files.
        serve: Serves the oracle until the workers have run all trials.
        project: Path of the project's directory.
    """

    trains = False
    monitor: SearchMonitor | None = None

    def __init__(
        self, oracle: SamplerOracle, models: TrainedModels, serve: Callable[[], None], project: str
    ) -> None:
        self._oracle, self._models, self._serve = oracle, models, serve
        self._project = project

    def search(self, run_trials: Callable[[], None], *, visible: bool) -> None:
        """Serve the oracle until the search has ended, and report the search.

        Args:
            run_trials: Not used: the workers run the trials.
            visible: Whether to show the progress and the trials that have ended.

        Raises:
            RuntimeError: Too many trials have crashed, or been rejected in a row.
        """
        with self._oracle.session():
            monitor = SearchMonitor(self._oracle, self._project, visible=visible)
            with _closed(monitor):
                self._models.remove_leftovers()
                with self._reporting(monitor):
                    self._serve()
                if (failures := self._oracle.failure_report) is not None:
                    raise RuntimeError(failures)
        monitor.report_ending()

    @contextmanager
    def _reporting(self, monitor: SearchMonitor) -> Iterator[None]:
        """Report every trial that a worker ends."""
        before = self._oracle.when_ended

        def ended(record: TrialRecord) -> None:
            before(record)
            monitor.trial_ended(record.trial.trial_id)

        self._oracle.when_ended = ended
        try:
            yield
        finally:
            self._oracle.when_ended = before

    def trial_ended(self, trial_id: str) -> None:
        """Do nothing: a chief runs no trials."""


Role = Local | Chief | Worker


@contextmanager
def _closed(monitor: SearchMonitor) -> Iterator[None]:
    """Close a monitor at the end of a block, whose error is the one to see."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            monitor.close()
        raise
    monitor.close()


def role_of(
    tuner: Any,
    oracle: SamplerOracle,
    models: TrainedModels,
    *,
    serve: Callable[[], None],
    overwrite: bool,
) -> Role:
    """Return the role of this process.

    Args:
        tuner: The tuner.
        oracle: The oracle of this process.
        models: The tuner's trained models.
        serve: KerasTuner's own `search`, which makes a chief serve its oracle.
        overwrite: Whether the records of an earlier search were removed.
    """
    if is_worker(tuner):
        return Worker(tuner)
    if has_chief():
        return Chief(oracle, models, serve, str(tuner.project_dir))
    return Local(tuner, oracle, models, overwrite=overwrite)


def is_worker(tuner: Any) -> bool:
    """Tell whether this process is a worker of a chief."""
    return has_chief() and bool(tuner._is_worker())


def warn_without_records(tuner: Any, method: str) -> None:
    """Warn, on a worker, that a table is empty since the chief has the records.

    Args:
        tuner: The tuner.
        method: What was called.
    """
    if is_worker(tuner):
        warnings.warn(f"`{method}` has no rows on a worker: {_WHERE}", stacklevel=3)


def refuse_without_records(tuner: Any, method: str) -> None:
    """Raise, on a worker, since the chief has the records.

    Args:
        tuner: The tuner.
        method: What was called.

    Raises:
        RuntimeError: This process is a worker.
    """
    if is_worker(tuner):
        raise RuntimeError(f"`{method}` needs the records of the trials, and {_WHERE}")
