"""Schedulers decide which trial trains next and for how many epochs, in NumPy alone."""

from kt_extras.schedulers.hyperband import Hyperband
from kt_extras.schedulers.population import Population
from kt_extras.schedulers.progressive_halving import ProgressiveHalving
from kt_extras.schedulers.scheduler import PlannedRung, Resume, Scheduler, Start
from kt_extras.schedulers.successive_halving import SuccessiveHalving

__all__ = [
    "Hyperband",
    "PlannedRung",
    "Population",
    "ProgressiveHalving",
    "Resume",
    "Scheduler",
    "Start",
    "SuccessiveHalving",
]
