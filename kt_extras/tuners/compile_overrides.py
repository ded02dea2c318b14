"""Compiles models with the tuner's own optimizer, loss and metrics."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import keras

from kt_extras import compat


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
