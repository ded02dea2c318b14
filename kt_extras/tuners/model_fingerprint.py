"""A short description of a model, which tells whether another one is built now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import keras
import keras_tuner
import numpy as np

from kt_extras import compat


def fingerprint(model: keras.Model) -> str:
    """Return a text that is the same for models with the same layers and shapes of weights.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> fingerprint(model).partition(" (")[0]
    '1 layer with 9 weights'
    """
    found = compat.all_layers(model, include_model=False)
    layers = [layer for layer in found if not isinstance(layer, keras.layers.InputLayer)]
    parts = [(type(layer).__name__, _shapes(layer)) for layer in layers]
    count = sum(int(np.prod(shape)) for shape in _shapes(model))
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
    return f"{len(layers)} layer{'s' * (len(layers) != 1)} with {count} weights ({digest})"


class FirstModel:
    """Builds models, and keeps the fingerprint of the first: that of the default hyperparameters.

    Args:
        build: The function `build(hp)`.

    Attributes:
        fingerprint: None before the first model, and if it is not one of Keras.
        trains_plainly: Whether all models have the method `fit` of Keras, and there was one.
    """

    def __init__(self, build: Callable[[keras_tuner.HyperParameters], Any]) -> None:
        self._build, self._is_first = build, True
        self.fingerprint: str | None = None
        self.trains_plainly = False

    def __call__(self, hp: keras_tuner.HyperParameters) -> Any:
        """Build a model."""
        first, self._is_first = self._is_first, False
        model = self._build(hp)
        plain = isinstance(model, keras.Model) and type(model).fit is keras.Model.fit
        self.trains_plainly = plain and (first or self.trains_plainly)
        if first and isinstance(model, keras.Model):
            self.fingerprint = fingerprint(model)
        return model


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    try:
        return [tuple(weight.shape) for weight in compat.only_variables(layer.weights)]
    except ValueError:  # Keras 2 raises for a model that has not seen data
        return []


def model_change(before: str, now: str | None) -> str:
    """Return the message of a search that goes on with another model."""
    return (
        f"The model has changed since the search began: with default hyperparameters it had "
        f"{before}, and now it has {now}.  Scores of both are compared with each other, and "
        "weights from before may not fit.  Pass `overwrite=True` to begin again, or another "
        "`project_name`."
    )
