"""One optimizer made of several, for both generations of Keras."""

from __future__ import annotations

from typing import Any

import keras

from kt_extras.compat import KERAS_3
from kt_extras.optimizers.assigned import AssignedOptimizer
from kt_extras.optimizers.composite import CompositeOptimizer
from kt_extras.optimizers.factors import LearningRateFactors

_Multi: Any = getattr(keras.optimizers, "MultiOptimizer", object)


@keras.saving.register_keras_serializable(package="kt_extras")
class DifferentialOptimizer(AssignedOptimizer, _Multi):
    """Keras 3's `MultiOptimizer`, with a learning rate that can be read and set.

    Args:
        assignment: Returns the optimizer of a variable.
        loss_scale_factor: As for any optimizer.  Defaults to None.
        name: Name of the optimizer.  Defaults to `"differential_optimizer"`.
    """

    def __init__(
        self,
        assignment: LearningRateFactors,
        loss_scale_factor: float | None = None,
        name: str = "differential_optimizer",
    ) -> None:
        super().__init__(assignment, loss_scale_factor=loss_scale_factor, name=name)
        self._assignment = assignment

    def build(self, var_list: list[Any]) -> None:
        """Create the variables of all optimizers."""
        if not self.built:
            self._assignment.assign(var_list)
        super().build(var_list)

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Let each optimizer update its variables."""
        super().apply(grads, trainable_variables)
        if len(grads):
            self._count_step()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "loss_scale_factor": self.loss_scale_factor}


def multi_optimizer(assignment: LearningRateFactors) -> Any:
    """Return an optimizer that trains each variable with the optimizer assigned to it.

    Args:
        assignment: Returns the optimizer of a variable when called with it.

    Raises:
        ImportError: Keras 3 is too old to have `MultiOptimizer`.
    """
    if not KERAS_3:
        return CompositeOptimizer(assignment)
    if _Multi is object:
        raise ImportError(
            "Learning rates that differ between layers need `keras.optimizers.MultiOptimizer`, "
            f"which Keras {keras.__version__} does not have; run `pip install -U keras`."
        )
    return DifferentialOptimizer(assignment)
