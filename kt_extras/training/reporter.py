"""Reports the metrics of each epoch to the search and stops the training on its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

Report = Callable[[int, dict[str, float], bool], bool]


class EpochReporter(keras.callbacks.Callback):
    """Reports each epoch's metrics and stops the training when the answer is to stop.

    It must come after the user's callbacks, so that it sees what they add to the logs.  A second
    `fit` of the same model (first the head, then everything) goes on counting where the first
    ended.

    Args:
        report: Called with the epoch, counted from 0, the metrics that are single numbers, and
            whether it was the last epoch anyway; a true answer ends the training.
        begun: Number of epochs trained in an earlier part of the same training. Defaults to `0`.

    >>> reporter = EpochReporter(lambda epoch, metrics, last: metrics["loss"] > 1)
    >>> reporter.set_model(keras.Sequential())
    >>> reporter.on_train_begin()
    >>> reporter.on_epoch_end(0, {"loss": 2.0})
    >>> reporter.stopped
    True
    """

    def __init__(self, report: Report, begun: int = 0) -> None:
        super().__init__()
        self.params = None  # which Keras 2 leaves unset before the first `fit`
        self.report = report
        self.stopped = False
        self.epochs = begun
        self._shift: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Reset the epoch at which this `fit` begins; the first epoch sets it again."""
        self._shift = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report the metrics and stop the training if the answer is true."""
        if self._shift is None:
            self._shift = max(self.epochs - epoch, 0)
        step = epoch + self._shift
        self.epochs = step + 1
        last = self.params is not None and epoch + 1 == self.params.get("epochs")
        if self.report(step, scalars(logs or {}), last):
            self.stopped = True
            self.model.stop_training = True


def scalars(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return the entries of Keras' logs that are single numbers.

    >>> scalars({"loss": np.float32(0.5), "f1": [0.1, 0.9]})
    {'loss': 0.5}
    """
    return {name: float(value) for name, value in logs.items() if np.ndim(value) == 0}
