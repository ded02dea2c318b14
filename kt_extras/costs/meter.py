"""Measures the costs of models, those of one architecture once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

import keras

from kt_extras import compat
from kt_extras.arguments import check_integer
from kt_extras.costs.measures import flops, latency, model_size, parameters

COSTS: Mapping[str, Callable[[keras.Model], float]] = MappingProxyType(
    {"parameters": parameters, "flops": flops, "latency": latency, "model_size": model_size}
)
"""What measures the costs that can be objectives, by their names."""

_OF_BATCHES = ("flops", "latency")  # that depend on the size of the batch


class CostMeter:
    """Measures the costs of models, those of one architecture once.

    Models of Keras' own classes have one architecture if their configurations differ at most in
    names, initial values, regularisation and dropout rates.  A subclassed model is always measured.

    Args:
        names: The costs, of `COSTS`.
        batch_size: Rows of the batch of `"flops"` and `"latency"`.  Defaults to 1.

    Raises:
        ValueError: There is no such cost, or `batch_size` is no positive integer.

    >>> meter = CostMeter(["parameters", "flops"])
    >>> meter.measure(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))
    {'parameters': 15.0, 'flops': 27.0}
    """

    def __init__(self, names: Collection[str], batch_size: int = 1) -> None:
        if unknown := [name for name in names if name not in COSTS]:
            raise ValueError(f"`names` must be among {sorted(COSTS)}, got {unknown}.")
        check_integer("batch_size", batch_size, minimum=1)
        self.names, self.batch_size = tuple(names), batch_size
        self._known: dict[str, dict[str, float]] = {}

    def measure(self, model: keras.Model) -> dict[str, float]:
        """Return the costs of a model by their names.

        Args:
            model: One that is built.

        Raises:
            ValueError: It is not built, or a cost cannot be measured.
        """
        text = architecture(model)
        key = None if text is None else hashlib.sha256(text.encode()).hexdigest()
        costs = None if key is None else self._known.get(key)
        if costs is None:
            costs = {name: float(self._measured(name, model)) for name in self.names}
        if key is not None:
            self._known[key] = costs
        return dict(costs)

    def _measured(self, name: str, model: keras.Model) -> float:
        measure: Callable[..., float] = COSTS[name]
        return measure(model, self.batch_size) if name in _OF_BATCHES else measure(model)


def architecture(model: keras.Model) -> str | None:
    """Return a text that is the same for models of the same costs.

    Args:
        model: Any model.

    Returns:
        None if its configuration does not tell, as that of a subclassed model.

    >>> def built(rate):
    ...     drop, dense = keras.layers.Dropout(rate), keras.layers.Dense(3)
    ...     return keras.Sequential([keras.Input((4,)), drop, dense])
    >>> architecture(built(0.1)) == architecture(built(0.2))
    True
    """
    if type(model).__module__.partition(".")[0] != "keras" or not getattr(model, "inputs", None):
        return None
    try:
        text = json.dumps(_essential(model.get_config()), default=repr)
    except (NotImplementedError, TypeError, ValueError):  # of a layer of the user's own
        return None
    shapes = [(str(tuple(one.shape)), str(one.dtype)) for one in model.inputs]
    return f"{shapes} {_without_names(text, model)}"


_CHANGES_NO_COST = re.compile(r"(\w+_)?(initializer|regularizer|constraint)|seed")
_IN_TRAINING_ONLY = re.compile(r"\w*Dropout\w*|Gaussian\w+|ActivityRegularization")


def _essential(config: Any) -> Any:
    """Return a configuration without what changes no cost."""
    if isinstance(config, Mapping):
        dropped = _IN_TRAINING_ONLY.fullmatch(str(config.get("class_name")))
        kept = {k: v for k, v in config.items() if not (dropped and k == "config")}
        return {k: _essential(v) for k, v in kept.items() if not _CHANGES_NO_COST.fullmatch(str(k))}
    if isinstance(config, (list, tuple)):
        return [_essential(one) for one in config]
    return config


def _without_names(text: str, model: keras.Model) -> str:
    """Return a configuration with numbers in place of the names of layers."""
    layers = [model, *compat.all_layers(model, include_model=False)]
    numbers = {json.dumps(layer.name): f'"{i}"' for i, layer in enumerate(layers)}
    return re.sub(r'"(?:[^"\\]|\\.)*"', lambda found: numbers.get(found[0], found[0]), text)
