"""Compare two models, except for their optimizers and the names that Keras generated."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

import keras

from kt_extras import compat

# Entries of a configuration that exist only after the model has seen data.
_SHAPES = {"batch_input_shape", "batch_shape", "build_config", "build_input_shape"}
_NUMBERED = re.compile(r"_\d+$")

_Plain = (bool, int, float, str, type(None), FunctionType)


def alike(one: keras.Model, other: keras.Model) -> bool:
    """Tell whether two models are the same except for their optimizers and weights.

    Compared are their classes, configurations, shapes of variables, losses and metrics, and those
    attributes of custom layers, losses and metrics that are numbers, strings or functions.  Models
    without a configuration count as different.

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
    return [tuple(weight.shape) for weight in model.weights]


def _same_attributes(one: Any, other: Any) -> bool:
    """Compare attributes that the configuration of an object of a custom class may lack."""
    if isinstance(one, FunctionType):
        return _same_functions(one, other)
    mine, its = _attributes(one), _attributes(other)
    return all(_equal(mine[name], its[name]) for name in mine.keys() & its.keys())


def _attributes(part: Any) -> dict[str, Any]:
    found = getattr(part, "__dict__", {}).items()
    of_keras = type(part).__module__.startswith(("keras", "tensorflow"))
    compared = FunctionType if of_keras else _Plain
    own = {name: value for name, value in found if name not in _of_keras() and name[0] != "_"}
    return {name: value for name, value in own.items() if isinstance(value, compared)}


@functools.cache
def _of_keras() -> frozenset[str]:
    """Return the attributes that Keras itself gives to its objects."""
    examples = keras.Model(), keras.layers.Layer(), keras.metrics.Mean()
    return frozenset(name for example in examples for name in vars(example)) | {"name", "built"}


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, FunctionType) and isinstance(other, FunctionType):
        return _same_functions(one, other)
    try:
        return bool(one == other)
    except (TypeError, ValueError):  # arrays, for instance
        return False


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
        and all(_equal(mine, its) for mine, its in zip(*values, strict=True))
    )


def _flat(nest: Any) -> list[Any]:
    if isinstance(nest, Mapping):
        return [part for key in sorted(nest, key=str) for part in _flat(nest[key])]
    if isinstance(nest, Sequence) and not isinstance(nest, str):
        return [part for item in nest for part in _flat(item)]
    return [nest]
