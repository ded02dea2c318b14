"""The one-cycle policy (Smith and Topin 2018, arXiv 1708.07120)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras.compat import require_tensorflow
from kt_extras.schedules.arguments import check_choice, check_fraction, check_rate, check_steps
from kt_extras.schedules.falls import fall


@keras.saving.register_keras_serializable(package="kt_extras")
class OneCycle(LearningRateSchedule):
    """Lets the rate rise to one high peak, and fall far below where it began.

    The names and defaults are PyTorch's, and so is the timing: step `total_steps - 1`, the
    last of the training, has the smallest rate, which also holds after it.  The paper moves the
    momentum the other way round; Keras' optimizers hold theirs fixed, so that is left out.

    Args:
        maximal_learning_rate: The rate of the peak.
        total_steps: Steps of the whole training, at least 2.
        pct_start: Fraction of the steps in which the rate rises, in [0, 1). Defaults to `0.3`.
        div_factor: The rate begins at `maximal_learning_rate / div_factor`; at least 1. Defaults to
            `25.0`.
        final_div_factor: It ends at the initial rate divided by this; at least 1. Defaults to
            `1e4`.
        anneal: `"cosine"` or, as in the paper, `"linear"`. Defaults to `"cosine"`.

    Raises:
        ValueError: An argument out of its range.

    >>> schedule = OneCycle(1.0, total_steps=10, pct_start=0.3, anneal="linear")
    >>> [round(float(schedule(step)), 2) for step in range(10)]
    [0.04, 0.52, 1.0, 0.86, 0.71, 0.57, 0.43, 0.29, 0.14, 0.0]
    """

    def __init__(
        self,
        maximal_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        anneal: str = "cosine",
    ) -> None:
        require_tensorflow(type(self).__name__)
        self.maximal_learning_rate = check_rate("maximal_learning_rate", maximal_learning_rate)
        self.total_steps = check_steps("total_steps", total_steps, minimum=2)
        self.pct_start = check_fraction("pct_start", pct_start)
        if self.pct_start == 1:
            raise ValueError(
                f"`pct_start` must lie below 1, so that the rate falls; got {pct_start!r}."
            )
        self.div_factor = _divisor("div_factor", div_factor)
        self.final_div_factor = _divisor("final_div_factor", final_div_factor)
        self.anneal = check_choice("anneal", anneal, ("cosine", "linear"))

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the rate at a step."""
        step = tf.cast(step, tf.float32)
        top = self.maximal_learning_rate
        first = top / self.div_factor
        last = first / self.final_div_factor
        peak = max(self.pct_start * self.total_steps - 1.0, 0.0)
        risen = tf.minimum(step / peak, 1.0) if peak > 0 else 1.0
        fallen = tf.clip_by_value((step - peak) / (self.total_steps - 1.0 - peak), 0.0, 1.0)
        rising = top - (top - first) * fall(tf.convert_to_tensor(risen), self.anneal)
        falling = last + (top - last) * fall(fallen, self.anneal)
        return tf.where(step <= peak, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            "maximal_learning_rate": self.maximal_learning_rate,
            "total_steps": self.total_steps,
            "pct_start": self.pct_start,
            "div_factor": self.div_factor,
            "final_div_factor": self.final_div_factor,
            "anneal": self.anneal,
        }


def _divisor(name: str, value: float) -> float:
    number = check_rate(name, value)
    if number < 1:
        raise ValueError(f"`{name}` must be at least 1, got {value!r}; it divides the rate.")
    return number
