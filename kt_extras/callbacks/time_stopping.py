"""Ends a training after a given time."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import Any

import keras


class TimeStopping(keras.callbacks.Callback):
    """Ends the training after the first epoch that is over when a time has passed.

    As in tensorflow-addons, whose callback has the same name; but of a trial that is paused and
    goes on, only the time in which it was trained is counted.

    Args:
        seconds: A number of seconds above 0, or a `datetime.timedelta`.
        verbose: Whether to say that the time was up. Defaults to `0`.

    Attributes:
        stopped_epoch: The epoch, counted from 0, that was the last; None if the time sufficed.

    Raises:
        ValueError: `seconds` is not above 0.

    >>> TimeStopping(timedelta(hours=2)).seconds
    7200.0
    """

    def __init__(self, seconds: float | timedelta, verbose: int = 0) -> None:
        super().__init__()
        self.seconds = _in_seconds(seconds)
        self.verbose = verbose
        self.stopped_epoch: int | None = None
        self._began = 0.0
        self._elapsed = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin to count."""
        self._began = time.monotonic()
        self._elapsed = 0.0
        self.stopped_epoch = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop if the time is up."""
        self._elapsed = time.monotonic() - self._began
        if self._elapsed >= self.seconds:
            self.model.stop_training = True
            self.stopped_epoch = epoch

    def on_train_end(self, logs: Any = None) -> None:
        """Say that the time was up."""
        if self.stopped_epoch is not None and self.verbose:
            spent = timedelta(seconds=round(self._elapsed))
            print(f"Epoch {self.stopped_epoch + 1} was the last after {spent}.")  # noqa: T201

    def get_state(self) -> dict[str, Any]:
        """Return how many seconds the training had taken by the end of its last epoch."""
        return {"elapsed": self._elapsed}

    def set_state(self, state: dict[str, Any]) -> None:
        """Count on from there."""
        self._elapsed = float(state["elapsed"])
        self._began = time.monotonic() - self._elapsed


def _in_seconds(given: Any) -> float:
    try:
        seconds = float(given.total_seconds() if isinstance(given, timedelta) else given)
    except (TypeError, ValueError):
        seconds = math.nan
    if not seconds > 0:
        raise ValueError(
            "`seconds` must be a number above 0 or a `datetime.timedelta`, got "
            f"{given!r}; `timedelta(minutes=30)` is half an hour."
        )
    return seconds
