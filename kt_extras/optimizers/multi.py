"""One optimizer made of several, for both generations of Keras."""

from __future__ import annotations

from typing import Any

import keras

from kt_extras.compat import KERAS_3
from kt_extras.optimizers.composite import CompositeOptimizer


def multi_optimizer(assignment: Any) -> Any:
    """Return an optimizer that trains each variable with the optimizer assigned to it.

    Args:
        assignment: Returns the optimizer of a variable when called with it.

    Raises:
        ImportError: Keras 3 is too old to have `MultiOptimizer`.
    """
    if not KERAS_3:
        return CompositeOptimizer(assignment)
    if not hasattr(keras.optimizers, "MultiOptimizer"):
        raise ImportError(
            "Learning rates that differ between layers need `keras.optimizers.MultiOptimizer`, "
            f"which Keras {keras.__version__} does not have; run `pip install -U keras`."
        )
    return keras.optimizers.MultiOptimizer(assignment)
