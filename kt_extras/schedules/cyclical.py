"""Cyclical learning rates (Smith 2017, arXiv 1506.01186)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras.compat import require_tensorflow
from kt_extras.schedules.arguments import check_choice, check_fraction, check_rate, check_steps

_POLICIES = ("triangular", "triangular2", "exponential")


@keras.saving.register_keras_serializable(package="kt_extras")
class Cyclical(LearningRateSchedule):
    """Lets the rate rise and fall between two bounds, along straight lines.

    Args:
        initial_learning_rate: The lower bound, where each cycle begins and ends; from 0.
        maximal_learning_rate: The upper bound, at or above the lower one.
        step_size: Steps from one bound to the other, half a cycle; the paper takes 2 to 10 epochs
            (sec. 3.2).
        policy: What becomes of the height of a cycle.  `"triangular"`: it stays.
            `"triangular2"`: each cycle is half as high as the one before.  `"exponential"`, the
            paper's `exp_range`: it is multiplied by `gamma` at every step. Defaults to
            `"triangular"`.
        gamma: In (0, 1]; only for `"exponential"`, 0.99994 in the paper (table 3). Defaults to
            `0.99994`.

    Raises:
        ValueError: An argument out of its range.

    >>> schedule = Cyclical(0.1, 0.5, step_size=2, policy="triangular2")
    >>> [round(float(schedule(step)), 3) for step in range(9)]
    [0.1, 0.3, 0.5, 0.3, 0.1, 0.2, 0.3, 0.2, 0.1]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        maximal_learning_rate: float,
        step_size: int,
        policy: str = "triangular",
        gamma: float = 0.99994,
    ) -> None:
        require_tensorflow(type(self).__name__)
        self.initial_learning_rate = check_rate(
            "initial_learning_rate", initial_learning_rate, zero=True
        )
        self.maximal_learning_rate = check_rate("maximal_learning_rate", maximal_learning_rate)
        if self.maximal_learning_rate < self.initial_learning_rate:
            raise ValueError(
                "`maximal_learning_rate` must not be below `initial_learning_rate`, got "
                f"{maximal_learning_rate!r} and {initial_learning_rate!r}."
            )
        self.step_size = check_steps("step_size", step_size)
        self.policy = check_choice("policy", policy, _POLICIES)
        self.gamma = check_rate("gamma", check_fraction("gamma", gamma))

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the rate at a step."""
        step = tf.cast(step, tf.float32)
        cycle = tf.floor(step / (2.0 * self.step_size))  # counted from 0
        height = 1.0 - tf.abs(step / self.step_size - 2.0 * cycle - 1.0)
        amplitude = self.maximal_learning_rate - self.initial_learning_rate
        if self.policy == "triangular2":
            height *= 0.5**cycle
        elif self.policy == "exponential":
            height *= self.gamma**step
        return self.initial_learning_rate + amplitude * height

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        names = ("initial_learning_rate", "maximal_learning_rate", "step_size", "policy", "gamma")
        return {name: getattr(self, name) for name in names}
