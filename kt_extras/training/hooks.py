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
    methods = {
        name.replace("batch", "train_batch"): _forward(getattr(tuner, name), trial)
        for name in _overridden(tuner)
    }
    return type("TunerHooks", (keras.callbacks.Callback,), methods)()


def has_hooks(tuner: keras_tuner.Tuner) -> bool:
    """Tell whether the class of a tuner has overridden such a hook."""
    return bool(_overridden(tuner))


def _overridden(tuner: keras_tuner.Tuner) -> list[str]:
    names = (*_EPOCH, *_BATCH)
    return [n for n in names if getattr(type(tuner), n) is not getattr(keras_tuner.Tuner, n)]


def _forward(hook: Any, trial: Any) -> Any:
    def method(self: keras.callbacks.Callback, index: int, logs: Any = None) -> None:
        hook(trial, self.model, index, logs)

    return method
