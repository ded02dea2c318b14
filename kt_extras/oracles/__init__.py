"""The oracles, which hand out trials and take their results.

Those of KerasTuner's names are also found here, as in `keras_tuner.oracles`.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from kt_extras.oracles.bayesian_optimization import (
        BayesianOptimizationOracle as BayesianOptimizationOracle,
    )
    from kt_extras.oracles.grid_search import GridSearchOracle as GridSearchOracle
    from kt_extras.oracles.hyperband import HyperbandOracle as HyperbandOracle
    from kt_extras.oracles.random_search import RandomSearchOracle as RandomSearchOracle

_HOMES = {
    "BayesianOptimizationOracle": "bayesian_optimization",
    "GridSearchOracle": "grid_search",
    "HyperbandOracle": "hyperband",
    "RandomSearchOracle": "random_search",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
