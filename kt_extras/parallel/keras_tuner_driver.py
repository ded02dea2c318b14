"""What the driver does for a tuner of KerasTuner."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from kt_extras.parallel.oracle_actor import News


class KerasTunerDriver:
    """Shows what the oracle prints, and loads the records at the end.

    Args:
        tuner: The tuner.
        args: Positional arguments of `search`.
        kwargs: Keyword arguments of `search`.

    Attributes:
        project: Path of the project's directory.
        is_visible: Whether anything is shown.
        shows_output: Whether what workers print is shown.
        arguments: What workers call `search` with.
        stop_asked: False: KerasTuner's tuners have no `stop`.
    """

    stop_asked = False

    def __init__(self, tuner: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._tuner, self._verbose = tuner, kwargs.get("verbose", 1)
        self.project = str(tuner.project_dir)
        self.is_visible = self._verbose != 0
        self.shows_output = isinstance(self._verbose, int) and self._verbose > 1
        given = dict(kwargs)
        if "verbose" in given:  # or a `run_trial` of the user's own may not take it
            given["verbose"] = 2 if self.shows_output else 0
        self.arguments = list(args), given

    def oracle(self) -> Any:
        """Return the oracle that is sent; it prints as KerasTuner's do."""
        sent = copy.copy(self._tuner.oracle)
        sent._display = copy.copy(sent._display)
        sent._display.oracle, sent._display.verbose = sent, int(self.is_visible)
        return sent

    def began(self) -> None:
        """Let the search be found when the program is run again."""
        self._tuner.save()

    def look(self, news: News) -> None:
        """Show what the oracle has printed."""
        if self.is_visible and news.said:
            print(news.said, end="")  # noqa: T201 - as KerasTuner does

    def worker_ended(self, _: Any) -> None:
        """Do nothing: a tuner of KerasTuner says nothing of its time."""

    def close(self) -> None:
        """Load what is on record."""
        oracle = self._tuner.oracle
        oracle.trials.clear()
        oracle.reload()

    def ended(self) -> None:
        """Do nothing more."""
