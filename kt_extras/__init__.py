"""Search algorithms, early stopping, resuming and TensorBoard for KerasTuner.

>>> import kt_extras as kte
>>> "TPE" in dir(kte)
True

What `dir` shows is public: classes, functions and packages.  All other packages (`oracles`,
`tuners`, `records`, `analysis`, `views`, `report`, `commands`, `study`, `bridge`, `checkpoints`,
`evaluation`, `hypermodels`,
`model_reuse`, `stacking`, `tensorboard`) and modules are internal and may change in any release.

`HyperModel`, `HyperParameters`, `Objective`, `Oracle`, `applications` and `errors` are those of
`keras_tuner`; `oracles` and `tuners` have the classes that KerasTuner has there.  So a script of
KerasTuner's users runs after `import kt_extras as keras_tuner`.

Names are resolved when they are first used, so that importing the package loads neither TensorFlow
nor KerasTuner, and `kt_extras.search`, `samplers`, `pruners` and `schedulers` can be used without
them.  Files that hold its classes can be loaded after `import kt_extras`, whether Keras is imported
before it or after it.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from kt_extras.saved_classes import register_with_keras as _register_with_keras

if _TYPE_CHECKING:  # the same tables once more, for editors and type checkers
    from keras_tuner import HyperModel as HyperModel
    from keras_tuner import HyperParameters as HyperParameters
    from keras_tuner import Objective as Objective
    from keras_tuner import Oracle as Oracle
    from keras_tuner import applications as applications
    from keras_tuner import errors as errors

    from kt_extras import calibration as calibration
    from kt_extras import callbacks as callbacks
    from kt_extras import costs as costs
    from kt_extras import ensembles as ensembles
    from kt_extras import imbalance as imbalance
    from kt_extras import loggers as loggers
    from kt_extras import losses as losses
    from kt_extras import metrics as metrics
    from kt_extras import optimizers as optimizers
    from kt_extras import oracles as oracles
    from kt_extras import parallel as parallel
    from kt_extras import plots as plots
    from kt_extras import pruners as pruners
    from kt_extras import samplers as samplers
    from kt_extras import schedulers as schedulers
    from kt_extras import schedules as schedules
    from kt_extras import search as search
    from kt_extras import storage as storage
    from kt_extras import testing as testing
    from kt_extras import training as training
    from kt_extras import tuners as tuners
    from kt_extras.analysis.search_data import EvaluationData as EvaluationData
    from kt_extras.analysis.search_data import RepeatData as RepeatData
    from kt_extras.analysis.search_data import SearchData as SearchData
    from kt_extras.analysis.search_data import TrialData as TrialData
    from kt_extras.evaluation.confirmation import Confirmation as Confirmation
    from kt_extras.evaluation.confirmation import ConfirmedTrial as ConfirmedTrial
    from kt_extras.evaluation.leaks import Leaks as Leaks
    from kt_extras.evaluation.leaks import count_leaks as count_leaks
    from kt_extras.hypermodels import Boolean as Boolean
    from kt_extras.hypermodels import Choice as Choice
    from kt_extras.hypermodels import CrossValidation as CrossValidation
    from kt_extras.hypermodels import Float as Float
    from kt_extras.hypermodels import Int as Int
    from kt_extras.hypermodels import TrainingSpace as TrainingSpace
    from kt_extras.oracles.asha import ASHAOracle as ASHAOracle
    from kt_extras.oracles.bayesian_optimization import (
        BayesianOptimizationOracle as BayesianOptimizationOracle,
    )
    from kt_extras.oracles.bohb import BOHBOracle as BOHBOracle
    from kt_extras.oracles.evolution import EvolutionOracle as EvolutionOracle
    from kt_extras.oracles.grid_search import GridSearchOracle as GridSearchOracle
    from kt_extras.oracles.hyperband import HyperbandOracle as HyperbandOracle
    from kt_extras.oracles.oracle import SamplerOracle as SamplerOracle
    from kt_extras.oracles.pasha import PASHAOracle as PASHAOracle
    from kt_extras.oracles.pbt import PBTOracle as PBTOracle
    from kt_extras.oracles.random_search import RandomSearchOracle as RandomSearchOracle
    from kt_extras.oracles.search import SearchOracle as SearchOracle
    from kt_extras.oracles.tpe import TPEOracle as TPEOracle
    from kt_extras.pruners import AnyOf as AnyOf
    from kt_extras.pruners import MedianPruner as MedianPruner
    from kt_extras.pruners import PatientPruner as PatientPruner
    from kt_extras.pruners import PercentilePruner as PercentilePruner
    from kt_extras.pruners import ThresholdPruner as ThresholdPruner
    from kt_extras.study.study import Study as Study
    from kt_extras.study.study import StudyTrial as StudyTrial
    from kt_extras.tuners.asha import ASHA as ASHA
    from kt_extras.tuners.bayesian_optimization import BayesianOptimization as BayesianOptimization
    from kt_extras.tuners.bohb import BOHB as BOHB
    from kt_extras.tuners.evolution import Evolution as Evolution
    from kt_extras.tuners.fold_models import FoldModels as FoldModels
    from kt_extras.tuners.grid_search import GridSearch as GridSearch
    from kt_extras.tuners.hyperband import Hyperband as Hyperband
    from kt_extras.tuners.hyperparameter_schedule import (
        HyperparameterSchedule as HyperparameterSchedule,
    )
    from kt_extras.tuners.pasha import PASHA as PASHA
    from kt_extras.tuners.pbt import PBT as PBT
    from kt_extras.tuners.random_search import RandomSearch as RandomSearch
    from kt_extras.tuners.search import Search as Search
    from kt_extras.tuners.tpe import TPE as TPE
    from kt_extras.tuners.tuner import Tuner as Tuner
    from kt_extras.views.loaded_search import LoadedSearch as LoadedSearch
    from kt_extras.views.loaded_search import load as load
    from kt_extras.views.optuna_search import OptunaSearch as OptunaSearch
    from kt_extras.views.optuna_search import from_optuna as from_optuna

__version__ = "0.1.0"

_MODULES = (
    "calibration",
    "callbacks",
    "costs",
    "ensembles",
    "imbalance",
    "loggers",
    "losses",
    "metrics",
    "optimizers",
    "parallel",
    "plots",
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
    "BayesianOptimization": "kt_extras.tuners.bayesian_optimization",
    "BayesianOptimizationOracle": "kt_extras.oracles.bayesian_optimization",
    "Boolean": "kt_extras.hypermodels",
    "Choice": "kt_extras.hypermodels",
    "CrossValidation": "kt_extras.hypermodels",
    "Confirmation": "kt_extras.evaluation.confirmation",
    "ConfirmedTrial": "kt_extras.evaluation.confirmation",
    "EvaluationData": "kt_extras.analysis.search_data",
    "Evolution": "kt_extras.tuners.evolution",
    "EvolutionOracle": "kt_extras.oracles.evolution",
    "Float": "kt_extras.hypermodels",
    "FoldModels": "kt_extras.tuners.fold_models",
    "GridSearch": "kt_extras.tuners.grid_search",
    "GridSearchOracle": "kt_extras.oracles.grid_search",
    "Hyperband": "kt_extras.tuners.hyperband",
    "HyperbandOracle": "kt_extras.oracles.hyperband",
    "HyperparameterSchedule": "kt_extras.tuners.hyperparameter_schedule",
    "MedianPruner": "kt_extras.pruners",
    "Leaks": "kt_extras.evaluation.leaks",
    "Int": "kt_extras.hypermodels",
    "LoadedSearch": "kt_extras.views.loaded_search",
    "OptunaSearch": "kt_extras.views.optuna_search",
    "PASHA": "kt_extras.tuners.pasha",
    "PASHAOracle": "kt_extras.oracles.pasha",
    "PBT": "kt_extras.tuners.pbt",
    "PBTOracle": "kt_extras.oracles.pbt",
    "PatientPruner": "kt_extras.pruners",
    "PercentilePruner": "kt_extras.pruners",
    "RandomSearch": "kt_extras.tuners.random_search",
    "RandomSearchOracle": "kt_extras.oracles.random_search",
    "RepeatData": "kt_extras.analysis.search_data",
    "SamplerOracle": "kt_extras.oracles.oracle",
    "Search": "kt_extras.tuners.search",
    "SearchData": "kt_extras.analysis.search_data",
    "SearchOracle": "kt_extras.oracles.search",
    "Study": "kt_extras.study.study",
    "StudyTrial": "kt_extras.study.study",
    "TPE": "kt_extras.tuners.tpe",
    "TPEOracle": "kt_extras.oracles.tpe",
    "ThresholdPruner": "kt_extras.pruners",
    "TrialData": "kt_extras.analysis.search_data",
    "TrainingSpace": "kt_extras.hypermodels",
    "Tuner": "kt_extras.tuners.tuner",
    "count_leaks": "kt_extras.evaluation.leaks",
    "from_optuna": "kt_extras.views.optuna_search",
    "load": "kt_extras.views.loaded_search",
}

# KerasTuner's own names, so that a script may have all its names from here.
_OF_KERAS_TUNER = (
    "HyperModel",
    "HyperParameters",
    "Objective",
    "Oracle",
    "applications",
    "errors",
)
_AS_IN_KERAS_TUNER = ("oracles", "tuners")  # packages with the classes that KerasTuner has there

__all__ = sorted([*_HOMES, *_MODULES])


def __getattr__(name: str) -> object:
    if name in _MODULES or name in _AS_IN_KERAS_TUNER:
        return _import_module(f"{__name__}.{name}")  # which also binds it here
    home = "keras_tuner" if name in _OF_KERAS_TUNER else _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_hint(name)}")
    value = getattr(_import_module(home), name)
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
