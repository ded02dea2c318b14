"""Tells the loggers of a search what has happened, and lets it go on when they fail."""

from __future__ import annotations

import re
import secrets
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kt_extras.analysis.search_data import TrialData
from kt_extras.loggers.trial_logger import SearchInfo, TrialLogger

ID_FILE = "logged_as.txt"  #: in the project's directory

_INTERVAL = 1.0  # seconds between two calls for epochs
_SILENCE = 60.0  # seconds after an error


class SearchLog:
    """Tells loggers of a search.

    Args:
        loggers: The loggers.
        info: The search.
        trial_data: Returns a trial by its id.
        weights: Returns the paths of the weights that are kept.
    """

    def __init__(
        self,
        loggers: Sequence[TrialLogger],
        info: Callable[[], SearchInfo],
        trial_data: Callable[[str], TrialData],
        weights: Callable[[], Mapping[str, str]],
    ) -> None:
        self._trial_data, self._weights = trial_data, weights
        self._told = [_Told(logger, info) for logger in loggers]
        self._last = -_INTERVAL

    def begin(self) -> None:
        """Tell that the search begins."""
        self._deliver()

    def trained(self, trial_id: str) -> None:
        """Tell that a trial has trained an epoch, at most once in a second."""
        self._note(trial_id)
        if self._told and time.monotonic() - self._last >= _INTERVAL:
            self._deliver()

    def ended(self, trial_id: str) -> None:
        """Tell that a trial has ended, is paused, or will be begun again."""
        self._note(trial_id)
        self._deliver()

    def close(self, *, finished: bool) -> None:
        """Tell what is left, and that the search has ended."""
        for told in self._told:
            told.close(self._trial_data, self._weights, finished=finished)

    def _note(self, trial_id: str) -> None:
        for told in self._told:
            told.pending[trial_id] = None

    def _deliver(self) -> None:
        for told in self._told:
            told.deliver(self._trial_data)
        self._last = time.monotonic()


class _Told:
    """A logger, and what it is still to be told.

    Attributes:
        pending: The ids of trials that have changed, in order.
    """

    def __init__(self, logger: TrialLogger, info: Callable[[], SearchInfo]) -> None:
        self._logger, self._info = logger, info
        self._has_begun = self._has_warned = False
        self._silent_until = 0.0
        self.pending: dict[str, None] = {}

    def deliver(self, trial_data: Callable[[str], TrialData]) -> None:
        """Tell what is pending, unless an error was not long ago."""
        if time.monotonic() >= self._silent_until:
            self._tried(lambda: self._tell(trial_data))

    def close(
        self,
        trial_data: Callable[[str], TrialData],
        weights: Callable[[], Mapping[str, str]],
        *,
        finished: bool,
    ) -> None:
        """Tell what is pending, and that the search has ended."""
        self._tried(lambda: self._tell(trial_data))
        if self._has_begun:
            self._tried(lambda: self._logger.end_search(finished=finished, weights=weights()))

    def _tell(self, trial_data: Callable[[str], TrialData]) -> None:
        if not self._has_begun:
            self._logger.begin_search(self._info())
            self._has_begun = True
        for trial_id in list(self.pending):
            del self.pending[trial_id]
            try:
                self._logger.log_trial(trial_data(trial_id))
            except BaseException:
                self.pending[trial_id] = None  # behind the others, which may be no trouble
                raise

    def _tried(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:
            self._silent_until = time.monotonic() + _SILENCE
            if not self._has_warned:
                self._has_warned = True
                warnings.warn(
                    f"{type(self._logger).__name__} does not log all of the search now: {error!r}. "
                    "The search goes on, and tries it again.",
                    stacklevel=2,
                )


def search_id(project: Path) -> str:
    """Return the id under which trackers know the search of a project.

    It is kept in the project's directory, and removed with the records of the search.
    """
    path = project / ID_FILE
    project.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w\-.]", "_", project.name)  # trackers refuse quotes, colons and others
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{name}-{secrets.token_hex(4)}")
    except FileExistsError:
        pass  # from an earlier session
    return path.read_text(encoding="utf-8")
