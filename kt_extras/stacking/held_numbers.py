"""Numbers that may differ between stacked models, although Keras has them as Python numbers.

While a model is traced, each of them is a `HeldNumber` that stands for the number of the model that
is mapped.  Whether a number is zero, or None, decides what Keras does in Python, so that has to be
the same in all models of a stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from kt_extras.model_reuse import model_numbers
from kt_extras.model_reuse.held_number import HeldNumber
from kt_extras.model_reuse.optimizer_settings import optimizer_numbers, owner_of
from kt_extras.model_reuse.optimizer_update import differing_numbers

_OF_OPTIMIZER = "optimizer/"
_VARIABLES = {"learning_rate"}


def numbers(model: keras.Model) -> dict[str, float]:
    """Return the numbers of a compiled model that may differ within a stack, by their paths.

    A learning rate is not among them, for it is a variable.

    >>> layer = keras.layers.Dropout(0.25)
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1), layer])
    >>> model.compile(keras.optimizers.SGD(0.5, momentum=0.75), "mse")
    >>> numbers(model)
    {'optimizer/ema_momentum': 0.99, 'optimizer/momentum': 0.75, '2/rate': 0.25}
    """
    names = _of_optimizer(model.optimizer, optimizer_numbers(model))
    own = {f"{_OF_OPTIMIZER}{name}": vars(model.optimizer)[name] for name in names}
    return {**own, **model_numbers.numbers(model)}


def differ_in_numbers_alone(one: keras.Model, other: keras.Model) -> bool:
    """Tell whether two compiled models are the same except for numbers that may differ.

    >>> def build(rate, units=3):
    ...     layers = keras.layers.Dense(units), keras.layers.Dropout(rate)
    ...     model = keras.Sequential([keras.Input((2,)), *layers])
    ...     model.compile(keras.optimizers.SGD(rate), "mse")
    ...     return model
    >>> differ_in_numbers_alone(build(0.25), build(0.5))
    True
    >>> differ_in_numbers_alone(build(0.25), build(0.25, units=4))
    False
    """
    mine, its = (model_numbers.numbers(model) for model in (one, other))
    if not model_numbers.exchangeable(mine, its):
        return False
    with model_numbers.numbers_hidden(one), model_numbers.numbers_hidden(other):
        differing = differing_numbers(one, other)
    if differing is None or numbers(one).keys() != numbers(other).keys():
        return False
    held = set(_of_optimizer(one.optimizer, optimizer_numbers(one)))
    return differing.keys() <= held | _VARIABLES


@contextmanager
def held(model: keras.Model, found: Mapping[str, float], tensors: Sequence[Any]) -> Iterator[None]:
    """Let the numbers of a model be tensors while this is open.

    Args:
        model: The model.
        found: What `numbers` has returned.
        tensors: Scalars of the type `float64` in the same order.
    """
    by_path = dict(zip(found, tensors, strict=True))
    optimizer, before = vars(model.optimizer), dict(vars(model.optimizer))
    try:
        for path, number in found.items():
            if path.startswith(_OF_OPTIMIZER):
                name = path.removeprefix(_OF_OPTIMIZER)
                optimizer[name] = HeldNumber(by_path[path], number)
        with model_numbers.tensors_in_place(model, by_path):
            yield
    finally:
        optimizer.update(before)


def _of_optimizer(optimizer: Any, known: Any) -> list[str]:
    """Return the names of the numbers of an optimizer that its step reads from attributes."""
    attributes = vars(optimizer)
    return [
        path
        for path in sorted(known)
        if "/" not in path
        and owner_of(optimizer, path) is not None
        and isinstance(attributes.get(path), float)
        and (attributes[path] != 0 or path == "weight_decay")
    ]
