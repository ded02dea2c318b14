"""A callback that a search can copy for every training."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import keras

_Callback = TypeVar("_Callback", bound="CopiedCallback")


class CopiedCallback(keras.callbacks.Callback):
    """A callback whose deep copies use the same data, without the state of earlier training.

    KerasTuner copies callbacks deeply for each training.  A subclass overrides `_reset`.
    """

    def __deepcopy__(self: _Callback, memo: dict[int, Any]) -> _Callback:
        """Return a copy with the same arguments, for another training; data are not copied."""
        clone = copy.copy(self)
        clone.set_model(None)
        clone._reset()
        return clone

    def _reset(self) -> None:
        """Delete the state of the earlier training."""
        raise NotImplementedError
