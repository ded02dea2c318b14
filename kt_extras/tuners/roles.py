"""What a process does in a search: everything, or a chief's or a worker's part of it.

In KerasTuner's distributed search a chief process has the oracle and decides; worker processes ask
it for trials and train them.  Without a chief, one process does both.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import keras_tuner

from kt_extras.loggers.trial_logger import TrialLogger
from kt_extras.oracles.drivers import has_chief
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.parallel.address import address_from_environment
from kt_extras.parallel.chief import ChiefServer
from kt_extras.parallel.chief_stub import ChiefStub
from kt_extras.parallel.ended_search import EndedSearch
from kt_extras.parallel.wire import SearchOverError
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
        oracle: The oracle of this process, which has the settings of the search.
        overwrite: Whether the chief removes the records of an earlier search.
    """

    trains = True
    monitor: SearchMonitor | None = None

    def __init__(self, tuner: Any, oracle: SamplerOracle, *, overwrite: bool) -> None:
        self._tuner = tuner
        client = tuner.oracle
        self._chief = ChiefStub(
            address_from_environment(),
            tuner.tuner_id,
            EndedSearch(Path(tuner.project_dir), oracle, overwrite=overwrite),
            lambda: client.multi_worker,
        )
        client.stub = self._chief

    def search(
        self, run_trials: Callable[[], None], *, visible: bool, loggers: Sequence[TrialLogger]
    ) -> None:
        """Run trials until the chief has no more.

        Args:
            run_trials: Runs one trial after the other.
            visible: Whether to say that the search has ended before this worker has come.
            loggers: Not used: the chief tells its own.
        """
        with self._chief.alive():
            self._tuner.on_search_begin()
            try:
                run_trials()
            except SearchOverError as over:
                if visible:
                    print(over)  # noqa: T201 - as KerasTuner does
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

    def search(
        self, run_trials: Callable[[], None], *, visible: bool, loggers: Sequence[TrialLogger]
    ) -> None:
        """Run trials until the oracle has no more, and report the search.

        Args:
            run_trials: Runs one trial after the other.
            visible: Whether to show the progress line.
            loggers: Are told of the search.
        """
        with self._oracle.session(self._tuner.tuner_id):
            self._tuner.on_search_begin()
            self._models.remove_leftovers()
            begins_again = self._overwrite and not self._oracle.trials
            project = str(self._tuner.project_dir)
            monitor = SearchMonitor(
                self._oracle, project, visible=visible, loggers=loggers, clear_boards=begins_again
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
        project: Path of the project's directory.
    """

    trains = False
    monitor: SearchMonitor | None = None

    def __init__(self, oracle: SamplerOracle, models: TrainedModels, project: str) -> None:
        self._oracle, self._models, self._project = oracle, models, project

    def search(
        self, run_trials: Callable[[], None], *, visible: bool, loggers: Sequence[TrialLogger]
    ) -> None:
        """Serve the oracle until the search has ended, and report the search.

        Args:
            run_trials: Not used: the workers run the trials.
            visible: Whether to show the progress and the trials that have ended.
            loggers: Are told of the search.

        Raises:
            OSError: Nothing can listen at the chief's address, or another process does.
            RuntimeError: Too many trials have crashed, or been rejected in a row.
        """
        ended = EndedSearch(Path(self._project), self._oracle)
        with self._oracle.session():
            server = ChiefServer(self._oracle, address_from_environment())
            ended.clear()
            monitor = SearchMonitor(self._oracle, self._project, visible=visible, loggers=loggers)
            with _closed(monitor):
                self._models.remove_leftovers()
                with self._reporting(monitor):
                    server.serve()
                if (failures := self._oracle.failure_report) is not None:
                    raise RuntimeError(failures)
            ended.write()
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
            monitor.close(finished=False)
        raise
    monitor.close(finished=True)


def role_of(
    tuner: Any,
    oracle: SamplerOracle,
    models: TrainedModels,
    *,
    overwrite: bool,
) -> Role:
    """Return the role of this process.

    Args:
        tuner: The tuner.
        oracle: The oracle of this process.
        models: The tuner's trained models.
        overwrite: Whether the records of an earlier search were removed.
    """
    if is_worker(tuner):
        return Worker(tuner, oracle, overwrite=overwrite)
    if has_chief():
        return Chief(oracle, models, str(tuner.project_dir))
    return Local(tuner, oracle, models, overwrite=overwrite)


def is_worker(tuner: Any) -> bool:
    """Tell whether the oracle with the records is in another process."""
    asked, own = getattr(tuner, "oracle", None), getattr(tuner, "_local_oracle", None)
    return asked is not own or (has_chief() and bool(tuner._is_worker()))


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
