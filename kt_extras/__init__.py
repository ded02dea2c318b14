"""Search algorithms, early stopping, resuming and TensorBoard for KerasTuner.

>>> import kt_extras as kte
>>> "TPE" in dir(kte)
True

What `dir` shows is public: classes, functions and packages.  All other packages (`oracles`,
`tuners`, `records`, `bridge`, `checkpoints`, `model_reuse`, `stacking`, `tensorboard`) and modules
are internal and may change in any release.

Names are resolved when they are first used, so that importing the package loads neither TensorFlow
nor KerasTuner, and `kt_extras.search`, `samplers`, `pruners` and `schedulers` can be used without
them.  Files that hold its classes can be loaded after `import kt_extras`, whether Keras is imported
before it or after it.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from kt_extras.saved_classes import register_with_keras as _register_with_keras

if _TYPE_CHECKING:  # the same table once more, for editors and type checkers
    from kt_extras import calibration as calibration
    from kt_extras import callbacks as callbacks
    from kt_extras import imbalance as imbalance
    from kt_extras import losses as losses
    from kt_extras import metrics as metrics
    from kt_extras import optimizers as optimizers
    from kt_extras import pruners as pruners
    from kt_extras import samplers as samplers
    from kt_extras import schedulers as schedulers
    from kt_extras import schedules as schedules
    from kt_extras import search as search
    from kt_extras import storage as storage
    from kt_extras import testing as testing
    from kt_extras import training as training
    from kt_extras.oracles.asha import ASHAOracle as ASHAOracle
    from kt_extras.oracles.bohb import BOHBOracle as BOHBOracle
    from kt_extras.oracles.evolution import EvolutionOracle as EvolutionOracle
    from kt_extras.oracles.oracle import SamplerOracle as SamplerOracle
    from kt_extras.oracles.pbt import PBTOracle as PBTOracle
    from kt_extras.oracles.tpe import TPEOracle as TPEOracle
    from kt_extras.pruners import AnyOf as AnyOf
    from kt_extras.pruners import MedianPruner as MedianPruner
    from kt_extras.pruners import PatientPruner as PatientPruner
    from kt_extras.pruners import PercentilePruner as PercentilePruner
    from kt_extras.pruners import ThresholdPruner as ThresholdPruner
    from kt_extras.records.recorded_search import load_results as load_results
    from kt_extras.tuners.asha import ASHA as ASHA
    from kt_extras.tuners.bohb import BOHB as BOHB
    from kt_extras.tuners.evolution import Evolution as Evolution
    from kt_extras.tuners.hyperparameter_schedule import (
        HyperparameterSchedule as HyperparameterSchedule,
    )
    from kt_extras.tuners.pbt import PBT as PBT
    from kt_extras.tuners.tpe import TPE as TPE
    from kt_extras.tuners.tuner import Tuner as Tuner

__version__ = "0.1.0"

_MODULES = (
    "calibration",
    "callbacks",
    "imbalance",
    "losses",
    "metrics",
    "optimizers",
    "pruners",
    "samplers",
    "schedulers",
    "schedules",
    "search",
    "storage",
    "testing",
    "training",
)
_HOMES = {
    "ASHA": "kt_extras.tuners.asha",
    "ASHAOracle": "kt_extras.oracles.asha",
    "AnyOf": "kt_extras.pruners",
    "BOHB": "kt_extras.tuners.bohb",
    "BOHBOracle": "kt_extras.oracles.bohb",
    "Evolution": "kt_extras.tuners.evolution",
    "EvolutionOracle": "kt_extras.oracles.evolution",
    "HyperparameterSchedule": "kt_extras.tuners.hyperparameter_schedule",
    "MedianPruner": "kt_extras.pruners",
    "PBT": "kt_extras.tuners.pbt",
    "PBTOracle": "kt_extras.oracles.pbt",
    "PatientPruner": "kt_extras.pruners",
    "PercentilePruner": "kt_extras.pruners",
    "SamplerOracle": "kt_extras.oracles.oracle",
    "TPE": "kt_extras.tuners.tpe",
    "TPEOracle": "kt_extras.oracles.tpe",
    "ThresholdPruner": "kt_extras.pruners",
    "Tuner": "kt_extras.tuners.tuner",
    "load_results": "kt_extras.records.recorded_search",
}

__all__ = sorted([*_HOMES, *_MODULES])


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return _import_module(f"{__name__}.{name}")  # which also binds it here
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_hint(name)}")
    value = getattr(_import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def _hint(name: str) -> str:
    """Return what to use in place of a name that there is not."""
    if name.startswith("_"):
        return ""
    from kt_extras.oracles.borrowed_names import class_here

    here = class_here(name)
    return f"; use {here}." if here else ""


def __dir__() -> list[str]:
    return ["__version__", *__all__]


_register_with_keras()
