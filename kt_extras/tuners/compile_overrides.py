"""Compiles models with the tuner's own optimizer, loss and metrics."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import keras

from kt_extras import compat

_ROOMS = {"optimizer": keras.optimizers, "loss": keras.losses, "metrics": keras.metrics}
_BY_LOSS = {"accuracy", "acc", "crossentropy", "ce"}  # metrics that Keras chooses by the loss


def compile_with(model: keras.Model, **overrides: Any) -> None:
    """Compile a model again with other arguments, or for the first time.

    Each model gets copies: an optimizer or a metric that two models share mixes their states.

    Args:
        model: The model; what else it was compiled with is kept.
        **overrides: `optimizer`, `loss` and `metrics`; those that are None are left as they are.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> compile_with(model, optimizer="sgd", loss="mse", metrics=None)
    >>> model.loss
    'mse'
    """
    given = {name: _copied(value) for name, value in overrides.items() if value}
    if given:
        model.compile(**{**compat.compile_arguments(model), **given})


def check_overrides(**overrides: Any) -> None:
    """Raise unless Keras knows each optimizer, loss and metric that is given by its name.

    Args:
        **overrides: As for `compile_with`.

    Raises:
        ValueError: Keras does not know it, or it is of another kind.

    >>> check_overrides(optimizer="sgd", loss="msse")
    Traceback (most recent call last):
    ValueError: `loss` must be one that Keras knows by its name, or an object or a function, got
    'msse'.
    """
    for name, value in overrides.items():
        if name != "optimizer" and isinstance(value, (list, tuple, Mapping)):
            for item in value.values() if isinstance(value, Mapping) else value:
                check_overrides(**{name: item})
        elif value is not None and not _is_known(name, value):
            raise ValueError(
                f"`{name}` must be one that Keras knows by its name, or an object or a function, "
                f"got {value!r}."
            )


def _is_known(name: str, value: Any) -> bool:
    if not isinstance(value, str):
        return callable(value) or hasattr(value, "get_config") or isinstance(value, Mapping)
    try:
        return value in _BY_LOSS or not isinstance(_ROOMS[name].get(value), str)
    except ValueError:
        return False


def _copied(value: Any) -> Any:
    """Return a structure with new optimizers, losses and metrics; functions and names stay."""
    if isinstance(value, Mapping):
        return {name: _copied(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(item) for item in value]
    if not hasattr(value, "get_config"):
        return value
    try:
        return type(value).from_config(value.get_config())
    except Exception:  # a class of the user's whose configuration is incomplete
        return copy.deepcopy(value)
