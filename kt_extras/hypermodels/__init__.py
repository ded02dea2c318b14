"""Models with what lies around them in one search space: data, batch size, epochs, callbacks."""

from kt_extras.hypermodels.cross_validation import CrossValidation
from kt_extras.hypermodels.training_space import TrainingSpace
from kt_extras.hypermodels.values import Boolean, Choice, Float, Int

__all__ = ["Boolean", "Choice", "CrossValidation", "Float", "Int", "TrainingSpace"]
