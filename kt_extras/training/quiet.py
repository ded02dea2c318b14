"""Keeps Keras from showing a progress bar for each epoch in the middle of a search."""

from __future__ import annotations

from typing import Any

import keras

_HOOKS = (
    "on_train_begin", "on_test_begin", "on_predict_begin", "on_epoch_begin", "on_train_batch_end",
    "on_test_batch_end", "on_predict_batch_end", "on_epoch_end", "on_test_end", "on_predict_end",
)  # fmt: skip


class QuietProgress(keras.callbacks.ProgbarLogger):
    """Takes the place of the progress bar that `fit` adds unless `verbose=0` is passed to it.

    A `HyperModel.fit` need not pass `verbose` on.  If it passes 2 itself, its lines are shown.

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> _ = model.fit(np.ones((4, 1)), np.ones((4, 1)), callbacks=[QuietProgress()])
    """

    works_by_epochs = True  # its line for an epoch needs no batches

    def __init__(self) -> None:
        super().__init__()
        self.verbose = 0  # a loop of the user's own need not call `set_params`

    def set_params(self, params: dict[str, Any]) -> None:
        """Set the verbosity: 2, or else 0."""
        verbose = 2 if params.get("verbose") == 2 else 0
        super().set_params({"epochs": 1, "steps": None, **params, "verbose": verbose})


def _if_verbose(hook: str) -> Any:
    """Return a method that does what the progress bar does, if that is shown."""

    def method(self: QuietProgress, *args: Any, **kwargs: Any) -> None:
        if self.verbose:
            getattr(super(QuietProgress, self), hook)(*args, **kwargs)

    return method


for _hook in _HOOKS:
    setattr(QuietProgress, _hook, _if_verbose(_hook))
