"""A model that goes on training with other numbers in its optimizer, without being built again.

Building a model and tracing its first batch takes about a hundred times longer than restoring its
state.  In population based training (Jaderberg et al. 2017, sec. 3) a member takes over another's
weights, with hyperparameters that often differ in the optimizer alone: then its model can go on.
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
    holder,
    is_number,
    optimizer_numbers,
    put,
    same_number,
)

# Numbers that may become zero, or more than that, without a change of the optimizer's variables.
_RATE = "learning_rate"
_MAY_VANISH = (_RATE, "weight_decay")

# What was found out about the optimizers of a class with the same settings.
_found: dict[Any, list[str]] = {}


def differing_numbers(live: keras.Model, rebuilt: keras.Model) -> dict[str, Number] | None:
    """Return the numbers in which the optimizers of two models differ, if nothing else does.

    Args:
        live: A compiled model.
        rebuilt: Another, built with other hyperparameters.

    Returns:
        The numbers of `rebuilt` by name, for `take_numbers`; None if something else differs, or
        may differ: a subclassed model without a configuration tells nothing.

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
    if not all(_exchangeable(live, path, *values) for path, values in differing.items()):
        return None
    return {path: after for path, (_, after) in differing.items()}


def take_numbers(model: keras.Model, numbers: Mapping[str, Number]) -> None:
    """Put other numbers into force in a live optimizer.

    A learning rate, and whatever `hold_numbers` holds, is in force at once; for other numbers the
    next batch is traced anew.  Numbers that the optimizer has already cost nothing.

    Args:
        model: Compiled.
        numbers: By name, as from `differing_numbers` or `optimizer_numbers`.

    Raises:
        ValueError: The optimizer has no such number.

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5, momentum=0.75), "mse")
    >>> take_numbers(model, {"learning_rate": 0.25, "momentum": 0.5})
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
            owner, name = holder(model.optimizer, path) or (model.optimizer, path)
            changed.setdefault(id(owner), (owner, {}))[1][name] = value
    if {name for owner, values in changed.values() for name in _take(owner, values)}:
        compat.retrace(model)


def hold_numbers(model: keras.Model) -> list[str]:
    """Let the optimizer read its numbers from variables, so that they can change untraced.

    Each number is tried on a copy of the optimizer first, and left alone if the copy can't be
    traced with it or takes other steps then: many optimizers look at a number in Python to decide
    what to do at all.  Configurations and files of the model remain as they are.

    Args:
        model: Compiled, and not trained yet; otherwise the next batch is traced anew.

    Returns:
        The names of the numbers that are held.

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5, weight_decay=0.1), "mse")
    >>> "weight_decay" in hold_numbers(model)
    True
    """
    found = (holder(model.optimizer, path) for path in optimizer_numbers(model))
    names: dict[int, tuple[Any, list[str]]] = {}
    for optimizer, name in filter(None, found):
        if "/" not in name and isinstance(getattr(optimizer, name), float):
            names.setdefault(id(optimizer), (optimizer, []))[1].append(name)
    held = []
    for optimizer, candidates in names.values():
        if _method(optimizer) in vars(optimizer) or compat.legacy_numbers(optimizer) is not None:
            continue  # they are held already, in one way or the other
        able = _holdable(optimizer, candidates)
        if able:
            setattr(optimizer, _method(optimizer), _Steps(optimizer, able))
            held += able
    if held:
        compat.retrace(model)
    return held


class _Steps:
    """An optimizer's `apply` that sees tensors in the places of some numbers."""

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
    """Put numbers into force; return those for which that takes a new trace."""
    steps = vars(optimizer).get(_method(optimizer))
    held = steps.held if isinstance(steps, _Steps) else {}
    unseen = put(optimizer, numbers)
    for name in held.keys() & numbers.keys():
        held[name].assign(numbers[name])
    return unseen - held.keys()


def _holdable(optimizer: Any, names: list[str]) -> list[str]:
    """Return those of some numbers that can be held in variables."""
    settings = {k: v for k, v in optimizer.get_config().items() if k not in names and k != _RATE}
    key = type(optimizer), tuple(names), repr(settings)
    if key not in _found:
        all_of_them = _steps_agree(optimizer, names)
        _found[key] = [n for n in names if all_of_them or _steps_agree(optimizer, [n])]
    return _found[key]


def _steps_agree(optimizer: Any, names: list[str]) -> bool:
    """Compare the steps of two copies of an optimizer, one of which has its numbers held."""
    try:
        plain, held = (type(optimizer).from_config(optimizer.get_config()) for _ in range(2))
        steps = _Steps(held, names)
        setattr(held, _method(held), steps)
        way, way_of_held = _way(plain), _way(held, traced=True)
        for share in (1.0, 0.9):
            for name in names:
                setattr(plain, name, share * _number(plain, name))
                steps.held[name].assign(_number(plain, name))
            if not np.allclose(next(way), next(way_of_held), rtol=1e-6, atol=1e-9):
                return False
    # Whatever an optimizer makes of a tensor that it did not expect.
    except Exception:
        return False
    return True


def _way(optimizer: Any, *, traced: bool = False) -> Iterator[np.ndarray]:
    """Yield where a variable is after every two steps of an optimizer."""
    variable = getattr(keras, "Variable", tf.Variable)(np.array([0.5, -2.0], "float32"))
    gradient = tf.constant([0.3, 4.0])
    optimizer.build([variable])

    def step() -> None:
        optimizer.apply_gradients([(gradient, variable)])

    run = tf.function(step) if traced else step
    while True:
        run()
        run()
        yield np.array(variable.numpy())


def _method(optimizer: Any) -> str:
    return "apply" if hasattr(optimizer, "apply") else "apply_gradients"


def _number(optimizer: Any, name: str) -> float:
    return float(getattr(optimizer, name))


def _exchangeable(model: keras.Model, path: str, one: Any, other: Any) -> bool:
    """Tell whether a number can take another's place in the same variables."""
    if not (is_number(one) and is_number(other)) or holder(model.optimizer, path) is None:
        return False
    return bool(one) == bool(other) or path.endswith(_MAY_VANISH)
