"""Schedules one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras.compat import require_tensorflow
from kt_extras.schedules.arguments import check_steps
from kt_extras.schedules.rates import Rate, check_schedule, packed, rate_at, unpacked


@keras.saving.register_keras_serializable(package="kt_extras")
class Chain(LearningRateSchedule):
    """Follows one schedule after the other, each from its own step 0.

    Args:
        schedules: Schedules to follow, at least one; a number is a constant rate.
        durations: Number of steps of each schedule but the last, which has no end.

    Raises:
        ValueError: `schedules` is empty, `durations` does not have one item less, or an item is out
            of its range.

    >>> decay = keras.optimizers.schedules.PolynomialDecay(0.5, 2, 0.0)
    >>> schedule = Chain([1.0, decay, 0.1], [2, 2])
    >>> [round(float(schedule(step)), 2) for step in range(6)]
    [1.0, 1.0, 0.5, 0.25, 0.1, 0.1]
    """

    def __init__(self, schedules: Sequence[Rate], durations: Sequence[int]) -> None:
        require_tensorflow(type(self).__name__)
        if not isinstance(schedules, Sequence) or not schedules:
            raise ValueError(f"`schedules` must hold at least one schedule, got {schedules!r}.")
        self.schedules = [check_schedule("schedules", schedule) for schedule in schedules]
        self.durations = [check_steps("durations", steps) for steps in durations]
        if len(self.durations) != len(self.schedules) - 1:
            raise ValueError(
                "`durations` must have one entry fewer than `schedules`, since the last schedule "
                f"has no end; got {len(self.durations)} for {len(self.schedules)} schedules."
            )

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the rate at a step."""
        step = tf.convert_to_tensor(step)
        rate = rate_at(self.schedules[0], step)
        for begin, schedule in zip(accumulate(self.durations), self.schedules[1:], strict=True):
            local = step - tf.cast(begin, step.dtype)
            following = rate_at(schedule, tf.maximum(local, tf.zeros_like(local)))
            rate = tf.where(local < 0, rate, following)
        return rate

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"schedules": [packed(rate) for rate in self.schedules], "durations": self.durations}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Chain:
        """Make a schedule of what `get_config` returned."""
        return cls([unpacked(rate) for rate in config["schedules"]], config["durations"])
