"""The samplers that a search can use, all in NumPy and SciPy alone.

>>> from kt_extras import samplers
>>> isinstance(samplers.Random(), samplers.Sampler)
True
"""

from kt_extras.search.cmaes import CMAES
from kt_extras.search.distinct import Distinct
from kt_extras.search.evolution import Evolution
from kt_extras.search.exhaustive import Exhaustive
from kt_extras.search.gaussian_process import GaussianProcess
from kt_extras.search.largest_budget import LargestBudget
from kt_extras.search.random import Random
from kt_extras.search.sampler import Forecaster, Sampler, SpaceExhausted
from kt_extras.search.sobol import Sobol
from kt_extras.search.tpe import TPE

__all__ = [
    "CMAES",
    "TPE",
    "Distinct",
    "Evolution",
    "Exhaustive",
    "Forecaster",
    "GaussianProcess",
    "LargestBudget",
    "Random",
    "Sampler",
    "Sobol",
    "SpaceExhausted",
]
