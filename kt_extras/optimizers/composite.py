"""An optimizer for Keras 2 that trains each variable with one of several optimizers."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat
from kt_extras.optimizers.assigned import AssignedOptimizer
from kt_extras.optimizers.factors import LearningRateFactors


@keras.saving.register_keras_serializable(package="kt_extras")
class CompositeOptimizer(AssignedOptimizer, keras.optimizers.Optimizer):
    """Trains each variable with its own optimizer, as Keras 3's `MultiOptimizer` does.

    Args:
        assignment: Returns the optimizer of a variable.
        name: Name of the optimizer. Defaults to `"composite_optimizer"`.

    Attributes:
        optimizers: All optimizers, the default one last.
    """

    def __init__(self, assignment: LearningRateFactors, name: str = "composite_optimizer") -> None:
        super().__init__(name=name)
        self._assignment = assignment
        self.optimizers = [*assignment.values(), assignment.default_optimizer]

    @property
    def lr(self) -> Any:
        """The learning rate of factor 1, as Keras' callbacks read and set it."""
        return self._assignment.default_optimizer.lr

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    @property
    def variables(self) -> Any:
        """The variables of all optimizers, with their learning rates, as on Keras 3."""
        own = super().variables
        for optimizer in self.optimizers:
            rate = compat.stored_learning_rate(optimizer)
            own.extend([*optimizer.variables, *([rate] if isinstance(rate, tf.Variable) else [])])
        return own

    def build(self, var_list: list[Any]) -> None:
        """Create the variables of all optimizers."""
        if getattr(self, "_built", False):
            return
        super().build(var_list)
        self._assignment.assign(var_list)
        for optimizer in self.optimizers:
            if own := self._variables_of(optimizer, var_list):
                optimizer.build(own)
        self._built = True

    def apply_gradients(self, grads_and_vars: Any, name: Any = None, **options: Any) -> tf.Variable:
        """Let each optimizer update its variables."""
        pairs = list(grads_and_vars)
        with tf.init_scope():
            self.build([variable for _, variable in pairs])
        for optimizer in self.optimizers:
            if own := [pair for pair in pairs if self._assignment(pair[1]) is optimizer]:
                optimizer.apply_gradients(own, name=name, **options)
        self._count_step()
        return self.iterations.assign_add(1)

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Let each optimizer finish its variables."""
        for optimizer in self.optimizers:
            if own := self._variables_of(optimizer, var_list):
                optimizer.finalize_variable_values(own)

    def _variables_of(self, optimizer: Any, variables: list[Any]) -> list[Any]:
        return [variable for variable in variables if self._assignment(variable) is optimizer]
