"""Streaming metrics that Keras lacks, for imbalanced classes and for calibration.

All are single numbers, so a search can have any of them as its objective.  They take integer or
one-hot labels, and the same rows give the same value in whatever batches they come.
"""

from kt_extras.metrics.agreement import CohenKappa, MatthewsCorrelationCoefficient
from kt_extras.metrics.brier_score import BrierScore
from kt_extras.metrics.calibration_error import ExpectedCalibrationError
from kt_extras.metrics.expected_cost import ExpectedCost
from kt_extras.metrics.f1_score import F1Score
from kt_extras.metrics.multi_label import MultiLabel
from kt_extras.metrics.recalls import BalancedAccuracy, GeometricMean
from kt_extras.metrics.refinement import Refinement
from kt_extras.metrics.specificity import Specificity

__all__ = [
    "BalancedAccuracy",
    "BrierScore",
    "CohenKappa",
    "ExpectedCalibrationError",
    "ExpectedCost",
    "F1Score",
    "GeometricMean",
    "MatthewsCorrelationCoefficient",
    "MultiLabel",
    "Refinement",
    "Specificity",
]
