"""Saves the weights of a trial's best epoch once, at the end of the trial or when it is paused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from kt_extras import compat
from kt_extras.atomic_files import atomic_write, sync_content, sync_entry
from kt_extras.checkpoints.state_file import UnreadableStateError, read_state, write_state

#: The suffix of the file in which the weights of a paused trial are kept, beside Keras' own file.
HELD = ".npz"


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the best epoch in memory and writes them when the trial is over.

    KerasTuner writes a file at every improvement.  A copy in memory takes a fraction of that time,
    and the file is needed only once.  One object may serve several executions of a trial in turn.

    Args:
        loss_in: Returns the loss in an epoch's logs, which is minimised, or None if it is not
            there.  If no epoch has one, the weights of the last epoch are kept.
        best: The lowest loss of earlier training, whose weights were saved then. Defaults to `inf`.

    Attributes:
        before_copy: Called before the weights of the model are copied.

    >>> keeper = BestWeights(lambda logs: logs.get("val_loss"))
    """

    def __init__(
        self, loss_in: Callable[[Mapping[str, float]], float | None], best: float = math.inf
    ) -> None:
        super().__init__()
        self.loss_in = loss_in
        self._best = self._written = best
        self._weights: list[Any] | None = None
        self._trained = None
        self.before_copy: Callable[[], None] = lambda: None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Copy the weights if the epoch is the best so far."""
        self._trained = self.model
        loss = self.loss_in(logs or {})
        if loss is not None and loss < self._best:
            self._best = loss
            self.before_copy()
            self._weights = self.model.get_weights()

    def forget_model(self) -> None:
        """Drop the reference to the model, before the one of the next execution is built."""
        self._trained = None
        self.set_model(None)

    def save_arrays(self, path: str) -> None:
        """Save the weights of a paused trial as arrays, and drop the reference to the model.

        It takes a tenth of the time that Keras takes for its file.

        Args:
            path: The path of Keras' file; the arrays are saved beside it.
        """
        model = self._let_go()
        if model is not None and self._improved:
            weights = model.get_weights() if self._weights is None else self._weights
            write_state(_held(path), {"inputs": compat.input_spec(model), "weights": weights})
            self._written, self._weights = self._best, None

    def write(self, path: str) -> None:
        """Write the weights to Keras' file, and drop the references to them and to the model.

        They are on the disk when this returns.  Arrays from `save_arrays` stay there if the model
        has got other shapes since; if they are damaged, nothing is written.

        Args:
            path: The path of the file.
        """
        model = self._let_go()
        if model is None:
            return
        if not self._improved:
            if not _take_over(model, path):
                return
        elif self._weights is not None:
            model.set_weights(self._weights)
        _write_weights(model, Path(path))
        if _held(path).exists():  # removed only after the file is complete
            _held(path).unlink()
            sync_entry(Path(path))  # or a power cut may bring back the arrays, which are preferred
        self._written, self._weights = self._best, None

    @property
    def _improved(self) -> bool:
        """Whether the weights of the best epoch are in memory only."""
        return self._best < self._written or math.isinf(self._best)

    def _let_go(self) -> keras.Model | None:
        model, self._trained = self._trained, None
        self.set_model(None)
        return model


def load_arrays(model: keras.Model, path: str) -> bool:
    """Load the weights that `BestWeights.save_arrays` has saved, if there are any.

    Args:
        model: A model made by the same code; its variables are created if it has not seen data.
        path: The argument of `BestWeights.save_arrays`.

    Returns:
        Whether there were any.  If so, they are at least as good as those in Keras' file.

    >>> load_arrays(keras.Sequential(), "no-such-directory/checkpoint.weights.h5")
    False
    """
    if not _held(path).exists():
        return False
    held = read_state(_held(path))
    compat.build_from_spec(model, held["inputs"])
    model.set_weights(held["weights"])
    return True


def _write_weights(model: keras.Model, path: Path) -> None:
    """Write Keras' file of weights, and wait until it is on the disk.

    It is made in memory where it is one of HDF5, which ends the process if the disk is full.
    """
    content = compat.weights_file(model)
    if content is not None:
        with atomic_write(path) as file:
            file.write(content)
        return
    model.save_weights(str(path))
    for part in path.parent.glob(f"{path.name}*"):
        if part.is_file():
            sync_content(part)
    sync_entry(path)


def _take_over(model: keras.Model, path: str) -> bool:
    """Set the weights that `save_arrays` has saved; return False if they are lost or do not fit."""
    try:
        kept = read_state(_held(path))["weights"]
    except (FileNotFoundError, UnreadableStateError):
        return False
    if [weight.shape for weight in kept] != [weight.shape for weight in model.get_weights()]:
        return False
    model.set_weights(kept)
    return True


def _held(path: str) -> Path:
    return Path(f"{path}{HELD}")
