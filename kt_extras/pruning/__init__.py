"""The mathematics of stopping hopeless trials early, in NumPy alone."""

from kt_extras.pruning.any_of import AnyOf
from kt_extras.pruning.patient import PatientPruner
from kt_extras.pruning.percentile import MedianPruner, PercentilePruner
from kt_extras.pruning.pruner import Pruner
from kt_extras.pruning.threshold import ThresholdPruner

__all__ = [
    "AnyOf",
    "MedianPruner",
    "PatientPruner",
    "PercentilePruner",
    "Pruner",
    "ThresholdPruner",
]
