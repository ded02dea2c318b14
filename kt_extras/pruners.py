"""The rules of early stopping, under one short name: `kt_extras.pruners.MedianPruner()`."""

from kt_extras.pruning import (
    AnyOf,
    MedianPruner,
    PatientPruner,
    PercentilePruner,
    Pruner,
    ThresholdPruner,
)

__all__ = [
    "AnyOf",
    "MedianPruner",
    "PatientPruner",
    "PercentilePruner",
    "Pruner",
    "ThresholdPruner",
]
