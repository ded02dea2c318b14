"""Resuming a training from a saved state, its own or that of another trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from kt_extras import compat
from kt_extras.checkpoints.full_state import RestoreState
from kt_extras.checkpoints.state_file import UnreadableStateError


class TrainedWith(keras.callbacks.Callback):
    """Records the hyperparameters of a training in its state.

    It is one of the callbacks whose state is saved.  State files hold its name, so it must not be
    renamed.

    Args:
        values: The hyperparameters with which the model was built.

    Attributes:
        saved: The hyperparameters in the restored state; `values` if none was restored.

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
        """Set the hyperparameters of the restored state."""
        self.saved = dict(state["values"])

    def on_train_begin(self, logs: Any = None) -> None:
        """Make the random states of the model restorable before it is traced."""
        compat.make_randomness_restorable(self.model)


class ResumeTraining(RestoreState):
    """Restores a state before the first epoch; new hyperparameters keep their learning rate.

    The learning rate is a variable of the optimizer or of its schedule, so it is part of the state.
    A training that is resumed needs that one, since a callback may have lowered it; a member of a
    population that starts from the state of another needs the one with which its model was built.

    Args:
        path: The file that `save_state` has written.
        callbacks: The callbacks whose state is restored; the last is `trained_with`.
        trained_with: Says whether the hyperparameters have changed.
    """

    def __init__(
        self, path: Path, callbacks: Sequence[keras.callbacks.Callback], trained_with: TrainedWith
    ) -> None:
        super().__init__(path, callbacks)
        self._trained_with = trained_with

    def on_train_begin(self, logs: Any = None) -> None:
        """Restore the state, and the learning rate of the model if hyperparameters changed.

        Raises:
            UnreadableStateError: The file is not a state.  It is renamed, so that it counts as
                missing.
        """
        set_rates_of_the_model = compat.learning_rates_kept(self.model)
        try:
            super().on_train_begin(logs)
        except UnreadableStateError:
            self.path.replace(f"{self.path}.unreadable")
            raise
        if self._trained_with.changed:
            set_rates_of_the_model()
