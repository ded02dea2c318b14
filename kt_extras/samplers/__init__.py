"""The samplers that a search can use.

>>> from kt_extras import samplers
>>> isinstance(samplers.Random(), samplers.Sampler)
True
"""

from kt_extras.samplers.auto import Auto
from kt_extras.samplers.bayesian_optimization import BayesianOptimization
from kt_extras.samplers.cmaes import CMAES
from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.evolution import Evolution
from kt_extras.samplers.exhaustive import Exhaustive
from kt_extras.samplers.gaussian_process import GaussianProcess
from kt_extras.samplers.grid import Grid
from kt_extras.samplers.largest_budget import LargestBudget
from kt_extras.samplers.nsga2 import NSGA2
from kt_extras.samplers.random import Random
from kt_extras.samplers.random_forest import RandomForest
from kt_extras.samplers.sobol import Sobol
from kt_extras.samplers.tpe import TPE
from kt_extras.search.sampler import Forecaster, Sampler, SpaceExhausted

__all__ = [
    "CMAES",
    "NSGA2",
    "TPE",
    "Auto",
    "BayesianOptimization",
    "Distinct",
    "Evolution",
    "Exhaustive",
    "Forecaster",
    "GaussianProcess",
    "Grid",
    "LargestBudget",
    "Random",
    "RandomForest",
    "Sampler",
    "Sobol",
    "SpaceExhausted",
]
