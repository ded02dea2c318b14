"""The tuners, and what they do with the trials that an oracle hands out.

Those of KerasTuner's names are also found here, as in `keras_tuner.tuners`.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from kt_extras.tuners.bayesian_optimization import BayesianOptimization as BayesianOptimization
    from kt_extras.tuners.grid_search import GridSearch as GridSearch
    from kt_extras.tuners.hyperband import Hyperband as Hyperband
    from kt_extras.tuners.random_search import RandomSearch as RandomSearch
    from kt_extras.tuners.tuner import Tuner as Tuner

_HOMES = {
    "BayesianOptimization": "bayesian_optimization",
    "GridSearch": "grid_search",
    "Hyperband": "hyperband",
    "RandomSearch": "random_search",
    "Tuner": "tuner",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
