"""Reports the metrics of each epoch to the search and stops the training on its answer."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from kt_extras import compat

Report = Callable[[int, dict[str, float], bool], bool]


class EpochReporter(keras.callbacks.Callback):
    """Reports each epoch's metrics and stops the training when the answer is to stop.

    It must come after the user's callbacks, so that it sees what they add to the logs.  A second
    `fit` of the same model (first the head, then everything) goes on counting where the first
    ended.  Another model, such as that of another fold, begins with epoch 0.

    Args:
        report: Called with the epoch, counted from 0, the metrics that are single numbers, and
            whether it was the last epoch anyway; a true answer ends the training.
        begun: Number of epochs trained in an earlier part of the same training. Defaults to `0`.

    Attributes:
        stopped: Whether an answer was to stop.
        epochs: How many epochs the model was trained.
        models: How many models were trained one after the other.

    >>> reporter = EpochReporter(lambda epoch, metrics, last: metrics["loss"] > 1)
    >>> reporter.set_model(keras.Sequential())
    >>> reporter.on_train_begin()
    >>> reporter.on_epoch_end(0, {"loss": 2.0})
    >>> reporter.stopped
    True
    """

    def __init__(self, report: Report, begun: int = 0) -> None:
        super().__init__()
        self.report = report
        self.stopped = False
        self.epochs = begun
        self.models = 0
        self._shift: int | None = None
        self._counted: Any = None  # a weak reference to the model whose epochs are counted

    def on_train_begin(self, logs: Any = None) -> None:
        """Reset the epoch at which this `fit` begins; the first epoch sets it again."""
        self._shift = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report the metrics and stop the training if the answer is true."""
        step = epoch + self._shift_at(epoch)
        self.epochs = step + 1
        last = epoch + 1 == compat.epochs_given(self)
        if self.report(step, scalars(logs or {}), last):
            self.stopped = True
            self.model.stop_training = True

    def _shift_at(self, epoch: int) -> int:
        """Return by how much the count of epochs is ahead of that of `fit`."""
        known = None if self._counted is None else self._counted()
        if self._shift is None or known is not self.model:
            if known is not self.model:
                self.epochs = self.epochs if self._counted is None else 0
                self.models += 1
            self._counted = weakref.ref(self.model)
            self._shift = max(self.epochs - epoch, 0)
        return self._shift


def scalars(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return the entries of Keras' logs that are single numbers.

    >>> scalars({"loss": np.float32(0.5), "f1": [0.1, 0.9], "one": [0.3], "note": "late"})
    {'loss': 0.5, 'one': 0.3}
    """
    arrays = {name: np.asarray(value) for name, value in logs.items()}
    return {
        name: float(array.reshape(()))
        for name, array in arrays.items()
        if array.size == 1 and array.dtype.kind not in "OSU"
    }
