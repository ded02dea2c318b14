"""What a logger of a search is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

from kt_extras.analysis.search_data import Target, TrialData


class SearchInfo(NamedTuple):
    """The search that is logged.

    Attributes:
        search_id: The same in each session of the search, and another one for each search.
        name: Of the project.
        project: Path of the project's directory.
        objectives: At least one.
        seed: The search's.
    """

    search_id: str
    name: str
    project: str
    objectives: tuple[Target, ...]
    seed: int | None


class TrialLogger(keras.callbacks.Callback):
    """Is told of the trials of a search, if it is among the callbacks that are passed to `search`.

    It runs in the process that has the records: with a chief or with workers, that one hears of all
    trials.  As a callback it does nothing.  An error of a logger does not end the search: it is
    warned of once, and the logger is told again a minute later.

    Override what is needed; all methods do nothing.
    """

    def begin_search(self, search: SearchInfo) -> None:
        """Called when a search begins or goes on.

        Args:
            search: What is known of it.
        """

    def log_trial(self, trial: TrialData) -> None:
        """Called when a trial has trained for one or more epochs, and when it has ended or paused.

        A trial that is resumed, or begun again after a failure, has the id that it had.

        Args:
            trial: The whole trial, as it is now.
        """

    def end_search(self, *, finished: bool, weights: Mapping[str, str]) -> None:
        """Called when a search ends.

        Args:
            finished: Whether no trial was left; False if it was interrupted.
            weights: The path of the weights of each trial whose weights are kept, by its id.
        """

    def __reduce__(self) -> Any:
        """Let copies for trainings and for workers do nothing."""
        return TrialLogger, ()


def loggers_among(callbacks: Any) -> list[TrialLogger]:
    """Return the loggers among the callbacks that are passed to `search`.

    >>> loggers_among([keras.callbacks.TerminateOnNaN()]), len(loggers_among([TrialLogger()]))
    ([], 1)
    """
    given = [callbacks] if isinstance(callbacks, TrialLogger) else callbacks
    if not isinstance(given, (list, tuple)):
        return []
    return [callback for callback in given if isinstance(callback, TrialLogger)]
