"""The inverse square root of the step (Vaswani et al. 2017, arXiv 1706.03762, sec. 5.3)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras.compat import require_tensorflow
from kt_extras.schedules.arguments import check_rate, check_steps


@keras.saving.register_keras_serializable(package="kt_extras")
class InverseSquareRoot(LearningRateSchedule):
    """Divides the rate by the square root of 1 + step / timescale.

    It needs no end.  `WarmUp(InverseSquareRoot(rate, steps), steps)` is the paper's schedule with
    its peak at `rate`.

    Args:
        learning_rate: The rate at step 0.
        timescale: After three times as many steps the rate is half of what it was.

    Raises:
        ValueError: An argument out of its range.

    >>> schedule = InverseSquareRoot(1.0, timescale=10)
    >>> [round(float(schedule(step)), 3) for step in (0, 30, 150)]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, learning_rate: float, timescale: int) -> None:
        require_tensorflow(type(self).__name__)
        self.learning_rate = check_rate("learning_rate", learning_rate)
        self.timescale = check_steps("timescale", timescale)

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the rate at a step."""
        return self.learning_rate * tf.math.rsqrt(1.0 + tf.cast(step, tf.float32) / self.timescale)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"learning_rate": self.learning_rate, "timescale": self.timescale}
