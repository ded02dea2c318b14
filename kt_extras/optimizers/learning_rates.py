"""Read and change the learning rate of any optimizer."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras import compat
from kt_extras.optimizers.rate_fraction import RateFraction
from kt_extras.schedules.arguments import check_rate
from kt_extras.schedules.scaled import Scaled

#: The prefix of the names of the optimizers that `differential` makes from another one.
PART_PREFIX = "times_"

_NAME = "learning_rate"


def learning_rates(optimizer: Any) -> dict[str, float]:
    """Return the learning rate of the next step, under the name that Keras 3 gives it in logs.

    Args:
        optimizer: Any optimizer, also in mixed precision, of either generation.

    Returns:
        `{"learning_rate": rate}`; of an optimizer that is made of several, one entry each with the
        name of that optimizer behind it.  Of `differential`, the rate of factor 1 has the plain
        name, and that of factor 0.1 is `learning_rate_times_0.1`.

    >>> import keras
    >>> decay = keras.optimizers.schedules.PolynomialDecay(0.5, 10, 0.0)
    >>> learning_rates(keras.optimizers.SGD(decay))
    {'learning_rate': 0.5}
    """
    parts = {compat.optimizer_name(part): part for part in compat.optimizer_parts(optimizer)}
    whole = [name for name in parts if len(parts) == 1 or not name.startswith(PART_PREFIX)]
    return {
        _NAME if [name] == whole else f"{_NAME}_{name}": _now(part) for name, part in parts.items()
    }


def scale_learning_rate(optimizer: Any, by: float) -> None:
    """Multiply the learning rate of a live optimizer, without tracing anything again.

    A number is changed in its variable.  A schedule has to be a `kte.schedules.Scaled`, as
    those of `kte.schedules.tunable` are; its scale is changed.

    Args:
        optimizer: Any optimizer, also in mixed precision or made of several: then all of them.
        by: Factor of the learning rate, above 0.

    Raises:
        ValueError: `by` is out of its range, or a schedule is not a `Scaled`.  Nothing is changed.

    >>> import keras
    >>> sgd = keras.optimizers.SGD(Scaled(keras.optimizers.schedules.CosineDecay(0.5, 10)))
    >>> scale_learning_rate(sgd, 0.5)
    >>> learning_rates(sgd)
    {'learning_rate': 0.25}
    """
    by = check_rate("by", by)
    if not hasattr(optimizer, "get_config"):
        raise TypeError(f"`optimizer` must be an optimizer of Keras, got {optimizer!r}.")
    parts = compat.optimizer_parts(optimizer)
    scaled = {id(schedule): schedule for part in parts for schedule in _schedules(part)}
    for schedule in scaled.values():  # shared by the parts of `differential`, so changed once
        schedule.scale *= by
    for part in parts:
        if not isinstance(_rate(part), LearningRateSchedule):
            part.learning_rate = _now(part) * by


def _rate(optimizer: Any) -> Any:
    """Return the schedule where there is one; the public name has only its value."""
    rate = compat.stored_learning_rate(optimizer)
    return optimizer.learning_rate if rate is None else rate


def _now(optimizer: Any) -> float:
    rate = _rate(optimizer)
    if isinstance(rate, LearningRateSchedule):
        rate = rate(compat.schedule_steps(optimizer))
    elif callable(rate) and not hasattr(rate, "dtype"):  # a function, which Keras calls each time
        rate = rate()
    return float(tf.convert_to_tensor(rate))


def _schedules(optimizer: Any) -> list[Scaled]:
    """Return the innermost `Scaled` of an optimizer with a schedule."""
    rate = _rate(optimizer)
    if isinstance(rate, RateFraction):  # follows the rate of another optimizer
        return []
    found = []
    while isinstance(rate, Scaled):
        found.append(rate)
        rate = rate.schedule
    if isinstance(_rate(optimizer), LearningRateSchedule) and not found:
        raise ValueError(
            f"`optimizer` has a {type(rate).__name__} as its learning rate, which cannot be "
            "changed.  Wrap it: `kte.schedules.Scaled(schedule)`."
        )
    return found[-1:]
