"""Save and restore the state of callbacks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

# The counters of Keras' own callbacks, which `on_train_begin` or a new process resets.
_COUNTERS: dict[str, tuple[str, ...]] = {
    "EarlyStopping": ("wait", "stopped_epoch", "best", "best_weights", "best_epoch"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "ModelCheckpoint": ("best", "epochs_since_last_save", "_batches_seen_since_last_saving"),
    "SwapEMAWeights": ("_ema_weights_in_model",),
    "TensorBoard": ("_global_train_batch", "_global_test_batch", "_train_step"),
}


def callback_states(callbacks: Sequence[keras.callbacks.Callback]) -> list[dict[str, Any]]:
    """Return the state of callbacks.

    Args:
        callbacks: Callbacks of Keras with counters, such as `keras.callbacks.EarlyStopping`, and
            any callback with a method `get_state() -> dict`; others have no state.

    Returns:
        A dict for each callback with its `"class"` and its `"state"`, None if it has no state.

    Raises:
        TypeError: A `get_state` does not return a dict.

    >>> stop = keras.callbacks.EarlyStopping(patience=3)
    >>> stop.on_train_begin()
    >>> stop.wait = 2
    >>> callback_states([stop])[0]["state"]["wait"]
    2
    """
    return [{"class": _name(callback), "state": _state(callback)} for callback in callbacks]


def restore_callback_states(
    callbacks: Sequence[keras.callbacks.Callback], states: Sequence[Mapping[str, Any]]
) -> None:
    """Restore the state of each callback from that of the same class at the same position.

    A state without its callback is skipped with a warning, and so is a callback without its state.

    Args:
        callbacks: The callbacks, after their `on_train_begin`, which resets the counters of many.
        states: The result of `callback_states`.

    >>> before, after = (keras.callbacks.EarlyStopping(patience=3) for _ in range(2))
    >>> for stop in (before, after):
    ...     stop.on_train_begin()
    >>> before.wait = 2
    >>> restore_callback_states([after], callback_states([before]))
    >>> after.wait
    2
    """
    for position in range(max(len(callbacks), len(states))):
        callback = callbacks[position] if position < len(callbacks) else None
        saved = states[position] if position < len(states) else {"class": None, "state": None}
        if callback is not None and saved["class"] == _name(callback):
            if saved["state"] is not None:
                _set_state(callback, saved["state"])
        elif saved["state"] is not None or _counts(callback):
            now = "missing" if callback is None else f"a {_name(callback)}"
            was = "no callback" if saved["class"] is None else f"a {saved['class']}"
            warnings.warn(
                f"`callbacks[{position}]` is {now}, but in the saved state it was {was}; its "
                "state is not restored.  Pass the same callbacks in the same order.",
                stacklevel=2,
            )


def _name(callback: keras.callbacks.Callback) -> str:
    return type(callback).__name__


def _state(callback: keras.callbacks.Callback) -> dict[str, Any] | None:
    if _has_own_state(callback):
        state = callback.get_state()
        if not isinstance(state, dict):
            raise TypeError(
                f"`{_name(callback)}.get_state` must return a dict, which `set_state` takes back; "
                f"got a {type(state).__name__}."
            )
        return state
    names = [name for name in _counters(callback) if hasattr(callback, name)]
    values = {name: getattr(callback, name) for name in names}
    # On Keras 2 the step of TensorBoard is a variable of the model, which each `fit` sets to 0.
    return {n: int(v) if isinstance(v, tf.Variable) else v for n, v in values.items()} or None


def _set_state(callback: keras.callbacks.Callback, state: Mapping[str, Any]) -> None:
    if _has_own_state(callback):
        callback.set_state(dict(state))
        return
    for name in _counters(callback):
        if isinstance(getattr(callback, name, None), tf.Variable):
            getattr(callback, name).assign(state[name])
        elif name in state:
            setattr(callback, name, state[name])


def _counts(callback: keras.callbacks.Callback | None) -> bool:
    return callback is not None and (_has_own_state(callback) or bool(_counters(callback)))


def _has_own_state(callback: keras.callbacks.Callback) -> bool:
    return hasattr(callback, "get_state") and hasattr(callback, "set_state")


def _counters(callback: keras.callbacks.Callback) -> tuple[str, ...]:
    for kind in type(callback).__mro__:
        if kind.__name__ in _COUNTERS and kind.__module__.startswith(("keras", "tensorflow")):
            return _COUNTERS[kind.__name__]
    return ()
