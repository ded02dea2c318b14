"""Refuses arguments with which `keras.Model.fit` trains nothing, before a trial has begun.

Only what the arguments alone tell is checked, and only where `model.fit` itself gets them.
"""

from __future__ import annotations

import inspect
import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras import compat
from kt_extras.arguments import is_finite, is_integer, is_number
from kt_extras.tuners.fit_arguments import unexpected

_NAMES = list(inspect.signature(keras.Model.fit).parameters)[1:]
_BY_NAME = ("verbose", "callbacks")  # which the tuner sets itself
_COUNTS = {  # the smallest value, and whether None is allowed
    "epochs": (1, False),
    "initial_epoch": (0, False),
    "batch_size": (1, True),
    "steps_per_epoch": (1, True),
    "validation_steps": (1, True),
    "validation_batch_size": (1, True),
}
_STEPS = ("steps_per_epoch", "validation_steps")
_DATA = "an array, a structure of arrays, a `tf.data.Dataset` or another data set"


def check_fit(args: Sequence[Any], kwargs: Mapping[str, Any], constructor: Any) -> None:
    """Raise if `keras.Model.fit` could not train any model with these arguments.

    Args:
        args: Arguments by position.
        kwargs: Arguments by name.
        constructor: The class of the tuner, to which an unknown one may belong.

    Raises:
        TypeError: There is no such argument, or it has the wrong type.
        ValueError: It is out of its range, or does not fit to the others.

    >>> check_fit([np.ones((8, 2)), np.ones(8)], {"epochs": 3}, object)
    >>> check_fit([np.ones((8, 2)), np.ones(9)], {}, object)
    Traceback (most recent call last):
    ValueError: `y` must have as many rows as `x`, 8, got 9.
    """
    given = _by_name(args, kwargs, constructor)
    for name, (minimum, optional) in _COUNTS.items():
        if name in given and not (optional and given[name] is None):
            _check_count(name, given[name], minimum)
    _check_epochs(given)
    _check_validation(given)
    _check_weights(given)
    _check_data(given)
    _check_rows({name: given.get(name) for name in ("x", "y", "sample_weight")})


def verbosity(given: Any) -> int:
    """Return `verbose` as a number: 0 is silent, 1 one line for the search, more Keras' own lines.

    Raises:
        ValueError: It is no such number.

    >>> verbosity("auto"), verbosity(True), verbosity(0)
    (1, 1, 0)
    """
    if given is None or (isinstance(given, str) and given == "auto"):
        return 1
    if isinstance(given, (bool, np.bool_)) or (is_number(given) and given % 1 == 0 and given >= 0):
        return int(given)
    raise ValueError(f"`verbose` must be 0, 1, 2 or 'auto', got {given!r}.")


def plain_numbers(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with Python's own numbers in place of NumPy's; Keras takes not all of them.

    >>> plain_numbers({"validation_freq": np.int64(2)})
    {'validation_freq': 2}
    """
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in kwargs.items()}


def _by_name(args: Sequence[Any], kwargs: Mapping[str, Any], constructor: Any) -> dict[str, Any]:
    if len(args) > len(_NAMES):
        raise TypeError(
            f"`search` must get at most {len(_NAMES)} arguments by position, got {len(args)}."
        )
    given = dict(zip(_NAMES, args, strict=False))
    for name in _BY_NAME:
        if name in given:
            raise TypeError(
                f"`{name}` must be passed by name, got {_shown(given[name])} by position."
            )
    for name, value in kwargs.items():
        if name in given:
            raise TypeError(f"`{name}` must be passed once, got {_shown(value)} by name as well.")
        if name not in _NAMES:
            raise unexpected("model.fit()", name, constructor)
    return {**given, **kwargs}


def _check_count(name: str, value: Any, minimum: int) -> None:
    part = name in _STEPS and not compat.KERAS_3 and is_finite(value)  # Keras 2 takes fractions
    if not ((is_integer(value) or part) and value >= minimum):
        raise ValueError(f"`{name}` must be an integer from {minimum}, got {_shown(value)}.")


def _check_epochs(given: Mapping[str, Any]) -> None:
    begin, epochs = given.get("initial_epoch", 0), given.get("epochs", 1)
    if begin >= epochs:
        raise ValueError(
            f"`initial_epoch` must be below `epochs`, {epochs!r}, got {begin!r}: nothing would be "
            "trained."
        )
    shuffle = given.get("shuffle")
    if isinstance(shuffle, str) and shuffle != "batch":
        raise ValueError(f"`shuffle` must be True, False or 'batch', got {shuffle!r}.")


def _check_validation(given: Mapping[str, Any]) -> None:
    split, frequency = given.get("validation_split"), given.get("validation_freq", 1)
    if split is not None and not (is_number(split) and 0 <= split < 1):
        raise ValueError(
            f"`validation_split` must be a fraction from 0 to below 1, got {_shown(split)}."
        )
    several = frequency if isinstance(frequency, list) else [frequency]
    if not all(is_integer(epoch) and epoch >= 1 for epoch in several):
        raise ValueError(
            "`validation_freq` must be an integer from 1, or a list of these, got "
            f"{_shown(frequency)}."
        )


def _check_weights(given: Mapping[str, Any]) -> None:
    weights = given.get("class_weight")
    if weights is None:
        return
    if not isinstance(weights, Mapping):
        raise TypeError(
            "`class_weight` must be a dictionary from class numbers to weights, got "
            f"{_shown(weights)}; `kt_extras.imbalance.class_weight_dict` makes one."
        )
    for number, weight in weights.items():
        whole = is_number(number) and number % 1 == 0
        if not whole or isinstance(weight, str) or (is_number(weight) and not 0 <= weight < np.inf):
            raise ValueError(
                "`class_weight` must be a dictionary from class numbers to finite weights of at "
                f"least 0, got {_shown(weights)}."
            )


def _check_data(given: Mapping[str, Any]) -> None:
    x, validation = given.get("x"), given.get("validation_data")
    if x is None and (given.get("y") is None or not compat.KERAS_3):  # of a model without inputs
        raise ValueError(f"`x` must be {_DATA}, got None.")
    for name in ("x", "y", "sample_weight"):
        if given.get(name) is not None:
            _check_kind(name, given[name])
    if _is_data_set(x):
        for name in ("y", "sample_weight", "validation_split"):
            if given.get(name) is not None and (name != "validation_split" or given[name]):
                raise ValueError(
                    f"`{name}` must be left out where `x` is a data set that holds it, got "
                    f"{_shown(given[name])}."
                )
    _check_end("x", x, "steps_per_epoch", given)
    _check_split(given)
    if validation is None:
        return
    _check_end("validation_data", validation, "validation_steps", given)
    if not isinstance(validation, (tuple, list)):
        _check_kind("validation_data", validation)
    elif not 1 <= len(validation) <= 3:
        raise ValueError(
            "`validation_data` must be (x, y) or (x, y, sample_weight), got "
            f"{len(validation)} elements."
        )
    else:
        names = ("x", "y", "sample_weight")
        _check_rows(dict(zip(names, validation, strict=False)), " of `validation_data`")


def _check_kind(name: str, value: Any) -> None:
    """Raise if a value is neither data nor a structure of them."""
    if isinstance(value, (str, bytes)) or is_number(value):
        raise TypeError(f"`{name}` must be {_DATA}, got {_shown(value)}.")
    items = list(_leaves(value)) if compat.KERAS_3 else value
    if isinstance(items, (list, tuple)) and any(is_number(item) for item in items):
        raise TypeError(
            f"`{name}` must be {_DATA}, got {_shown(value)}; pass `np.asarray(...)` of it."
        )


def _check_end(name: str, value: Any, steps: str, given: Mapping[str, Any]) -> None:
    """Raise if a data set has no batch, or no end."""
    if not isinstance(value, tf.data.Dataset):
        return
    batches = int(value.cardinality())
    if batches == 0:
        raise ValueError(f"`{name}` must have at least one batch, got a data set of 0 batches.")
    if batches == tf.data.INFINITE_CARDINALITY and given.get(steps) is None:
        raise ValueError(
            f"`{steps}` must be given where `{name}` repeats for ever, got None; or leave out "
            "`repeat()`."
        )


def _check_split(given: Mapping[str, Any]) -> None:
    """Raise if `validation_split` leaves no row to train on, or none to validate on."""
    split, rows = given.get("validation_split"), next(_row_counts(given.get("x")), None)
    if split and rows and not 0 < math.floor(rows * (1 - split)) < rows:
        raise ValueError(
            f"`validation_split` must leave rows on both sides, got {split!r} of {rows} rows."
        )


def _check_rows(given: Mapping[str, Any], of: str = "") -> None:
    """Raise unless all arrays have the same number of rows, at least one."""
    counts = {name: list(_row_counts(value)) for name, value in given.items()}
    other, first = next(((n, count) for n, rows in counts.items() for count in rows), ("x", 0))
    for name, rows in counts.items():
        for count in rows:
            if count == 0:
                raise ValueError(f"`{name}`{of} must have at least one row, got 0 rows.")
            if count != first:
                raise ValueError(
                    f"`{name}`{of} must have as many rows as `{other}`, {first}, got {count}."
                )


def _row_counts(value: Any) -> Iterator[int]:
    """Yield the number of rows of each array, as far as it is known."""
    for leaf in _leaves(value):
        shape = _shape(leaf)
        if shape is not None and (not shape or is_integer(shape[0])):
            yield int(shape[0]) if shape else 0


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _is_data_set(x: Any) -> bool:
    return isinstance(x, (tf.data.Dataset, compat.PyDataset)) or inspect.isgenerator(x)


def _shown(value: Any) -> str:
    """Return a value as a message shows it: arrays by their shapes."""
    shape = _shape(value)
    return reprlib.repr(value) if shape is None else f"an array of shape {shape}"


def _shape(value: Any) -> tuple[Any, ...] | None:
    """Return the shape of an array, None for anything else."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tf.TensorShape):
        return None if shape.rank is None else tuple(shape.as_list())
    return tuple(shape) if isinstance(shape, tuple) else None
