"""What optimizers that train each variable with one of several have in common."""

from __future__ import annotations

from typing import Any

import keras

from kt_extras.compat import schedule_steps
from kt_extras.optimizers.factors import LearningRateFactors


class AssignedOptimizer:
    """The base of an optimizer that leaves the variables to those of an assignment.

    A subclass takes the assignment as its first argument, and keeps it as `_assignment`.
    """

    name: str
    _assignment: LearningRateFactors

    @property
    def learning_rate(self) -> Any:
        """The learning rate of factor 1, of which the other ones are fractions."""
        return self._assignment.default_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._assignment.default_optimizer.learning_rate = value

    def _count_step(self) -> None:
        """Count a step for the default optimizer, whose rate is the one that is read.

        It counts itself if it trains a variable.
        """
        if not self._assignment.uses_default:
            schedule_steps(self._assignment.default_optimizer).assign_add(1)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Exclude variables from weight decay, whatever their factor."""
        self._assignment.default_optimizer.exclude_from_weight_decay(var_list, var_names)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            "assignment": keras.saving.serialize_keras_object(self._assignment),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Create an optimizer from the result of `get_config`."""
        assignment = keras.saving.deserialize_keras_object(config["assignment"], custom_objects)
        return cls(**{**config, "assignment": assignment})
