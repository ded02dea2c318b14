"""The weights of a trial's best epoch, written once; while the trial is paused, as plain arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from kt_extras import compat
from kt_extras.checkpoints.state_file import read_state, write_state

#: What is appended to the name of a file of weights for those that are kept beside it.
HELD = ".npz"


class BestWeights(keras.callbacks.Callback):
    """Remembers the weights of the best epoch and writes them when the trial is over.

    KerasTuner writes a file at every improvement.  A copy in memory costs a fraction of that and
    the file is needed only once.  One object may watch several executions of a trial in turn.

    Args:
        loss_in: Returns the loss to be minimised in an epoch's logs, None if it is not there.
            Without any, the weights of the last epoch are the ones kept.
        best: The lowest loss of earlier training, whose weights are kept already.

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

    def save_arrays(self, path: str) -> None:
        """Keep the weights beside a file, and let go of the model: the trial may go on.

        Arrays as they are take a tenth of the time that Keras takes for its file.
        """
        model = self._let_go()
        if model is not None and self._improved:
            weights = model.get_weights() if self._weights is None else self._weights
            write_state(_held(path), {"inputs": compat.input_spec(model), "weights": weights})
            self._written, self._weights = self._best, None

    def write(self, path: str) -> None:
        """Write the weights to a file, and let go of them and of the model.

        Those that are kept beside it stay there if the model has got other shapes since.
        """
        model = self._let_go()
        if model is None:
            return
        if not self._improved:
            if not (_fits(model, path) and load_arrays(model, path)):
                return
        elif self._weights is not None:
            model.set_weights(self._weights)
        model.save_weights(path)
        _held(path).unlink(missing_ok=True)  # not before there is a whole file
        self._written, self._weights = self._best, None

    @property
    def _improved(self) -> bool:
        """Whether the weights of the best epoch are those here, and on no disk."""
        return self._best < self._written or math.isinf(self._best)

    def _let_go(self) -> keras.Model | None:
        model, self._trained = self._trained, None
        self.set_model(None)
        return model


def load_arrays(model: keras.Model, path: str) -> bool:
    """Give a model the weights that are kept beside a file.

    Args:
        model: Made by the same code; if it has not seen data yet its variables are made here.
        path: From `BestWeights.save_arrays`.

    Returns:
        Whether there were any; those in the file itself are no better.

    >>> load_arrays(keras.Sequential(), "no-such-directory/checkpoint.weights.h5")
    False
    """
    if not _held(path).exists():
        return False
    held = read_state(_held(path))
    compat.build_from_spec(model, held["inputs"])
    model.set_weights(held["weights"])
    return True


def _fits(model: keras.Model, path: str) -> bool:
    """Tell whether what is kept beside a file has the shapes of a model's weights."""
    if not _held(path).exists():
        return False
    kept = read_state(_held(path))["weights"]
    return [weight.shape for weight in kept] == [weight.shape for weight in model.get_weights()]


def _held(path: str) -> Path:
    return Path(f"{path}{HELD}")
