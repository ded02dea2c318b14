"""One set of callbacks for each training run."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Union

import keras
import keras_tuner

Callbacks = list[keras.callbacks.Callback]
Factory = Callable[[keras_tuner.HyperParameters, Any], Callbacks]
CallbacksLike = Union[Sequence[Any], Factory, None]  # noqa: UP007 - Python 3.10


def callbacks_for(given: CallbacksLike, trial: Any) -> Callbacks:
    """Return callbacks without the state of another training run.

    Args:
        given: Callbacks, which are copied; or a function ``(hp, trial) -> callbacks``,
            for those that cannot be copied or that depend on the hyperparameters.
        trial: The `keras_tuner` trial that is about to run.

    Raises:
        keras_tuner.errors.FatalTypeError: A callback cannot be copied, or is not a Keras callback.

    >>> from types import SimpleNamespace
    >>> stop = keras.callbacks.EarlyStopping(patience=3)
    >>> (mine,) = callbacks_for([stop], SimpleNamespace(hyperparameters=None))
    >>> mine is stop, mine.patience
    (False, 3)
    """
    if given is None:
        return []
    if callable(given):
        return _checked(given(trial.hyperparameters, trial))
    return [_copied(callback) for callback in _checked(given)]


def check_callbacks(given: Any) -> None:
    """Raise what `callbacks_for` would raise in a trial, as far as it is known before.

    Raises:
        keras_tuner.errors.FatalTypeError: As for `callbacks_for`, or a function that cannot be
            called with `(hp, trial)`.

    >>> check_callbacks([keras.callbacks.EarlyStopping])
    Traceback (most recent call last):
    keras_tuner.src.errors.FatalTypeError: `callbacks` must hold `keras.callbacks.Callback` ...
    """
    if given is None:
        return
    if isinstance(given, type) or not callable(given):
        for callback in _checked(given):
            _copied(callback)
        return
    try:
        inspect.signature(given).bind(None, None)
    except TypeError:
        raise _wrong(given) from None
    except ValueError:  # it tells nothing of its arguments
        return


def _checked(callbacks: Any) -> Callbacks:
    if isinstance(callbacks, keras.callbacks.Callback):
        callbacks = [callbacks]
    if isinstance(callbacks, (str, Mapping, type)) or not isinstance(callbacks, Iterable):
        raise _wrong(callbacks)
    found = list(callbacks)
    for callback in found:
        if not isinstance(callback, keras.callbacks.Callback):
            raise _wrong(callback)
    return found


def _wrong(given: Any) -> keras_tuner.errors.FatalTypeError:
    return keras_tuner.errors.FatalTypeError(
        "`callbacks` must hold `keras.callbacks.Callback` objects, or be one function "
        f"`(hp, trial) -> callbacks`; got {given!r}."
    )


def _copied(callback: keras.callbacks.Callback) -> keras.callbacks.Callback:
    try:
        return copy.deepcopy(callback)
    except Exception as error:
        raise keras_tuner.errors.FatalTypeError(
            f"`callbacks` holds a {type(callback).__name__} that cannot be copied for each trial "
            f"({error}).  Pass a function instead: `callbacks=lambda hp, trial: [...]`."
        ) from error
