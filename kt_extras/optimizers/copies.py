"""The same optimizer with another learning rate."""

from __future__ import annotations

from numbers import Real
from typing import Any

import keras

from kt_extras.schedules.arguments import check_rate
from kt_extras.schedules.rates import Rate


def with_learning_rate(optimizer: Any, rate: Rate, *, name: str | None = None) -> Any:
    """Return a fresh optimizer of the same kind and settings with another learning rate.

    It has no state yet; the given optimizer is not changed.

    Args:
        optimizer: Any optimizer with one learning rate, in mixed precision or not.
        rate: A number or a schedule.
        name: Name of the new optimizer. Defaults to the name of the given one.

    Raises:
        ValueError: The optimizer does not have exactly one learning rate, as `MultiOptimizer`.

    >>> adam = with_learning_rate(keras.optimizers.Adam(0.1, beta_1=0.5), 0.25)
    >>> adam.beta_1, float(adam.learning_rate)
    (0.5, 0.25)
    """
    if not hasattr(optimizer, "get_config"):
        raise TypeError(f"`optimizer` must be an optimizer of Keras, got {optimizer!r}.")
    if isinstance(rate, (str, Real)):
        check_rate("rate", rate, zero=True)
    config = optimizer.get_config()
    if "inner_optimizer" in config:  # a LossScaleOptimizer
        inner = with_learning_rate(optimizer.inner_optimizer, rate, name=name)
        config["inner_optimizer"] = keras.saving.serialize_keras_object(inner)
    elif "learning_rate" not in config:
        raise ValueError(
            f"`optimizer` must have one learning rate of its own; {type(optimizer).__name__} has "
            "none in its configuration.  Pass one of the optimizers that it is made of."
        )
    else:
        config["learning_rate"] = rate
        config["name"] = config["name"] if name is None else name
    return type(optimizer).from_config(config)
