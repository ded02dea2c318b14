"""The weights of a trial's best epoch, written once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras


class BestWeights(keras.callbacks.Callback):
    """Remembers the weights of the best epoch and writes them when the trial is over.

    KerasTuner writes a file at every improvement.  A copy in memory costs a fraction of that and
    the file is needed only once.  One object may watch several executions of a trial in turn.

    Args:
        loss_in: Returns the loss to be minimised in an epoch's logs, None if it is not there.
            Without any, the weights of the last epoch are the ones kept.
        best: The lowest loss of earlier training, whose weights are in the file already.

    >>> keeper = BestWeights(lambda logs: logs.get("val_loss"))
    """

    def __init__(
        self, loss_in: Callable[[Mapping[str, float]], float | None], best: float = math.inf
    ) -> None:
        super().__init__()
        self.loss_in = loss_in
        self._best = self._written = best
        self._weights = None
        self._trained = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Copy the weights if the epoch is the best so far."""
        self._trained = self.model
        loss = self.loss_in(logs or {})
        if loss is not None and loss < self._best:
            self._best = loss
            self._weights = self.model.get_weights()

    def forget_model(self) -> None:
        """Let go of the model, before the one of the next execution is built."""
        self._trained = None
        self.set_model(None)

    def write(self, path: str) -> None:
        """Write the weights to a file, and let go of them and of the model."""
        model, weights = self._trained, self._weights
        self._trained = self._weights = None
        self.set_model(None)
        if model is None or self._best == self._written < math.inf:
            return
        self._written = self._best
        if weights is not None:
            model.set_weights(weights)
        model.save_weights(path)
