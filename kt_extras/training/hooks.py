"""The `on_epoch_begin`, `on_batch_end`, ... methods that a KerasTuner tuner may override."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner

_EPOCH = ("on_epoch_begin", "on_epoch_end")
_BATCH = ("on_batch_begin", "on_batch_end")


def tuner_hooks(tuner: keras_tuner.Tuner, trial: Any) -> keras.callbacks.Callback:
    """Return a callback that calls those hooks of a tuner which its class has overridden.

    Hooks that are not overridden are left out, since each takes time in every batch.
    """
    methods = {}
    for name in (*_EPOCH, *_BATCH):
        if getattr(type(tuner), name) is not getattr(keras_tuner.Tuner, name):
            methods[name.replace("batch", "train_batch")] = _forward(getattr(tuner, name), trial)
    return type("TunerHooks", (keras.callbacks.Callback,), methods)()


def _forward(hook: Any, trial: Any) -> Any:
    def method(self: keras.callbacks.Callback, index: int, logs: Any = None) -> None:
        hook(trial, self.model, index, logs)

    return method
