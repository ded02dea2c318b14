"""Finds a model, or a part of it, in what a user keeps beside it."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import keras

from kt_extras import compat

_DEPTH = 3  # an attribute, a list in it, an item of the list


def refers_to(hypermodel: Any, model: keras.Model) -> bool:
    """Tell whether what builds a model keeps a reference to it, to a layer or to its optimizer.

    Searched are its attributes, and the variables that its functions have closed over or name.

    Args:
        hypermodel: A `keras_tuner.HyperModel` or a function.
        model: A model that it has built.

    >>> kept = []
    >>> def build(hp):
    ...     kept.append(keras.layers.Dense(1))
    ...     return keras.Sequential([keras.Input((2,)), *kept])
    >>> refers_to(build, build(None))
    True
    >>> refers_to(lambda hp: None, build(None))
    False
    """
    weights = model.weights if model.built else []
    parts = [*compat.all_layers(model, include_model=True), *weights]
    optimizer = getattr(model, "optimizer", None) or model
    own = {id(part) for part in (*parts, optimizer)}
    return any(id(value) in own for value in _values(hypermodel, _DEPTH, set()))


def _values(value: Any, depth: int, seen: set[int]) -> Iterator[Any]:
    if id(value) in seen or isinstance(value, (str, bytes, int, float, type, ModuleType)):
        return
    seen.add(id(value))
    yield value
    if depth == 0 or isinstance(value, keras.layers.Layer):
        return
    for inner in _inside(value):
        yield from _values(inner, depth - 1, seen)


def _inside(value: Any) -> list[Any]:
    """Return what a container, a function or an object of the user's has."""
    if isinstance(value, dict):
        return list(value.values()) if len(value) < 100 else []
    if isinstance(value, (list, tuple, set)):
        return list(value)[-100:]
    function = getattr(value, "__func__", value)
    if hasattr(function, "__code__"):
        names = function.__code__.co_names
        return [
            *(cell.cell_contents for cell in function.__closure__ or () if _is_set(cell)),
            *(function.__globals__[name] for name in names if name in function.__globals__),
            getattr(value, "__self__", None),
        ]
    module = type(value).__module__
    if module.startswith(("keras.", "tensorflow.", "numpy")) or not hasattr(value, "__dict__"):
        return []
    methods = [getattr(type(value), name, None) for name in ("build", "fit")]
    return [*vars(value).values(), *methods]


def _is_set(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # it is assigned later
        return False
