"""Resuming a training from a saved state, its own or that of another trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from kt_extras import compat
from kt_extras.checkpoints.full_state import RestoreState


class TrainedWith(keras.callbacks.Callback):
    """Notes in the state of a training with which hyperparameters it was trained.

    It counts among the callbacks whose state is saved.

    Args:
        values: The hyperparameters with which the model was built.

    Attributes:
        saved: Those with which the state was trained that was restored.

    >>> note = TrainedWith({"rate": 0.1})
    >>> note.set_state({"values": {"rate": 0.2}})
    >>> note.changed
    True
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self.values = dict(values)
        self.saved = self.values

    @property
    def changed(self) -> bool:
        """Whether the state was trained with other hyperparameters."""
        return self.saved != self.values

    def get_state(self) -> dict[str, Any]:
        """Return the hyperparameters."""
        return {"values": self.values}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set the hyperparameters with which the state was trained."""
        self.saved = dict(state["values"])

    def on_train_begin(self, logs: Any = None) -> None:
        """Make sure that there is nothing random that cannot be saved."""
        compat.make_randomness_restorable(self.model)


class ResumeTraining(RestoreState):
    """Restores a state before the first epoch, and keeps the model's own learning rate if it must.

    The learning rate is a variable of the optimizer, so it comes with the state.  That is right for
    a training that merely goes on, since a callback may have lowered it; a member of a population
    that takes over another's state needs the one with which its model was built.

    Args:
        path: As for `RestoreState`, and so are the callbacks.
        callbacks: They end with `trained_with`.
        trained_with: Knows whether the hyperparameters have changed.
    """

    def __init__(
        self, path: Path, callbacks: Sequence[keras.callbacks.Callback], trained_with: TrainedWith
    ) -> None:
        super().__init__(path, callbacks)
        self._trained_with = trained_with

    def on_train_begin(self, logs: Any = None) -> None:
        """Restore the state, and the learning rate of the model if hyperparameters changed."""
        rate = compat.learning_rate(self.model)
        super().on_train_begin(logs)
        if rate is not None and self._trained_with.changed:
            compat.set_learning_rate(self.model, rate)
