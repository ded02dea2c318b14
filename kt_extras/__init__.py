"""Search algorithms, early stopping, resuming and TensorBoard for KerasTuner.

>>> import kt_extras as kte
>>> "TPE" in dir(kte)
True

Names are resolved when they are first used, so that importing the package loads neither TensorFlow
nor KerasTuner, and `kt_extras.search` and `kt_extras.pruning` can be used without them.  If Keras
is loaded before, it is told of the classes that saved models may hold.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same table once more, for editors and type checkers
    from kt_extras import calibration as calibration
    from kt_extras import callbacks as callbacks
    from kt_extras import imbalance as imbalance
    from kt_extras import losses as losses
    from kt_extras import metrics as metrics
    from kt_extras import optimizers as optimizers
    from kt_extras import oracles as oracles
    from kt_extras import pruners as pruners
    from kt_extras import pruning as pruning
    from kt_extras import samplers as samplers
    from kt_extras import schedules as schedules
    from kt_extras import scheduling as scheduling
    from kt_extras import search as search
    from kt_extras import tensorboard as tensorboard
    from kt_extras import testing as testing
    from kt_extras import training as training
    from kt_extras.oracles.asha import ASHA as ASHA
    from kt_extras.oracles.asha import ASHAOracle as ASHAOracle
    from kt_extras.oracles.bohb import BOHB as BOHB
    from kt_extras.oracles.bohb import BOHBOracle as BOHBOracle
    from kt_extras.oracles.evolution import Evolution as Evolution
    from kt_extras.oracles.evolution import EvolutionOracle as EvolutionOracle
    from kt_extras.oracles.lineage import HyperparameterSchedule as HyperparameterSchedule
    from kt_extras.oracles.oracle import SamplerOracle as SamplerOracle
    from kt_extras.oracles.pbt import PBT as PBT
    from kt_extras.oracles.pbt import PBTOracle as PBTOracle
    from kt_extras.oracles.tpe import TPE as TPE
    from kt_extras.oracles.tpe import TPEOracle as TPEOracle
    from kt_extras.oracles.tuner import Tuner as Tuner
    from kt_extras.pruning import AnyOf as AnyOf
    from kt_extras.pruning import MedianPruner as MedianPruner
    from kt_extras.pruning import PatientPruner as PatientPruner
    from kt_extras.pruning import PercentilePruner as PercentilePruner
    from kt_extras.pruning import ThresholdPruner as ThresholdPruner

__version__ = "0.1.0"

_MODULES = (
    "calibration",
    "callbacks",
    "imbalance",
    "losses",
    "metrics",
    "optimizers",
    "oracles",
    "pruners",
    "pruning",
    "samplers",
    "schedules",
    "scheduling",
    "search",
    "tensorboard",
    "testing",
    "training",
)
_HOMES = {
    "ASHA": "kt_extras.oracles.asha",
    "ASHAOracle": "kt_extras.oracles.asha",
    "AnyOf": "kt_extras.pruning",
    "BOHB": "kt_extras.oracles.bohb",
    "BOHBOracle": "kt_extras.oracles.bohb",
    "Evolution": "kt_extras.oracles.evolution",
    "EvolutionOracle": "kt_extras.oracles.evolution",
    "HyperparameterSchedule": "kt_extras.oracles.lineage",
    "MedianPruner": "kt_extras.pruning",
    "PBT": "kt_extras.oracles.pbt",
    "PBTOracle": "kt_extras.oracles.pbt",
    "PatientPruner": "kt_extras.pruning",
    "PercentilePruner": "kt_extras.pruning",
    "SamplerOracle": "kt_extras.oracles.oracle",
    "TPE": "kt_extras.oracles.tpe",
    "TPEOracle": "kt_extras.oracles.tpe",
    "ThresholdPruner": "kt_extras.pruning",
    "Tuner": "kt_extras.oracles.tuner",
}

__all__ = sorted([*_HOMES, *_MODULES])


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")  # which also binds it here
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "keras" in sys.modules:
    for _saved in ("calibration", "losses", "metrics", "optimizers", "schedules"):
        import_module(f"{__name__}.{_saved}")
