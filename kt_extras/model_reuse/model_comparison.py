"""Compare two models, except for their optimizers and the names that Keras generated."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras import compat

# Entries of a configuration that exist only after the model has seen data.
_SHAPES = {"batch_input_shape", "batch_shape", "build_config", "build_input_shape"}
_NUMBERED = re.compile(r"_\d+$")

# Attributes that a training leaves on a model, and those that `kt_extras` sets for one.
_BY_TRAINING = (
    *("_call_result", "fit", "history", "predict_step", "stop_evaluating", "stop_training"),
    *("test_step", "train_step"),
)

_Elsewhere = (keras.layers.Layer, keras.metrics.Metric, tf.Variable)  # compared in their turn
_Values = (list, tuple, dict, np.ndarray, tf.Tensor)  # of which TensorFlow has its own kinds


def alike(one: keras.Model, other: keras.Model) -> bool:
    """Tell whether two models are the same except for their optimizers and weights.

    Compared are their classes, configurations, shapes of variables, losses and metrics, and the
    attributes of custom layers, losses and metrics.  What cannot be compared counts as different,
    and so do models without a configuration.

    Args:
        one: A compiled model.
        other: A compiled model; if `one` has seen data and it has not, its variables are created
            for the same shapes.

    >>> def build(units):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> alike(build(3), build(3)), alike(build(3), build(4))
    (True, False)
    """
    if type(one) is not type(other) or not _built_for_the_same(one, other):
        return False
    pairs = list(zip(_parts(one), _parts(other), strict=False))
    return (
        len(_parts(one)) == len(_parts(other))
        and all(type(mine) is type(its) for mine, its in pairs)
        and _same_configs(description(one), description(other))
        and (not (one.built and other.built) or _shapes(one) == _shapes(other))
        and all(_same_attributes(mine, its) for mine, its in pairs)
    )


def description(model: keras.Model) -> dict[str, Any] | None:
    """Return the configuration of a model without its optimizer, None if it is incomplete.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> description(model)["layers"][0]["units"]
    3
    """
    try:
        own = model.get_config()
        compiled = model.get_compile_config() or {}
        layers = _without_inputs(compat.all_layers(model, include_model=False))
        inner = [layer.get_config() for layer in layers]
    # A custom layer without `get_config`, or with one that fails.
    except Exception:
        return None
    settings = {name: value for name, value in compiled.items() if name != "optimizer"}
    return {"model": own, "compiled": settings, "layers": inner} if own else None


def constants(model: keras.Model) -> list[Any]:
    """Return what a trace of a compiled model has as constants, except numbers of Keras' classes.

    That is which layers are trained, and the attributes of custom layers, losses and metrics.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> model.compile("sgd", "mse")
    >>> before = constants(model)
    >>> model.layers[0].trainable = False
    >>> same_constants(before, constants(model))
    False
    """
    return [(getattr(part, "trainable", None), _attributes(part)) for part in _parts(model)]


def same_constants(one: list[Any], other: list[Any]) -> bool:
    """Compare what `constants` has returned at two times."""
    return _equal(one, other)


def _built_for_the_same(one: keras.Model, other: keras.Model) -> bool:
    """Build the other model for the data that the first has seen; return whether that succeeded."""
    if one.built and not other.built:
        try:
            compat.build_from_spec(other, compat.input_spec(one))
        except Exception:  # layers may raise anything for data of a wrong shape
            return False
    return True


def _parts(model: keras.Model) -> list[Any]:
    """Return a model, its layers at all depths, its losses and metrics."""
    layers = compat.all_layers(model, include_model=True)
    compiled = _compiled(model)
    asked = [compiled.get(name) for name in ("loss", "metrics", "weighted_metrics")]
    return [*_without_inputs(layers), *_flat(asked)]


def _compiled(model: keras.Model) -> dict[str, Any]:
    """Return the arguments of `compile` except the optimizer."""
    given = compat.compile_arguments(model)
    return {name: value for name, value in given.items() if name != "optimizer"}


def _same_configs(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    names: dict[str, str] = {}
    return _matches(one, other, names) and len(set(names.values())) == len(names)


def _matches(one: Any, other: Any, names: dict[str, str], key: str = "") -> bool:
    """Compare two nests; `names` maps generated names of the first to those of the other."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        kept = [{k: v for k, v in nest.items() if k not in _SHAPES} for nest in (one, other)]
        return len(kept[0]) == len(kept[1]) and all(
            _matches(mine, its, names) and _matches(kept[0][mine], kept[1][its], names, str(mine))
            for mine, its in zip(*kept, strict=True)
        )
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        if key == "layers":
            one, other = _without_inputs(one), _without_inputs(other)
        return len(one) == len(other) and all(
            _matches(mine, its, names) for mine, its in zip(one, other, strict=True)
        )
    if isinstance(one, str) and isinstance(other, str) and one != other:
        generated = _NUMBERED.sub("", one) == _NUMBERED.sub("", other)
        return generated and names.setdefault(one, other) == other
    return _equal(one, other)


def _without_inputs(layers: Any) -> list[Any]:
    """Return the layers without input layers, which a `Sequential` gets when it sees data."""
    return [layer for layer in layers if not _is_input(layer)]


def _is_input(layer: Any) -> bool:
    if isinstance(layer, Mapping):
        return layer.get("class_name") == "InputLayer"
    return isinstance(layer, keras.layers.InputLayer)


def _shapes(model: keras.Model) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in compat.only_variables(model.weights)]


def _same_attributes(one: Any, other: Any) -> bool:
    """Compare attributes that the configuration of an object of a custom class may lack."""
    if isinstance(one, FunctionType):
        return _same_functions(one, other)
    mine, its = _attributes(one), _attributes(other)
    if _is_of_keras(one):  # an attribute may be made when data are first seen
        return all(_equal(mine[name], its[name]) for name in mine.keys() & its.keys())
    return mine.keys() == its.keys() and all(_equal(mine[name], its[name]) for name in mine)


def _attributes(part: Any) -> dict[str, Any]:
    found = getattr(part, "__dict__", {}).items()
    own = {k: v for k, v in found if k not in _of_keras() and not k.startswith("_kt_extras")}
    if not _is_of_keras(part):
        return own
    compared = (FunctionType, np.ndarray, tf.Tensor)
    return {name: value for name, value in own.items() if isinstance(value, compared)}


def _is_of_keras(part: Any) -> bool:
    return type(part).__module__.startswith(("keras.", "tensorflow."))


@functools.cache
def _of_keras() -> frozenset[str]:
    """Return the attributes that Keras itself gives to its objects."""
    layer = keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile("sgd", keras.losses.Loss(), metrics=[keras.metrics.Mean()])
    examples = model, keras.Model(model.inputs, model.outputs), layer, keras.metrics.Mean()
    unbuilt = keras.Model(), keras.layers.Layer(), keras.losses.Loss()
    names = {name for example in (*examples, *unbuilt) for name in vars(example)}
    own = {"activation", "bias", "kernel", "units"}  # of the `Dense`, and of layers of others
    return frozenset(names - own) | {"name", "built", *_BY_TRAINING}


def _equal(one: Any, other: Any) -> bool:
    """Tell whether two values are the same, as far as that can be seen."""
    if one is other:
        return True
    if isinstance(one, _Elsewhere) or (_is_of_keras(one) and not isinstance(one, _Values)):
        return type(one) is type(other) and _same_settings(one, other)
    if isinstance(one, FunctionType) and isinstance(other, FunctionType):
        return _same_functions(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, (np.ndarray, tf.Tensor)) and isinstance(other, (np.ndarray, tf.Tensor)):
        return bool(np.array_equal(one, other))
    try:
        return bool(one == other)
    except (TypeError, ValueError):
        return False


def _same_settings(one: Any, other: Any) -> bool:
    """Compare objects of Keras that are attributes; layers and variables are compared elsewhere."""
    if isinstance(one, _Elsewhere) or not hasattr(one, "get_config"):
        return True
    return bool(one.get_config() == other.get_config())


def _same_functions(one: FunctionType, other: FunctionType) -> bool:
    """Tell whether two functions are the same, or have the same code and closure values."""
    if one is other:
        return True
    values = [[cell.cell_contents for cell in f.__closure__ or ()] for f in (one, other)]
    return (
        one.__code__ == other.__code__
        and one.__defaults__ == other.__defaults__
        and one.__kwdefaults__ == other.__kwdefaults__
        and len(values[0]) == len(values[1])
        and all(map(_equal, *values))
    )


def _flat(nest: Any) -> list[Any]:
    if isinstance(nest, Mapping):
        return [part for key in sorted(nest, key=str) for part in _flat(nest[key])]
    if isinstance(nest, Sequence) and not isinstance(nest, str):
        return [part for item in nest for part in _flat(item)]
    return [nest]
