"""Read and change the numbers of an optimizer: its learning rate, momentum, decay and others.

They are named as in its configuration; nested ones have a path, such as
`"learning_rate/config/decay_steps"` for a schedule or `"inner_optimizer/config/beta_1"` for an
optimizer that scales the loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras import compat
from kt_extras.schedules import Scaled

Number = float | int

_WRAPPED = ("inner_optimizer", "optimizer")  # keys of a configuration
_RATE = "learning_rate"


def optimizer_numbers(model: keras.Model) -> dict[str, Number]:
    """Return the current numbers of a model's optimizer.

    Args:
        model: A compiled model.

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5, momentum=0.75), "mse")
    >>> numbers = optimizer_numbers(model)
    >>> numbers["learning_rate"], numbers["momentum"]
    (0.5, 0.75)
    """
    return {
        path: value
        for path, value in leaves(model.optimizer.get_config())
        if is_number(value) and owner_of(model.optimizer, path) is not None
    }


def leaves(config: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of a nested configuration with its path.

    >>> list(leaves({"rate": 0.1, "inner": {"steps": [1, 2]}}))
    [('rate', 0.1), ('inner/steps/0', 1), ('inner/steps/1', 2)]
    """
    if isinstance(config, Mapping):
        pairs = [(str(key), value) for key, value in config.items()]
    elif isinstance(config, (list, tuple)):
        pairs = [(str(index), value) for index, value in enumerate(config)]
    else:
        yield path, config.item() if isinstance(config, np.generic) else config
        return
    for key, value in pairs:
        yield from leaves(value, f"{path}/{key}" if path else key)


def is_number(value: Any) -> bool:
    """Tell whether a value is a number and not a Boolean.

    >>> is_number(1), is_number(True), is_number(None)
    (True, False, False)
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same_number(one: Number, other: Number) -> bool:
    """Tell whether two numbers are the same in single precision, that of variables.

    >>> same_number(0.1, float(np.float32(0.1)))
    True
    """
    return bool(np.float32(one) == np.float32(other))


def differing_settings(one: Any, other: Any) -> dict[str, tuple[Any, Any]]:
    """Return the paths at which two optimizers' configurations differ, and both values.

    Names are not compared.  A value that one of them does not have is None.

    >>> sgd = keras.optimizers.SGD
    >>> differing_settings(sgd(0.5, momentum=0.75), sgd(0.5, momentum=0.25))
    {'momentum': (0.75, 0.25)}
    """
    before, after = (dict(leaves(optimizer.get_config())) for optimizer in (one, other))
    return {
        path: (before.get(path), after.get(path))
        for path in {**before, **after}
        if path.rpartition("/")[2] != "name" and not _same(before.get(path), after.get(path))
    }


def owner_of(optimizer: Any, path: str) -> tuple[Any, str] | None:
    """Return the optimizer that has a number, and the rest of its path; None if there is none.

    >>> sgd = keras.optimizers.SGD()
    >>> owner_of(sgd, "momentum") == (sgd, "momentum")
    True
    >>> owner_of(sgd, "beta_1") is None
    True
    """
    first, _, rest = path.partition("/")
    if first in _WRAPPED and rest.startswith("config/"):
        inner = compat.wrapped_optimizer(optimizer, first)
        return None if inner is None else owner_of(inner, rest.removeprefix("config/"))
    if first == _RATE and rest:
        return (optimizer, path) if rest.startswith("config/") else None
    fixed = getattr(getattr(type(optimizer), first, None), "fset", True) is None
    return (optimizer, path) if not rest and not fixed and hasattr(optimizer, first) else None


def put(optimizer: Any, numbers: Mapping[str, Number]) -> set[str]:
    """Set numbers of an optimizer.

    Args:
        optimizer: The optimizer that `owner_of` returned.
        numbers: The new values by the path that `owner_of` returned.

    Returns:
        The paths of numbers that are not in variables, so that a traced function has the old value.

    >>> sgd = keras.optimizers.SGD(0.5, momentum=0.75)
    >>> put(sgd, {"learning_rate": 0.25, "momentum": 0.5})
    {'momentum'}
    """
    prefix, unseen = f"{_RATE}/config/", set[str]()
    of_schedule = {p: value for p, value in numbers.items() if p.startswith(prefix)}
    if of_schedule and not _put_into_schedule(
        optimizer, {path.removeprefix(prefix): value for path, value in of_schedule.items()}
    ):
        unseen.update(of_schedule)
    for path in numbers.keys() - of_schedule.keys():
        setattr(optimizer, path, numbers[path])
        # Optimizers from before Keras 2.11 may have variables for such numbers.
        legacy = compat.legacy_numbers(optimizer) or {}
        if path != _RATE and not isinstance(legacy.get(path), tf.Variable):
            unseen.add(path)
    return unseen


def _same(one: Any, other: Any) -> bool:
    if is_number(one) and is_number(other):
        return same_number(one, other)
    return bool(one == other)


def _put_into_schedule(optimizer: Any, numbers: Mapping[str, Number]) -> bool:
    """Set numbers of an optimizer's schedule; return whether they are in variables.

    All are set at once, since a schedule may check them together.  Other optimizers may have the
    same schedule, so this one gets a new one, unless it is a `Scaled`, which can be changed.
    """
    schedule = compat.stored_learning_rate(optimizer)
    if isinstance(schedule, Scaled) and numbers.keys() == {"scale"}:
        schedule.scale = numbers["scale"]
        return True
    changed = keras.optimizers.schedules.serialize(schedule)
    for path, value in numbers.items():
        *keys, last = path.split("/")
        config = changed["config"]
        for key in keys:
            config = config[int(key) if isinstance(config, list) else key]
        config[int(last) if isinstance(config, list) else last] = value
    optimizer.learning_rate = keras.optimizers.schedules.deserialize(changed)
    return False
