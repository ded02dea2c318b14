"""Tells whether a model is trained by the optimizer whose state is saved at a pause."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from kt_extras import compat


class OptimizerCheck:
    """What the optimizers of a model have done since a training began.

    Args:
        model: A compiled model, before it is trained.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> check = OptimizerCheck(model)
    >>> _ = model.train_on_batch(np.ones((2, 1)), np.ones((2, 1)))
    >>> check.others(model), check.has_moved_alone(model)
    ([], False)
    """

    def __init__(self, model: keras.Model) -> None:
        self._kept = dict(_optimizers(model))  # keeps the identities below from being used again
        self._before = {id(held): _steps(held) for held in self._kept.values()}
        self._weights = _checksum(model)

    def others(self, model: keras.Model) -> list[str]:
        """Return the names of the optimizers that have made steps beside `model.optimizer`."""
        saved = {id(model.optimizer), *map(id, compat.optimizer_parts(model.optimizer))}
        return [
            name
            for name, optimizer in _optimizers(model)
            if id(optimizer) not in saved and _steps(optimizer) != self._steps_before(optimizer)
        ]

    def has_moved_alone(self, model: keras.Model) -> bool:
        """Return whether the weights have changed though `model.optimizer` has made no step."""
        optimizer = model.optimizer
        if _steps(optimizer) != self._steps_before(optimizer):
            return False
        return self._weights != _checksum(model)

    def _steps_before(self, optimizer: Any) -> int:
        return self._before.get(id(optimizer), 0)


def _optimizers(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """Return the optimizers among the attributes of a model and of its layers, with their names."""
    seen = set()
    for layer in compat.all_layers(model, include_model=True):
        owner = "model" if layer is model else layer.name
        # TensorFlow keeps what is assigned a second time, under names of its own.
        for name, value in sorted(vars(layer).items(), key=lambda item: item[0].startswith("_")):
            for held in _items(value):
                if isinstance(held, keras.optimizers.Optimizer) and id(held) not in seen:
                    seen.add(id(held))
                    yield f"{owner}.{name}", held


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _steps(optimizer: Any) -> int:
    return int(optimizer.iterations.numpy())


def _checksum(model: keras.Model) -> int:
    """Return a number that changes with the weights that are trained; 0 if there are none."""
    found = 0
    for variable in model.trainable_variables if model.built else []:
        found = zlib.crc32(np.asarray(variable.numpy()).tobytes(), found)
    return found
