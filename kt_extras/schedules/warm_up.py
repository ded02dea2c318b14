"""A linear warm-up before any other schedule (Goyal et al. 2017, arXiv 1706.02677, sec. 2.2)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras.compat import require_tensorflow
from kt_extras.schedules.arguments import check_rate, check_steps
from kt_extras.schedules.rates import Rate, check_schedule, packed, rate_at, unpacked


@keras.saving.register_keras_serializable(package="kt_extras")
class WarmUp(LearningRateSchedule):
    """Lets the rate rise to where a schedule begins, and then follows the schedule.

    The schedule begins at its own step 0 when the warm-up is over, so a training has `warmup_steps`
    more steps than the schedule.

    Args:
        schedule: Any schedule, or a number for a rate that stays.
        warmup_steps: Steps of the warm-up; 0 is none.
        initial_learning_rate: The rate at step 0, from 0. Defaults to `0.0`.

    Raises:
        ValueError: An argument out of its range.

    >>> schedule = WarmUp(keras.optimizers.schedules.PolynomialDecay(0.4, 4, 0.0), warmup_steps=2)
    >>> [round(float(schedule(step)), 3) for step in range(6)]
    [0.0, 0.2, 0.4, 0.3, 0.2, 0.1]
    """

    def __init__(
        self, schedule: Rate, warmup_steps: int, initial_learning_rate: float = 0.0
    ) -> None:
        require_tensorflow(type(self).__name__)
        self.schedule = check_schedule("schedule", schedule)
        self.warmup_steps = check_steps("warmup_steps", warmup_steps, minimum=0)
        self.initial_learning_rate = check_rate(
            "initial_learning_rate", initial_learning_rate, zero=True
        )

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the rate at a step."""
        if not self.warmup_steps:
            return rate_at(self.schedule, step)
        step = tf.convert_to_tensor(step)
        later = step - tf.cast(self.warmup_steps, step.dtype)
        fraction = tf.cast(step, tf.float32) / self.warmup_steps
        target = rate_at(self.schedule, tf.zeros_like(step))
        rising = self.initial_learning_rate + (target - self.initial_learning_rate) * fraction
        following = rate_at(self.schedule, tf.maximum(later, tf.zeros_like(later)))
        return tf.where(later < 0, rising, following)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            "schedule": packed(self.schedule),
            "warmup_steps": self.warmup_steps,
            "initial_learning_rate": self.initial_learning_rate,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WarmUp:
        """Make a schedule of what `get_config` returned."""
        return cls(**{**config, "schedule": unpacked(config["schedule"])})
