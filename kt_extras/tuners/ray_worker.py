"""What a process does that Ray has started for a search: it trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras_tuner

from kt_extras.loggers.trial_logger import TrialLogger
from kt_extras.parallel.remote_oracle import RemoteMonitor


class RayWorker:
    """Trains the trials of an oracle in another process, whose driver reports the search.

    Args:
        tuner: The tuner, whose hooks are called.
        monitor: Tells the driver what trials alone know.
    """

    trains = True

    def __init__(self, tuner: keras_tuner.Tuner, monitor: RemoteMonitor) -> None:
        self._tuner = tuner
        self.monitor: Any = monitor

    def search(
        self, run_trials: Callable[[], None], *, visible: bool, loggers: Sequence[TrialLogger]
    ) -> None:
        """Run trials until the oracle has no more.

        Args:
            run_trials: Runs one trial after the other.
            visible: Not used: the driver reports the search.
            loggers: Not used either.
        """
        self._tuner.on_search_begin()
        run_trials()
        self._tuner.on_search_end()

    def trial_ended(self, trial_id: str) -> None:
        """Do nothing: the driver reads the records."""
