"""A callback whose errors are handled by somebody else, so that they do not end the training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

import keras

_HOOKS = ["set_model", *(name for name in dir(keras.callbacks.Callback) if name.startswith("on_"))]


def make_tolerant(
    callback: keras.callbacks.Callback, tolerated: Callable[[], AbstractContextManager[None]]
) -> None:
    """Run each hook of a callback in a context, which may suppress its errors.

    Args:
        callback: It gets a class that is derived from its own.
        tolerated: Returns the context.

    >>> from contextlib import suppress
    >>> class Broken(keras.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         raise OSError("the disk is full")
    >>> callback = Broken()
    >>> make_tolerant(callback, lambda: suppress(OSError))
    >>> callback.on_epoch_end(0)
    """
    callback.kt_extras_tolerated = tolerated
    kind: Any = type(callback)
    if not hasattr(kind, "kt_extras_is_tolerant"):
        callback.__class__ = _tolerant(kind)


@lru_cache
def _tolerant(kind: type[Any]) -> type[Any]:
    """Return a class of the same name: states of callbacks are saved under it."""
    own = [n for n in _HOOKS if getattr(kind, n) is not getattr(keras.callbacks.Callback, n)]
    members = {name: _hook(kind, name) for name in own}
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (kind,), {**members, **names, "kt_extras_is_tolerant": True})


def _hook(kind: type[Any], name: str) -> Callable[..., Any]:
    """Return a hook that calls that of a class as it is then: trackers replace some."""

    def run(self: Any, *args: Any, **kwargs: Any) -> None:
        with self.kt_extras_tolerated():
            getattr(kind, name)(self, *args, **kwargs)

    return run
