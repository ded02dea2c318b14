"""The paths of variables: where they are in a model."""

from __future__ import annotations

import re
from typing import Any

import keras

from kt_extras import compat


def path_of(variable: Any) -> str:
    """Return the path that Keras gives to a variable: names of layers and its own, with slashes.

    Keras leaves out some of the layers around it: a nested `Sequential` that was loaded, a nested
    functional model always, on Keras 2 every nested model.
    """
    path = getattr(variable, "path", None) or variable.name  # Keras 2 has only the name
    return str(path).partition(":")[0]


def paths_in(model: keras.Model) -> dict[int, list[str]]:
    """Return the full paths of a model's variables, by the variables' `id`.

    A variable of a layer that is used in several places has several paths.

    >>> layers = [keras.Input((2,)), keras.layers.Dense(3, name="stem")]
    >>> body = keras.Sequential(layers, name="body")
    >>> layers = [keras.Input((2,)), body, keras.layers.Dense(1, name="head")]
    >>> model = keras.Sequential(layers, name="net")
    >>> paths = paths_in(model)
    >>> [paths[id(variable)] for variable in model.trainable_variables][1:3]
    [['net/body/stem/bias'], ['net/head/kernel']]
    """
    found: dict[int, list[str]] = {}
    _collect(model, model.name, found)
    return found


def variables_of(layer: keras.layers.Layer) -> list[Any]:
    """Return all variables of a layer, none if it has not been built."""
    return list(layer.weights) if layer.built else []  # Keras 2 raises for a model


def pattern_of(layer: keras.layers.Layer) -> str:
    """Return a regular expression that matches the paths of a layer's variables.

    The names of the layers around it are optional, since Keras leaves some out in a loaded model.

    >>> re.fullmatch(pattern_of(keras.layers.Dense(1, name="head")), "head") is not None
    True
    """
    paths = map(path_of, variables_of(layer))
    return "|".join(dict.fromkeys(map(_with_optional_front, paths))) or re.escape(layer.name)


def _collect(layer: Any, path: str, found: dict[int, list[str]]) -> None:
    below = compat.direct_layers(layer)
    inner = {id(variable) for one in below for variable in variables_of(one)}
    for variable in variables_of(layer):
        if id(variable) not in inner:
            own = path_of(variable).rpartition("/")[2]
            found.setdefault(id(variable), []).append(f"{path}/{own}")
    for one in below:
        _collect(one, f"{path}/{one.name}", found)


def _with_optional_front(path: str) -> str:
    *front, layer, own = ["", *map(re.escape, path.split("/"))]
    optional = ""
    for name in filter(None, front):
        optional = f"(?:{optional}{name}/)?"
    return f"{optional}{layer}/{own}" if layer else own
