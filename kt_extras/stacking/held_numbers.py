"""Numbers that may differ between stacked models, although Keras has them as Python numbers.

While a model is traced, each of them is replaced by a `HeldNumber` that stands for the number of
the model that is mapped.  Whether a number is zero, or None, decides what Keras does in Python, so
that has to be the same in all models of a stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras

from kt_extras import compat
from kt_extras.model_reuse.held_number import HeldNumber
from kt_extras.model_reuse.model_comparison import alike
from kt_extras.model_reuse.optimizer_settings import (
    differing_settings,
    optimizer_numbers,
    owner_of,
)

_Layers, _Regularizers = keras.layers, keras.regularizers

# The numbers of Keras' layers and regularizers that are read whenever the object is called.
_OF_CLASSES: Mapping[type, tuple[str, ...]] = {
    _Layers.AlphaDropout: ("rate",),
    _Layers.Dropout: ("rate",),
    _Layers.GaussianNoise: ("stddev",),
    _Layers.SpatialDropout1D: ("rate",),
    _Layers.SpatialDropout2D: ("rate",),
    _Layers.SpatialDropout3D: ("rate",),
    _Regularizers.L1: ("l1",),
    _Regularizers.L2: ("l2",),
    _Regularizers.L1L2: ("l1", "l2"),
}


class Place(NamedTuple):
    """Where a number is: the attributes of an object, and its name among them."""

    attributes: dict[str, Any]
    name: str

    @property
    def number(self) -> Any:
        """The number."""
        return self.attributes[self.name]


def places(model: keras.Model) -> list[Place]:
    """Return where the numbers of a compiled model are that may differ within a stack.

    A learning rate is not among them, for it is a variable.

    >>> layer = keras.layers.Dropout(0.25)
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1), layer])
    >>> model.compile(keras.optimizers.SGD(0.5, momentum=0.75), "mse")
    >>> {place.name: place.number for place in places(model)}
    {'ema_momentum': 0.99, 'momentum': 0.75, 'rate': 0.25}
    """
    return [*_of_optimizer(model), *_of_layers(model)]


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
    if type(one.optimizer) is not type(other.optimizer):
        return False
    with _the_same_numbers(one), _the_same_numbers(other):
        return not differing_settings(one.optimizer, other.optimizer) and alike(one, other)


@contextmanager
def held(found: list[Place], tensors: list[Any]) -> Iterator[None]:
    """Let numbers be tensors while this is open."""
    numbers = [place.number for place in found]
    with _replaced(found, [HeldNumber(*pair) for pair in zip(tensors, numbers, strict=True)]):
        yield


@contextmanager
def _the_same_numbers(model: keras.Model) -> Iterator[None]:
    """Let the numbers that may differ be the same in all models."""
    found = places(model)
    rate = compat.stored_learning_rate(model.optimizer)
    kept = rate.numpy() if hasattr(rate, "assign") else None
    with _replaced(found, [0.5] * len(found)):
        try:
            if kept is not None:
                rate.assign(0.5)
            yield
        finally:
            if kept is not None:
                rate.assign(kept)


@contextmanager
def _replaced(found: list[Place], new: list[Any]) -> Iterator[None]:
    before = [place.number for place in found]
    try:
        for place, value in zip(found, new, strict=True):
            place.attributes[place.name] = value
        yield
    finally:
        for place, value in zip(found, before, strict=True):
            place.attributes[place.name] = value


def _of_optimizer(model: keras.Model) -> Iterator[Place]:
    for path in sorted(optimizer_numbers(model)):
        owner, name = owner_of(model.optimizer, path) or (None, path)
        value = vars(owner).get(name) if owner else None
        if isinstance(value, float) and (value != 0 or name == "weight_decay"):
            yield Place(vars(owner), name)


def _of_layers(model: keras.Model) -> Iterator[Place]:
    for part in _parts(model):
        for name in _OF_CLASSES.get(type(part), ()):
            if isinstance(vars(part)[name], float) and vars(part)[name] != 0:
                yield Place(vars(part), name)


def _parts(model: keras.Model) -> list[Any]:
    """Return the layers at all depths and the regularizers that they have."""
    layers = compat.all_layers(model, include_model=True)
    found = [
        value
        for layer in layers
        for _, value in sorted(vars(layer).items())
        if isinstance(value, _Regularizers.Regularizer)
    ]
    return list({id(part): part for part in [*layers, *found]}.values())
