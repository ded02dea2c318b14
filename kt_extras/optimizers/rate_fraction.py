"""A learning rate that is a fraction of another optimizer's."""

from __future__ import annotations

from typing import Any

from kt_extras.compat import AskedRate


class RateFraction(AskedRate):
    """The learning rate of an optimizer times a factor, whatever it is at the moment.

    Args:
        optimizer: One whose learning rate is a number.
        factor: From 0.

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
        """Change nothing: it is the rate of `optimizer` that is set, and this follows."""

    def get_config(self) -> dict[str, Any]:
        """Return the factor; it is made again with its optimizer."""
        return {"factor": self.factor}
