"""Differential learning rates, and the learning rate of any optimizer."""

from kt_extras.optimizers.copies import with_learning_rate
from kt_extras.optimizers.differential import differential
from kt_extras.optimizers.learning_rates import learning_rates, scale_learning_rate

__all__ = ["differential", "learning_rates", "scale_learning_rate", "with_learning_rate"]
