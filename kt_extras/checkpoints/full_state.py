"""Save and restore the full state of a training, so that it resumes as if it had never stopped.

The file holds all variables of the model with its random generators; the optimizer's slots,
iterations and learning rate; the counters of callbacks; Python's, NumPy's, TensorFlow's and Keras'
global random streams; and the number of epochs.  Ten epochs in one process, or four and six more in
a new process, give bit-identical weights if the batches come in the same order: with
`shuffle=False`, or with data whose order does not depend on how often they were iterated over.

A generator or data set that is prefetched in a thread of its own has drawn more random numbers at
the end of an epoch than were used; that cannot be restored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kt_extras import compat
from kt_extras.checkpoints.callback_state import callback_states, restore_callback_states
from kt_extras.checkpoints.random_state import random_state, set_random_state
from kt_extras.checkpoints.state_file import UnreadableStateError, read_state, write_state

_FORMAT = "kt_extras state of a training, 1"

Callbacks = Sequence[keras.callbacks.Callback]


def save_state(path: Path, model: keras.Model, callbacks: Callbacks, *, epoch: int) -> None:
    """Write the full state of a training to a file.

    Call it at the end of an epoch, as `SaveState` does, and before `on_train_end`, in which
    callbacks and the optimizer may replace the weights by better ones.

    Args:
        path: The file; it is replaced atomically.
        model: A compiled model that was trained for at least one batch.
        callbacks: The callbacks whose state is saved; their order is part of the state.
        epoch: The number of epochs that the model was trained.

    Raises:
        ValueError: The model has no variables yet.
        TypeError: A callback's `get_state` returns what cannot be saved.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "state.npz")
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> save_state(path, model, [], epoch=4)
    >>> restore_state(path, model, [])
    4
    """
    if not model.built:
        raise ValueError(
            "`model` must be built before its state is saved, and this one has no variables yet; "
            "train it for a batch or call it on data first."
        )
    compat.make_randomness_restorable(model)
    state = {
        "format": _FORMAT,
        "epoch": epoch,
        "inputs": compat.input_spec(model),
        "variables": _values(compat.state_variables(model)),
        "optimizer": _values(compat.optimizer_variables(model)),
        "callbacks": callback_states(callbacks),
        "random": random_state(),
    }
    write_state(path, state)


def restore_state(path: Path, model: keras.Model, callbacks: Callbacks) -> int:
    """Restore the state of a model, of its callbacks and of the global random streams.

    Args:
        path: The file that `save_state` has written.
        model: A compiled model, made by the same code as the one that was saved.  Its variables are
            created if it has not seen data yet.
        callbacks: The callbacks that were passed to `save_state`, after their `on_train_begin`,
            which resets the counters of many; `RestoreState` restores them then.

    Returns:
        The number of epochs that the model was trained: the `initial_epoch` of the next `fit`.

    Raises:
        FileNotFoundError: There is no such file.
        UnreadableStateError: The file is truncated, damaged or not a state.
        ValueError: The state is that of another model or optimizer.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "state.npz")
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> save_state(path, model, [], epoch=4)
    >>> model.set_weights([np.ones((2, 1)), np.ones(1)])
    >>> _ = restore_state(path, model, [])
    >>> model.get_weights()[1]
    array([0.], dtype=float32)
    """
    state = _read(path)
    compat.make_randomness_restorable(model)
    compat.build_from_spec(model, state["inputs"])
    variables, slots = compat.state_variables(model), compat.optimizer_variables(model)
    _check(variables, state["variables"], "model", path)
    _check(slots, state["optimizer"], "model.optimizer", path)
    _assign(variables, state["variables"])
    _assign(slots, state["optimizer"])
    restore_callback_states(callbacks, state["callbacks"])
    set_random_state(state["random"])  # last, for building draws random numbers
    return int(state["epoch"])


def epochs_trained(path: Path) -> int:
    """Return the number of epochs of a saved training.

    Args:
        path: The file that `save_state` has written.

    Raises:
        FileNotFoundError: There is no such file.
        UnreadableStateError: The file is truncated, damaged or not a state.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "state.npz")
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> save_state(path, model, [], epoch=4)
    >>> epochs_trained(path)
    4
    """
    return int(_read(path, skip_arrays=True)["epoch"])


class SaveState(keras.callbacks.Callback):
    """Saves the full state of a training at the end of epochs.

    It must come after the callbacks whose state it saves.

    Args:
        path: The file; it is replaced atomically.
        callbacks: The callbacks whose state is saved.
        due: Called with the number of epochs trained; returns whether to save the state. Defaults
            to saving it after each epoch.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "state.npz")
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.ones((4, 2)), np.ones((4, 1))
    >>> _ = model.fit(x, y, epochs=3, verbose=0, callbacks=[SaveState(path, [])])
    >>> restore_state(path, model, [])
    3
    """

    def __init__(
        self, path: Path, callbacks: Callbacks, *, due: Callable[[int], bool] = lambda _: True
    ) -> None:
        super().__init__()
        self.path, self.callbacks, self.due = path, list(callbacks), due

    def on_train_begin(self, logs: Any = None) -> None:
        """Make the random states of the model restorable before it is traced."""
        compat.make_randomness_restorable(self.model)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save the state, if it is due."""
        if self.due(epoch + 1):
            save_state(self.path, self.model, self.callbacks, epoch=epoch + 1)


class RestoreState(keras.callbacks.Callback):
    """Restores the full state of a training before its first epoch.

    It must come after the callbacks whose state it restores, which are reset in `on_train_begin`.
    Pass `epochs_trained(path)` as the `initial_epoch` of `fit`.

    Args:
        path: The file that `save_state` has written.
        callbacks: The same callbacks as when the state was saved.

    Attributes:
        epoch: The number of epochs that the model was trained; None before the state is restored.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "state.npz")
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> save_state(path, model, [], epoch=4)
    >>> restore = RestoreState(path, [])
    >>> restore.set_model(model)
    >>> restore.on_train_begin()
    >>> restore.epoch
    4
    """

    def __init__(self, path: Path, callbacks: Callbacks) -> None:
        super().__init__()
        self.path, self.callbacks = path, list(callbacks)
        self.epoch: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Restore the state."""
        self.epoch = restore_state(self.path, self.model, self.callbacks)


def _read(path: Path, *, skip_arrays: bool = False) -> dict[str, Any]:
    state = read_state(path, skip_arrays=skip_arrays)
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise UnreadableStateError(
            f"`path` {path} is not a state of a training, or one of another version; train from "
            "the beginning."
        )
    return state


def _values(variables: list[Any]) -> list[np.ndarray]:
    return [np.asarray(variable.numpy()) for variable in variables]


def _check(variables: list[Any], values: list[np.ndarray], argument: str, path: Path) -> None:
    """Raise, before any value is assigned, if the values are of other variables."""
    shapes = [tuple(variable.shape) for variable in variables]
    saved = [value.shape for value in values]
    if shapes == saved:
        return
    numbered = enumerate(zip(variables, shapes, saved, strict=False))
    first = next(((n, v.name, mine, its) for n, (v, mine, its) in numbered if mine != its), None)
    difference = (
        f"it has {len(shapes)} variables and the state {len(saved)}"
        if first is None or len(shapes) != len(saved)
        else "its variable {} ({!r}) has the shape {} and in the state {}".format(*first)
    )
    raise ValueError(
        f"`{argument}` is not the one whose state is in {path}: {difference}.  Build it with the "
        "same hyperparameters and code."
    )


def _assign(variables: list[Any], values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
