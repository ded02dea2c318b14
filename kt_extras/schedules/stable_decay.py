"""Warm-up, stable, decay (MiniCPM: Hu et al. 2024, arXiv 2404.06395, sec. 4.2)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras.compat import require_tensorflow
from kt_extras.schedules.arguments import check_choice, check_fraction, check_rate, check_steps
from kt_extras.schedules.falls import SHAPES, fall


@keras.saving.register_keras_serializable(package="kt_extras")
class WarmUpStableDecay(LearningRateSchedule):
    """Lets the rate rise, stay for most of the training, and fall at its end.

    Unlike a cosine it need not know the length of the training until the fall begins.

    Args:
        learning_rate: The rate of the stable part.
        warmup_steps: Steps of the linear rise from 0; may be 0.
        stable_steps: Steps at `learning_rate`; may be 0.
        decay_steps: Steps of the fall, a tenth of the training in the paper.
        alpha: Where the fall ends, as a fraction of `learning_rate`, in [0, 1]. Defaults to `0.0`.
        shape: Of the fall: `"linear"`, `"cosine"`, `"sqrt"` (1 minus the square root), or
            `"exponential"`, the paper's, which needs an `alpha` above 0. Defaults to `"linear"`.

    Raises:
        ValueError: An argument out of its range.

    >>> schedule = WarmUpStableDecay(0.4, warmup_steps=2, stable_steps=3, decay_steps=2)
    >>> [round(float(schedule(step)), 2) for step in range(8)]
    [0.0, 0.2, 0.4, 0.4, 0.4, 0.4, 0.2, 0.0]
    """

    def __init__(
        self,
        learning_rate: float,
        warmup_steps: int,
        stable_steps: int,
        decay_steps: int,
        alpha: float = 0.0,
        shape: str = "linear",
    ) -> None:
        require_tensorflow(type(self).__name__)
        self.learning_rate = check_rate("learning_rate", learning_rate)
        self.warmup_steps = check_steps("warmup_steps", warmup_steps, minimum=0)
        self.stable_steps = check_steps("stable_steps", stable_steps, minimum=0)
        self.decay_steps = check_steps("decay_steps", decay_steps)
        self.alpha = check_fraction("alpha", alpha)
        self.shape = check_choice("shape", shape, (*SHAPES, "exponential"))
        if self.shape == "exponential" and not self.alpha:
            raise ValueError(
                f"`alpha` must be above 0 for an exponential fall, got {alpha!r}; 0.1 ends at a "
                "tenth of `learning_rate`."
            )

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the rate at a step."""
        step = tf.cast(step, tf.float32)
        begin = self.warmup_steps + self.stable_steps
        progress = tf.clip_by_value((step - begin) / self.decay_steps, 0.0, 1.0)
        if self.shape == "exponential":
            height = self.alpha**progress
        else:
            height = self.alpha + (1.0 - self.alpha) * fall(progress, self.shape)
        if self.warmup_steps:
            height *= tf.minimum(step / self.warmup_steps, 1.0)
        return self.learning_rate * height

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        names = ("learning_rate", "warmup_steps", "stable_steps", "decay_steps", "alpha", "shape")
        return {name: getattr(self, name) for name in names}
