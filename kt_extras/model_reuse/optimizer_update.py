"""Change the numbers of a live model's optimizer, without building the model again.

Building a model and tracing its first batch takes about a hundred times longer than restoring its
state.  In population based training (Jaderberg et al. 2017, sec. 3) a member copies the weights of
another, with hyperparameters that often differ in the optimizer alone: then the model is reused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras import compat
from kt_extras.model_reuse.model_comparison import alike
from kt_extras.model_reuse.optimizer_settings import (
    Number,
    differing_settings,
    is_number,
    optimizer_numbers,
    owner_of,
    put,
    same_number,
)

# Numbers that may change between zero and a positive value with the same optimizer variables.
_RATE = "learning_rate"
_MAY_BE_ZERO = (_RATE, "weight_decay")

# The numbers that can be variables, by the optimizer's class and its other settings.
_found: dict[Any, list[str]] = {}


def differing_numbers(live: keras.Model, rebuilt: keras.Model) -> dict[str, Number] | None:
    """Return the numbers in which the optimizers of two models differ, if nothing else does.

    Args:
        live: A compiled model.
        rebuilt: A model that was built with other hyperparameters.

    Returns:
        The numbers of `rebuilt` by name, for `set_numbers`; None if something else differs or may
        differ, as it may in a subclassed model without a configuration.

    >>> def build(rate):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(rate), "mse")
    ...     return model
    >>> differing_numbers(build(0.5), build(0.25))
    {'learning_rate': 0.25}
    """
    if not alike(live, rebuilt) or type(live.optimizer) is not type(rebuilt.optimizer):
        return None
    differing = differing_settings(live.optimizer, rebuilt.optimizer)
    if not _same_attributes(live.optimizer, rebuilt.optimizer):
        return None
    if not all(_exchangeable(live, path, *values) for path, values in differing.items()):
        return None
    return {path: after for path, (_, after) in differing.items()}


def same_slots(one: keras.Model, other: keras.Model) -> bool:
    """Tell whether the optimizers of two models have the same variables, with the same meaning.

    Args:
        one: A model, compiled or not.
        other: A model with variables of the same shapes.

    Returns:
        Whether both optimizers are of one class, and so are those that they are made of, and their
        variables have the same shapes.

    >>> def model(optimizer):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(optimizer, "mse")
    ...     return model
    >>> adam, sgd = keras.optimizers.Adam, keras.optimizers.SGD
    >>> same_slots(model(adam(0.1)), model(adam(0.2))), same_slots(model(adam()), model(sgd()))
    (True, False)
    """
    mine, its = (getattr(model, "optimizer", None) for model in (one, other))
    if mine is None or its is None:
        return mine is its
    if _classes(mine) != _classes(its):
        return False
    differing = differing_settings(mine, its)
    if all(_exchangeable(one, path, *values) for path, values in differing.items()):
        return True
    return _slots(one) == _slots(other)


def set_numbers(model: keras.Model, numbers: Mapping[str, Number]) -> None:
    """Set numbers of a live optimizer.

    A learning rate and the numbers that `use_variables` returned are changed in their variables.
    For others the next batch is traced again.  Numbers that are the same are not set.

    Args:
        model: A compiled model.
        numbers: The numbers by name, as from `differing_numbers` or `optimizer_numbers`.

    Raises:
        ValueError: The optimizer has no such number.

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5, momentum=0.75), "mse")
    >>> set_numbers(model, {"learning_rate": 0.25, "momentum": 0.5})
    >>> optimizer_numbers(model)["learning_rate"], model.optimizer.momentum
    (0.25, 0.5)
    """
    now = optimizer_numbers(model)
    unknown = [name for name in numbers if name not in now]
    if unknown:
        raise ValueError(
            f"`numbers` must be of those that the optimizer has, {sorted(now)}; got {unknown}.  "
            "Build the model again."
        )
    changed: dict[int, tuple[Any, dict[str, Number]]] = {}
    for path, value in numbers.items():
        if not same_number(now[path], value):
            owner, name = owner_of(model.optimizer, path) or (model.optimizer, path)
            changed.setdefault(id(owner), (owner, {}))[1][name] = value
    if {name for owner, values in changed.values() for name in _take(owner, values)}:
        compat.retrace(model)


def use_variables(model: keras.Model) -> list[str]:
    """Let the optimizer read its numbers from variables, so that a change needs no new trace.

    Each number is tried on a copy of the optimizer first.  It stays a constant if the copy cannot
    be traced with a variable, or then takes other steps: many optimizers branch on a number in
    Python.  Configurations and files of the model do not change.

    Args:
        model: A compiled model; if it was trained already, its next batch is traced again.

    Returns:
        The names of the numbers that are read from variables.

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5, weight_decay=0.1), "mse")
    >>> "weight_decay" in use_variables(model)
    True
    """
    found = (owner_of(model.optimizer, path) for path in optimizer_numbers(model))
    names: dict[int, tuple[Any, list[str]]] = {}
    for optimizer, name in filter(None, found):
        if "/" not in name and isinstance(getattr(optimizer, name), float):
            names.setdefault(id(optimizer), (optimizer, []))[1].append(name)
    held = []
    for optimizer, candidates in names.values():
        if _method(optimizer) in vars(optimizer) or compat.legacy_numbers(optimizer) is not None:
            continue  # they are variables already
        able = _holdable(optimizer, candidates)
        if able:
            setattr(optimizer, _method(optimizer), _Steps(optimizer, able))
            held += able
    if held:
        compat.retrace(model)
    return held


def use_constants(model: keras.Model) -> None:
    """Let the optimizer read its numbers from its attributes again, when it is traced next."""
    for owner in _owners(model):
        if isinstance(vars(owner).get(_method(owner)), _Steps):
            vars(owner).pop(_method(owner))


def held_variables(model: keras.Model) -> list[tf.Variable]:
    """Return the variables that `use_variables` has made."""
    steps = [vars(owner).get(_method(owner)) for owner in _owners(model)]
    return [v for one in steps if isinstance(one, _Steps) for v in one.held.values()]


def _owners(model: keras.Model) -> list[Any]:
    """Return the parts of an optimizer that have numbers."""
    if model.optimizer is None:
        return []
    found = (owner_of(model.optimizer, path) for path in optimizer_numbers(model))
    return list({id(owner): owner for owner, _ in filter(None, found)}.values())


class _Steps:
    """An optimizer's `apply` with tensors in the places of some numbers."""

    def __init__(self, optimizer: Any, names: list[str]) -> None:
        self._optimizer, self._apply = optimizer, getattr(optimizer, _method(optimizer))
        # In double precision, as Python has them: 1 - beta is a small difference.
        self.held = {name: tf.Variable(_number(optimizer, name), dtype="float64") for name in names}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with _in_place(self._optimizer, {name: v.value() for name, v in self.held.items()}):
            return self._apply(*args, **kwargs)


@contextmanager
def _in_place(optimizer: Any, values: Mapping[str, Any]) -> Iterator[None]:
    before = {name: getattr(optimizer, name) for name in values}
    try:
        for name, value in values.items():
            setattr(optimizer, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(optimizer, name, value)


def _take(optimizer: Any, numbers: Mapping[str, Number]) -> set[str]:
    """Set numbers; return those that need a new trace."""
    steps = vars(optimizer).get(_method(optimizer))
    held = steps.held if isinstance(steps, _Steps) else {}
    unseen = put(optimizer, numbers)
    for name in held.keys() & numbers.keys():
        held[name].assign(numbers[name])
    return unseen - held.keys()


def _holdable(optimizer: Any, names: list[str]) -> list[str]:
    """Return those of some numbers that can be read from variables."""
    settings = {k: v for k, v in optimizer.get_config().items() if k not in names and k != _RATE}
    key = type(optimizer), tuple(names), repr(settings)
    if key not in _found:
        all_of_them = _steps_agree(optimizer, names)
        _found[key] = [n for n in names if all_of_them or _steps_agree(optimizer, [n])]
    return _found[key]


def _steps_agree(optimizer: Any, names: list[str]) -> bool:
    """Compare the steps of an optimizer with numbers as constants and as variables."""
    try:
        plain, held = (type(optimizer).from_config(optimizer.get_config()) for _ in range(2))
        steps = _Steps(held, names)
        setattr(held, _method(held), steps)
        path, held_path = _path(plain), _path(held, traced=True)
        for fraction in (1.0, 0.9):
            for name in names:
                setattr(plain, name, fraction * _number(plain, name))
                steps.held[name].assign(_number(plain, name))
            if not np.allclose(next(path), next(held_path), rtol=1e-6, atol=1e-9):
                return False
    # An optimizer may raise anything for a tensor that it does not expect.
    except Exception:
        return False
    return True


def _path(optimizer: Any, *, traced: bool = False) -> Iterator[np.ndarray]:
    """Yield the value of a variable after every second step of an optimizer."""
    variable = _variable()
    gradient = tf.constant([0.3, 4.0])
    optimizer.build([variable])

    def step() -> None:
        optimizer.apply_gradients([(gradient, variable)])

    run = tf.function(step) if traced else step
    while True:
        run()
        run()
        yield np.array(variable.numpy())


def _classes(optimizer: Any) -> list[type]:
    return [type(optimizer), *map(type, compat.optimizer_parts(optimizer))]


def _slots(model: keras.Model) -> list[list[tuple[int, ...]]]:
    """Return the shapes of an optimizer's variables.

    Without those of the model, its parts are tried on a variable of their own.
    """
    if model.built:
        return [_shapes(compat.optimizer_variables(model))]
    copy = type(model.optimizer).from_config(model.optimizer.get_config())
    parts = compat.optimizer_parts(copy)
    return [_shapes(compat.built_optimizer_variables(part, [_variable()])) for part in parts]


def _shapes(variables: list[Any]) -> list[tuple[int, ...]]:
    return [tuple(variable.shape) for variable in variables]


def _variable() -> Any:
    return getattr(keras, "Variable", tf.Variable)(np.array([0.5, -2.0], "float32"))


def _method(optimizer: Any) -> str:
    return "apply" if hasattr(optimizer, "apply") else "apply_gradients"


def _same_attributes(one: Any, other: Any) -> bool:
    """Compare what the configuration of an optimizer of a custom class may lack."""
    if type(one).__module__.startswith(("keras.", "tensorflow_addons.")):
        return True
    plain = (bool, int, float, str, type(None), np.ndarray)
    mine, its = (
        {name: value for name, value in vars(optimizer).items() if isinstance(value, plain)}
        for optimizer in (one, other)
    )
    names = (mine.keys() & its.keys()) - one.get_config().keys()
    hidden = [name for name in names if name.strip("_") != "built"]
    return all(np.array_equal(np.array(mine[name]), np.array(its[name])) for name in hidden)


def _number(optimizer: Any, name: str) -> float:
    return float(getattr(optimizer, name))


def _exchangeable(model: keras.Model, path: str, one: Any, other: Any) -> bool:
    """Tell whether a number can be replaced by another with the same optimizer variables."""
    if not (is_number(one) and is_number(other)) or owner_of(model.optimizer, path) is None:
        return False
    return bool(one) == bool(other) or path.endswith(_MAY_BE_ZERO)
