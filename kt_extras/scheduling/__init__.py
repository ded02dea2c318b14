"""Who gets how many epochs: rungs, brackets and populations, in NumPy alone."""

from kt_extras.scheduling.hyperband import Hyperband
from kt_extras.scheduling.population import Population
from kt_extras.scheduling.scheduler import PlannedRung, Resume, Scheduler, Start
from kt_extras.scheduling.successive_halving import SuccessiveHalving

__all__ = [
    "Hyperband",
    "PlannedRung",
    "Population",
    "Resume",
    "Scheduler",
    "Start",
    "SuccessiveHalving",
]
