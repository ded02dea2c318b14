"""Pruners decide after each epoch whether to stop a trial early, in NumPy alone."""

from kt_extras.pruners.any_of import AnyOf
from kt_extras.pruners.patient import PatientPruner
from kt_extras.pruners.percentile import MedianPruner, PercentilePruner
from kt_extras.pruners.pruner import Pruner
from kt_extras.pruners.threshold import ThresholdPruner

__all__ = [
    "AnyOf",
    "MedianPruner",
    "PatientPruner",
    "PercentilePruner",
    "Pruner",
    "ThresholdPruner",
]
