"""Learning rates that are a fraction of another optimizer's."""

from __future__ import annotations

from typing import Any

from kt_extras import compat
from kt_extras.schedules.scaled import Scaled


class RateFraction(compat.CallableRate):
    """The current learning rate of an optimizer times a factor.

    Args:
        optimizer: An optimizer whose learning rate is a number, not a schedule.
        factor: Factor of the learning rate, at least 0.

    >>> import keras
    >>> sgd = keras.optimizers.SGD(0.5)
    >>> rate = RateFraction(sgd, 0.5)
    >>> sgd.learning_rate = 0.25
    >>> float(rate())
    0.125
    """

    def __init__(self, optimizer: Any, factor: float) -> None:
        self.optimizer = optimizer
        self.factor = factor

    def __call__(self, step: Any = None) -> Any:
        """Return the rate now, whatever the step."""
        del step
        return self.factor * self.optimizer.learning_rate

    def assign(self, value: Any) -> None:
        """Do nothing: callbacks set the learning rate of `optimizer`, which this one follows."""

    def get_config(self) -> dict[str, Any]:
        """Return the factor; the optimizer is not part of the configuration."""
        return {"factor": self.factor}


class ScheduleFraction(Scaled):
    """The learning rate of a schedule times a factor, for as many steps as its own optimizer took.

    >>> import keras
    >>> fraction = ScheduleFraction(Scaled(keras.optimizers.schedules.CosineDecay(0.5, 10)), 0.5)
    >>> fraction.set_rate(1.0, 0)
    >>> float(fraction(0))
    0.25
    """

    def set_rate(self, rate: float, step: Any) -> None:
        """Do nothing: callbacks set the schedule itself, which this one follows."""
