"""A schedule that can be made higher or lower while it runs."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras import compat
from kt_extras.compat import require_tensorflow
from kt_extras.schedules.arguments import check_rate
from kt_extras.schedules.rates import Rate, check_schedule, packed, rate_at, unpacked


@keras.saving.register_keras_serializable(package="kt_extras")
class Scaled(LearningRateSchedule):
    """Multiplies a schedule by a scale that may be changed at any time.

    Keras does not allow setting the learning rate of an optimizer that was made with a schedule.
    Population based training has to change it all the same; it changes the scale.  So do callbacks
    that set the learning rate, such as `ReduceLROnPlateau`: from then on the schedule goes on at
    the height at which the next step has that rate.  The scale is a variable: compiled training
    steps see a new value without being traced again.

    Args:
        schedule: Any schedule, or a number.
        scale: From 0; 1 leaves the schedule as it is. Defaults to `1.0`.

    Attributes:
        scale: The scale now, as a number; may be assigned to.  It belongs to the configuration, so
            it is saved with the model, but not with the weights alone.

    Raises:
        ValueError: An argument out of its range, at once or when the scale is assigned to.

    >>> schedule = Scaled(keras.optimizers.schedules.PolynomialDecay(0.4, 4, 0.0))
    >>> schedule.scale *= 2
    >>> [round(float(schedule(step)), 3) for step in range(5)]
    [0.8, 0.6, 0.4, 0.2, 0.0]
    """

    def __init__(self, schedule: Rate, scale: float = 1.0) -> None:
        require_tensorflow(type(self).__name__)
        self.schedule = check_schedule("schedule", schedule)
        scale = check_rate("scale", scale, zero=True)
        with tf.init_scope():  # also if the optimizer is made inside a function of TensorFlow
            self._scale = tf.Variable(scale, trainable=False, dtype=tf.float32, name="scale")

    @property
    def scale(self) -> float:
        """The scale now."""
        return float(self._scale.numpy())

    @scale.setter
    def scale(self, value: float) -> None:
        self._scale.assign(check_rate("scale", value, zero=True))

    def set_rate(self, rate: float, step: Any) -> None:
        """Change the scale so that a step has another rate.

        Args:
            rate: The rate, from 0.
            step: The step.

        Raises:
            ValueError: `rate` is out of its range, or no scale leads to it, for the schedule is 0.
        """
        rate = check_rate("learning_rate", rate, zero=True)
        unscaled = float(rate_at(self.schedule, step))
        if rate and not unscaled:
            raise ValueError(
                f"`learning_rate` cannot be set to {rate:g} at step {int(step)}: there the "
                "schedule is 0, which a `Scaled` multiplies.  Use a schedule that stays above 0."
            )
        self.scale = rate / unscaled if rate else 0.0

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the rate at a step."""
        return rate_at(self.schedule, step) * self._scale

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, with the scale as it is now."""
        return {"schedule": packed(self.schedule), "scale": self.scale}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Scaled:
        """Make a schedule of what `get_config` returned."""
        return cls(**{**config, "schedule": unpacked(config["schedule"])})


compat.let_rates_be_set(Scaled)
