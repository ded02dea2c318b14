"""Convert KerasTuner's hyperparameters to a search space."""

from __future__ import annotations

from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters as kt_hyperparameters

from kt_extras.search import Boolean, Choice, Condition, Dimension, Fixed, Float, Int, Space


def to_space(hyperparameters: keras_tuner.HyperParameters) -> Space:
    """Return the search space that a `HyperParameters` declares.

    >>> hp = keras_tuner.HyperParameters()
    >>> rate = hp.Float("rate", 1e-4, 1e-2, sampling="log")
    >>> to_space(hp).names
    ('rate',)
    """
    return Space(_dimension(parameter) for parameter in hyperparameters.space)


def _dimension(parameter: Any) -> Dimension:
    name, default = parameter.name, parameter.default
    conditions = tuple(Condition(c.name, tuple(c.values)) for c in parameter.conditions)
    if isinstance(parameter, kt_hyperparameters.Choice):
        return Choice(name, tuple(parameter.values), bool(parameter.ordered), conditions, default)
    if isinstance(parameter, kt_hyperparameters.Boolean):
        return Boolean(name, conditions, default)
    if isinstance(parameter, kt_hyperparameters.Fixed):
        return Fixed(name, parameter.value, conditions)
    kind = Int if isinstance(parameter, kt_hyperparameters.Int) else Float
    return kind(
        name,
        parameter.min_value,
        parameter.max_value,
        step=parameter.step,
        sampling=parameter.sampling,
        conditions=conditions,
        default=default,
    )
