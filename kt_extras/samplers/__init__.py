"""The samplers that a search can use, all in NumPy and SciPy alone.

>>> from kt_extras import samplers
>>> isinstance(samplers.Random(), samplers.Sampler)
True
"""

from kt_extras.samplers.cmaes import CMAES
from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.evolution import Evolution
from kt_extras.samplers.exhaustive import Exhaustive
from kt_extras.samplers.gaussian_process import GaussianProcess
from kt_extras.samplers.largest_budget import LargestBudget
from kt_extras.samplers.random import Random
from kt_extras.samplers.sobol import Sobol
from kt_extras.samplers.tpe import TPE
from kt_extras.search.sampler import Forecaster, Sampler, SpaceExhausted

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
