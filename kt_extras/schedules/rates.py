"""A learning rate, be it a number or a schedule: its value at a step, its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras.schedules.arguments import check_rate

Rate = Union[float, LearningRateSchedule]  # noqa: UP007 - Python 3.10


def check_schedule(name: str, value: Any) -> Rate:
    """Return a schedule as it is, a number as a plain float.

    Raises:
        ValueError: `value` is neither a schedule nor a finite number from 0.

    >>> check_schedule("schedule", 1)
    1.0
    """
    if isinstance(value, LearningRateSchedule):
        return value
    try:
        return check_rate(name, value, zero=True)
    except ValueError:
        raise ValueError(
            f"`{name}` must be a schedule, or a finite number 0 or above, got {value!r}."
        ) from None


def rate_at(rate: Rate, step: Any) -> tf.Tensor:
    """Return the learning rate at a step, as float32.

    Args:
        rate: A number, which is the same at every step, or a schedule.
        step: A number or a tensor.

    >>> float(rate_at(0.5, 3))
    0.5
    """
    return tf.cast(rate(step) if isinstance(rate, LearningRateSchedule) else rate, tf.float32)


def packed(rate: Rate) -> Any:
    """Return a rate as a configuration can hold it.

    >>> packed(0.5)
    0.5
    """
    if isinstance(rate, LearningRateSchedule):
        return keras.saving.serialize_keras_object(rate)
    return rate


def unpacked(config: Any) -> Rate:
    """Invert `packed`.

    >>> decay = keras.optimizers.schedules.CosineDecay(0.1, 100)
    >>> unpacked(packed(decay)).decay_steps
    100
    """
    if isinstance(config, Mapping):
        config = keras.saving.deserialize_keras_object(dict(config))
    rate: Rate = config
    return rate
