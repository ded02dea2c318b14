"""The numbers of a model that may be exchanged: those of its layers, losses and schedules.

Keras has them as Python numbers, which a traced function holds as constants.  In a `HeldNumbers`
they are variables, so that the next change needs no new trace.  A row of the table is a number that
Keras reads whenever the object is called, and that decides nothing in Python between its bounds;
`tests/model_reuse/test_model_numbers.py` sets every one of them beside a new model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kt_extras import compat
from kt_extras.model_reuse.held_number import HeldNumber, HeldRate

_FRACTION = {"dropout": 1.0, "recurrent_dropout": 1.0}
_RATE = {"rate": 1.0}
_SLOPE = {"negative_slope": math.inf, "alpha": math.inf}
_FACTORS = dict.fromkeys(("height_lower", "height_upper", "height_factor"), math.inf)
_BOTH = {**_FACTORS, **dict.fromkeys(("width_lower", "width_upper", "width_factor"), math.inf)}
_PENALTIES = {"l1": math.inf, "l2": math.inf}
_EPSILON = {"epsilon": math.inf}
_SMOOTHING = {"label_smoothing": math.inf}
_INITIAL = {"initial_learning_rate": math.inf, "decay_steps": math.inf}

# The names of the numbers by the name of their class in a module of Keras, with their upper bounds.
_TABLE: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "layers": {
        "ActivityRegularization": _PENALTIES,
        "AlphaDropout": _RATE,
        "Attention": {"dropout": 1.0},
        "BatchNormalization": {"momentum": 1.0, **_EPSILON},
        "Dropout": _RATE,
        "ELU": {"alpha": math.inf},
        "GaussianDropout": _RATE,
        "GaussianNoise": {"stddev": math.inf},
        "GroupNormalization": _EPSILON,
        "GRUCell": _FRACTION,
        "LayerNormalization": _EPSILON,
        "LeakyReLU": _SLOPE,
        "LSTMCell": _FRACTION,
        "MultiHeadAttention": {"_dropout": 1.0},
        "RandomBrightness": {"factor": math.inf},
        "RandomContrast": {"factor": math.inf},
        "RandomRotation": {"factor": math.inf},
        "RandomTranslation": _BOTH,
        "RandomZoom": _BOTH,
        "SimpleRNNCell": _FRACTION,
        "SpatialDropout1D": _RATE,
        "SpatialDropout2D": _RATE,
        "SpatialDropout3D": _RATE,
    },
    "regularizers": {
        "L1": _PENALTIES,
        "L2": _PENALTIES,
        "L1L2": _PENALTIES,
        "OrthogonalRegularizer": {"factor": math.inf},
    },
    "losses": {
        "BinaryCrossentropy": _SMOOTHING,
        "BinaryFocalCrossentropy": {**_SMOOTHING, "alpha": math.inf, "gamma": math.inf},
        "CategoricalCrossentropy": _SMOOTHING,
        "CategoricalFocalCrossentropy": {**_SMOOTHING, "gamma": math.inf},
        "Huber": {"delta": math.inf},
    },
    "optimizers.schedules": {
        "CosineDecay": {**_INITIAL, "alpha": math.inf},
        "ExponentialDecay": {**_INITIAL, "decay_rate": math.inf},
        "InverseTimeDecay": {**_INITIAL, "decay_rate": math.inf},
        "PolynomialDecay": {**_INITIAL, "end_learning_rate": math.inf, "power": math.inf},
    },
}


def _classes() -> dict[type, Mapping[str, float]]:
    found = {}
    for path, rows in _TABLE.items():
        module: Any = keras
        for name in path.split("."):
            module = getattr(module, name)
        for name, numbers in rows.items():
            if hasattr(module, name) and name not in compat.CONSTANTS_ONLY:
                found[getattr(module, name)] = numbers
    return found


_BOUNDS = _classes()


class Place(NamedTuple):
    """Where a number is.

    Attributes:
        path: Its name within the model: the place of its owner, its own, and that in a pair.
        holder: The dictionary of its owner's attributes, or another one.
        key: Its key there, or that of a tuple or list that has it.
        item: Its index in the tuple or list, None if it is not in one.
        bound: What its size must be below.
    """

    path: str
    holder: dict[str, Any]
    key: str
    item: int | None
    bound: float

    def get(self) -> Any:
        """Return the number, or what stands in its place."""
        found = self.holder[self.key]
        return found if self.item is None else found[self.item]

    def put(self, value: Any) -> None:
        """Replace the number."""
        if self.item is None:
            self.holder[self.key] = value
        else:
            items = list(self.holder[self.key])
            items[self.item] = value
            self.holder[self.key] = type(self.holder[self.key])(items)


def places(model: keras.Model) -> list[Place]:
    """Return where the numbers of a compiled model are that may be exchanged.

    Zeros are not among them: what is zero is often left out.  A model of mixed precision has none,
    for there a tensor is rounded where a Python number is not.

    >>> model = keras.Sequential([keras.layers.Dense(1), keras.layers.Dropout(0.25)])
    >>> model.compile("sgd", "mse")
    >>> [(place.path, place.get()) for place in places(model)]
    [('2/rate', 0.25)]
    """
    found: list[Place] = []
    layers = compat.all_layers(model, include_model=True)
    if any(layer.compute_dtype not in {None, "float32"} for layer in layers):
        return found
    for number, part in enumerate(_parts(model)):
        bounds = _BOUNDS.get(type(part), {})
        holders = [vars(part), vars(part).get("_fn_kwargs") or {}] if bounds else []
        for holder in holders:
            for key in bounds.keys() & holder.keys():
                found += _in_value(f"{number}/{key}", holder, key, bounds[key])
    return sorted(found, key=lambda place: place.path)


def numbers(model: keras.Model) -> dict[str, float]:
    """Return the numbers of `places` by path."""
    return {place.path: _as_number(place.get()) for place in places(model)}


def exchangeable(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Tell whether the numbers of two models that are otherwise alike have the same signs.

    >>> exchangeable({"2/rate": 0.25}, {"2/rate": 0.5}), exchangeable({"2/rate": 0.25}, {})
    (True, False)
    """
    return one.keys() == other.keys() and all(
        np.sign(value) == np.sign(other[path]) for path, value in one.items()
    )


@contextmanager
def numbers_hidden(model: keras.Model) -> Iterator[None]:
    """Let models that differ in these numbers alone look the same."""
    found = places(model)
    signs = [0.5 * float(np.sign(_as_number(place.get()))) for place in found]
    with _replaced(found, signs):
        yield


class HeldNumbers:
    """Numbers of a model that its steps read from variables.

    Args:
        model: A compiled model.

    >>> model = keras.Sequential([keras.layers.Dense(1), keras.layers.Dropout(0.25)])
    >>> model.compile("sgd", "mse")
    >>> held = HeldNumbers(model)
    >>> held.set({"2/rate": 0.5})  # in a variable from now on
    True
    >>> held.set({"2/rate": 0.75})
    False
    >>> model.layers[1].rate
    0.75
    """

    def __init__(self, model: keras.Model) -> None:
        self._model, self._places = model, places(model)
        self.variables: dict[str, tf.Variable] = {}

    def set(self, changed: Mapping[str, float]) -> bool:
        """Set numbers; return whether the next step must be traced again.

        Args:
            changed: The new numbers by path.
        """
        unseen = False
        for path, value in changed.items():
            if path not in self.variables:
                # In double precision, as Python has them: 1 - beta is a small difference.
                self.variables[path] = tf.Variable(value, dtype="float64", trainable=False)
                unseen = True
            self.variables[path].assign(value)
        for place in self._places:
            if place.path in changed:
                place.put(changed[place.path])
        return unseen

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put tensors in the places of the numbers that are held."""
        tensors = {path: variable.value() for path, variable in self.variables.items()}
        with tensors_in_place(self._model, tensors):
            yield


@contextmanager
def tensors_in_place(model: keras.Model, tensors: Mapping[str, Any]) -> Iterator[None]:
    """Let numbers of a model be tensors while this is open.

    Args:
        model: A compiled model.
        tensors: Scalars of the type `float64`, by the path of a place.
    """
    held = [place for place in places(model) if place.path in tensors]
    new = [_held(place, tensors[place.path]) for place in held]
    with ExitStack() as stack:
        stack.enter_context(_replaced(held, new))
        for layer in _parts(model):
            if type(layer) in _CALLS:
                stack.enter_context(_mirrored(layer))
        yield


def _held(place: Place, tensor: Any) -> HeldNumber:
    kind = HeldRate if place.bound == 1.0 else HeldNumber
    return kind(tensor, _as_number(place.get()))


@contextmanager
def _replaced(found: list[Place], new: list[Any]) -> Iterator[None]:
    before = [place.get() for place in found]
    try:
        for place, value in zip(found, new, strict=True):
            place.put(value)
        yield
    finally:
        for place, value in zip(found, before, strict=True):
            place.put(value)


def _in_value(path: str, holder: dict[str, Any], key: str, bound: float) -> Iterator[Place]:
    value = holder[key]
    pair = isinstance(value, (tuple, list))
    for index, item in enumerate(value if pair else [value]):
        number = _as_number(item)
        if number and abs(number) < bound:
            yield Place(
                f"{path}/{index}" if pair else path, holder, key, index if pair else None, bound
            )


def _as_number(value: Any) -> float:
    """Return a value as a number, 0 if it is none."""
    if isinstance(value, (tf.Tensor, np.ndarray)) and len(value.shape) == 0:
        value = np.asarray(value).item()
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else 0.0


def _parts(model: keras.Model) -> list[Any]:
    """Return what may have numbers: layers, their regularizers, losses and schedules."""
    layers = compat.all_layers(model, include_model=True)
    regularizers = [
        value
        for layer in layers
        for _, value in sorted(vars(layer).items())
        if isinstance(value, keras.regularizers.Regularizer)
    ]
    losses = tf.nest.flatten(compat.compile_arguments(model).get("loss"))
    optimizers = compat.optimizer_parts(model.optimizer) if model.optimizer is not None else []
    schedules = [compat.stored_learning_rate(optimizer) for optimizer in optimizers]
    every = [*_without_inputs(layers), *regularizers, *losses, *schedules]
    return list({id(part): part for part in every}.values())


def _without_inputs(layers: list[Any]) -> list[Any]:
    """Return layers without input layers, which a `Sequential` gets when it sees data."""
    return [layer for layer in layers if not isinstance(layer, keras.layers.InputLayer)]


# What a layer computes, where Keras calls an operation that takes no tensor for the number.


def _leaky_relu(layer: Any, inputs: Any) -> Any:
    slope = vars(layer).get("negative_slope", vars(layer).get("alpha"))
    return tf.where(inputs > 0, inputs, inputs * slope)


def _gaussian_dropout(layer: Any, inputs: Any, training: Any = False) -> Any:
    if not training:
        return inputs
    deviation = (layer.rate / (1 - layer.rate)) ** 0.5
    shape, seed = tf.shape(inputs), layer.seed_generator
    return inputs * keras.random.normal(shape, 1.0, deviation, layer.compute_dtype, seed)


_CALLS = {keras.layers.LeakyReLU: _leaky_relu, keras.layers.GaussianDropout: _gaussian_dropout}


@contextmanager
def _mirrored(layer: Any) -> Iterator[None]:
    """Let a layer compute the same with an operation that takes a tensor for its number."""
    of_class = _CALLS[type(layer)]

    def call(*args: Any, **kwargs: Any) -> Any:
        return of_class(layer, *args, **kwargs)

    held = any(isinstance(value, HeldNumber) for value in vars(layer).values())
    if held:
        vars(layer)["call"] = call
    try:
        yield
    finally:
        if held:
            del vars(layer)["call"]
