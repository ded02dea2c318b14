"""The classes that saved models may hold, made known to Keras without being imported.

Keras finds a class of a file by its registered name, so the name must be registered before a file
is loaded.  Registering the classes themselves would load TensorFlow with `import kt_extras`.
Instead, as soon as Keras is imported, before or after `kt_extras`, a stand-in is registered for
each of them, which imports the class when a file asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: The classes by the package that has them.
SAVED_CLASSES = {
    "calibration.layers": (
        "Decision",
        "IsotonicCalibration",
        "PlattScaling",
        "TemperatureScaling",
        "VectorScaling",
    ),
    "ensembles.averaged": ("ModelAverage",),
    "losses": (
        "AsymmetricLoss",
        "BalancedSoftmax",
        "ExpectedCostLoss",
        "LDAM",
        "LogitAdjustedCrossentropy",
        "PinballLoss",
        "Poly1Crossentropy",
        "SoftFBetaLoss",
        "SparseFocalCrossentropy",
        "SparseSmoothedCrossentropy",
        "WeightedBinaryCrossentropy",
        "WeightedCrossentropy",
    ),
    "metrics": (
        "BalancedAccuracy",
        "BrierScore",
        "CohenKappa",
        "ExpectedCalibrationError",
        "ExpectedCost",
        "F1Score",
        "GeometricMean",
        "MatthewsCorrelationCoefficient",
        "MultiLabel",
        "Refinement",
        "Specificity",
    ),
    "optimizers.composite": ("CompositeOptimizer",),
    "optimizers.factors": ("LearningRateFactors",),
    "optimizers.multi": ("DifferentialOptimizer",),
    "schedules": (
        "Chain",
        "Cyclical",
        "InverseSquareRoot",
        "OneCycle",
        "Scaled",
        "WarmUp",
        "WarmUpStableDecay",
    ),
}


def register_with_keras() -> None:
    """Register the classes now if Keras is imported already, else as soon as it is."""
    keras = sys.modules.get("keras")
    if keras is None:
        sys.meta_path.insert(0, _KerasImport())
    else:
        _register(keras)


def _register(keras: ModuleType) -> None:
    """Register a stand-in for each class that is not registered yet."""
    registered = keras.saving.get_custom_objects()
    for module, names in SAVED_CLASSES.items():
        for name in names:
            registered.setdefault(f"kt_extras>{name}", _stand_in(f"kt_extras.{module}", name))


def _stand_in(module: str, name: str) -> type:
    """Return a class in whose place, when an instance is made, the class itself is imported.

    The class registers itself by that, so the stand-in is used once.
    """

    def make(_: type, *arguments: Any, **keywords: Any) -> Any:
        return getattr(import_module(module), name)(*arguments, **keywords)

    def from_config(_: type, config: Any) -> Any:
        return getattr(import_module(module), name).from_config(config)

    members = {"__module__": module, "__new__": make, "from_config": classmethod(from_config)}
    return type(name, (), members)


class _KerasImport:
    """A finder of `sys.meta_path` that leaves finding to the others, and waits for Keras."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return None, except for Keras, whose loader registers the classes at its end."""
        if name != "keras":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            loader, execute = spec.loader, spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _register(module)

            loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
