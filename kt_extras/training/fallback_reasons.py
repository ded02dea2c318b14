"""Why a training is left to `keras.Model.fit` itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat
from kt_extras.training.dataset_data import reason_against
from kt_extras.training.fit_data import batches_in, is_array_data, rows_of

_BATCH_HOOKS = [
    f"on_{kind}batch_{end}" for kind in ("train_", "test_", "") for end in ("begin", "end")
]


def reason_to_fall_back(
    model: keras.Model, given: Mapping[str, Any], *, datasets: bool = False
) -> str | None:
    """Return why `fit` cannot train a model by whole epochs, as a short sentence.

    Args:
        model: The model.
        given: The arguments of `keras.Model.fit`, all of them.
        datasets: Whether `tf.data` sets can be taken, not arrays alone.  Defaults to False.

    Returns:
        None if it can.
    """
    validates = given["validation_data"] is not None
    return (
        _reason_of_model(model, validates=validates or bool(given["validation_split"]))
        or _reason_of_arguments(given)
        or _reason_of_data(given, datasets=datasets)
        or _reason_of_callbacks(given["callbacks"])
    )


def _reason_of_model(model: keras.Model, *, validates: bool) -> str | None:
    own = _own_method(model, validates=validates)
    if keras.backend.backend() != "tensorflow":
        return "Keras does not run on TensorFlow."
    if own is not None:
        return f"The model has `{own}` of its own."
    if (replaced := replaced_method(_methods(validates=validates))) is not None:
        return f"`keras.Model.{replaced}` was replaced."
    if not compat.is_compiled(model):
        return "The model is not compiled."
    if model.run_eagerly or tf.config.functions_run_eagerly() or not tf.executing_eagerly():
        return "The model runs eagerly."
    if (
        tf.distribute.has_strategy()
        or model.distribute_strategy is not tf.distribute.get_strategy()
    ):
        return "The model is distributed by `tf.distribute`."
    return None


def _own_method(model: keras.Model, *, validates: bool) -> str | None:
    """Return the name of a method that the user has replaced and that would not be called."""
    for name in _methods(validates=validates):
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return name
        if name != "fit" and name in vars(model):
            return name
    functions = ["train_function", "test_function"] if validates else ["train_function"]
    return next((name for name in functions if not _is_kerass(getattr(model, name))), None)


def _methods(*, validates: bool) -> list[str]:
    names = ["fit", "make_train_function"]
    return [*names, "evaluate", "make_test_function"] if validates else names


def replaced_method(names: Iterable[str]) -> str | None:
    """Return the first method of `keras.Model` that is not Keras' own, None if all are.

    Trackers replace `fit` to record each training.

    >>> replaced_method(["fit", "evaluate"]) is None
    True
    """
    return next((name for name in names if not is_from_keras(getattr(keras.Model, name))), None)


def is_from_keras(function: Any) -> bool:
    """Tell whether the code of a function is Keras'; its name and module may be copied."""
    module = getattr(function, "__globals__", {}).get("__name__", "")
    return str(module).startswith("keras.")


def _is_kerass(function: Any) -> bool:
    """Return whether Keras has made a `train_function` or `test_function`, or none is made yet."""
    traced = getattr(function, "python_function", function)
    return function is None or str(getattr(traced, "__module__", "")).startswith("keras.")


def _reason_of_arguments(given: Mapping[str, Any]) -> str | None:
    if given["shuffle"] not in (True, False, None):
        return f"`shuffle={given['shuffle']!r}` is passed."
    if compat.KERAS_3 and (keras.config.max_epochs() or keras.config.max_steps_per_epoch()):
        return "Keras is set to limit epochs or steps."
    return None


def _reason_of_data(given: Mapping[str, Any], *, datasets: bool) -> str | None:
    split = given["validation_split"] if given["validation_data"] is None else 0
    training = {"split": split or 0, "size": given["batch_size"], "steps": given["steps_per_epoch"]}
    size = given["validation_batch_size"] or given["batch_size"]
    validation = {"size": size, "steps": given["validation_steps"], "validates": True}
    arrays = given["x"], given["y"], given["sample_weight"]
    reason = _reason_of_arrays("x", arrays, datasets=datasets, **training)
    if reason is None and given["validation_data"] is not None:
        arrays = given["validation_data"]
        reason = _reason_of_arrays("validation_data", arrays, datasets=datasets, **validation)
    elif reason is None and split:
        rows = rows_of(given["x"]) - _training_rows(given["x"], split)
        reason = _reason_of_steps(rows, size, given["validation_steps"], validates=True)
    return reason


def _reason_of_arrays(
    name: str,
    arrays: Any,
    *,
    datasets: bool,
    size: int | None,
    steps: int | None,
    split: float = 0,
    validates: bool = False,
) -> str | None:
    nest = arrays if isinstance(arrays, (tuple, list)) else (arrays,)
    if datasets and isinstance(nest[0], tf.data.Dataset):
        if split or any(part is not None for part in nest[1:]):
            return f"`{name}` is a data set, and more is given."
        return reason_against(name, nest[0], steps)
    if not is_array_data(*nest):
        return f"`{name}` holds other data than arrays."
    if not rows_of(nest[0]):
        return f"`{name}` is empty."
    return _reason_of_steps(_training_rows(nest[0], split), size, steps, validates=validates)


def _training_rows(x: Any, split: float) -> int:
    return math.floor(rows_of(x) * (1 - split))


def _reason_of_steps(
    rows: int, size: int | None, steps: int | None, *, validates: bool
) -> str | None:
    if steps is None or not rows:
        return None
    batches = batches_in(rows, size, steps)
    if validates and not 1 <= steps <= batches:
        return "`validation_steps` is more than there are batches."
    if not validates and (steps < 1 or batches % steps):
        return "`steps_per_epoch` does not divide the number of batches."
    return None


def _reason_of_callbacks(callbacks: Any) -> str | None:
    if callbacks is None:
        return None
    found = getattr(callbacks, "callbacks", callbacks)  # of a `CallbackList`
    flat: Iterable[Any] = tf.nest.flatten(found)
    for callback in flat:
        for hook in _BATCH_HOOKS:
            if needs_hook(callback, hook):
                return f"`{type(callback).__name__}` is called for each batch."
    return None


def needs_hook(callback: Any, hook: str) -> bool:
    """Return whether a callback has a hook, for a batch or a validation, and would miss its call.

    >>> needs_hook(keras.callbacks.TerminateOnNaN(), "on_batch_end")
    True
    >>> needs_hook(keras.callbacks.EarlyStopping(), "on_batch_end")
    False
    """
    if hook in getattr(callback, "__dict__", {}):
        return True
    kinds = [kind for kind in type(callback).__mro__ if not vars(kind).get("kt_extras_is_tolerant")]
    owner = next((kind for kind in kinds if hook in vars(kind)), keras.callbacks.Callback)
    if owner is keras.callbacks.Callback or vars(owner).get("works_by_epochs", False):
        return False
    known = _WORKS_BY_EPOCHS.get(owner)
    return known is None or not known(callback)


def _board_works_by_epochs(board: Any) -> bool:
    by_batches = board.update_freq != "epoch" or board.write_steps_per_second
    draws_step = not compat.KERAS_3 and board.write_graph  # the graph of `train_function`
    return not (by_batches or draws_step or compat.profiles(board))


_WORKS_BY_EPOCHS: dict[Any, Any] = {
    keras.callbacks.ProgbarLogger: lambda _: True,
    keras.callbacks.ModelCheckpoint: lambda checkpoint: checkpoint.save_freq == "epoch",
    keras.callbacks.BackupAndRestore: lambda backup: compat.KERAS_3 and backup.save_freq == "epoch",
    keras.callbacks.TensorBoard: _board_works_by_epochs,
}
