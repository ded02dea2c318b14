"""Thresholds, calibrated probabilities, and Keras models that carry both.

A model that `calibrate` has made can be loaded after `import kt_extras`.
"""

from kt_extras.calibration.adapter import TrainedClassifier
from kt_extras.calibration.calibrate import calibrate
from kt_extras.calibration.constraints import PrecisionAtRecall, RecallAtPrecision
from kt_extras.calibration.criteria import (
    BalancedAccuracy,
    Criterion,
    ExpectedCost,
    FBeta,
    GeometricMean,
    Matthews,
    YoudenJ,
    criterion_of,
)
from kt_extras.calibration.fitting import fit_calibration
from kt_extras.calibration.layers import (
    CalibrationLayer,
    Decision,
    IsotonicCalibration,
    PlattScaling,
    TemperatureScaling,
    VectorScaling,
)
from kt_extras.calibration.reliability import expected_calibration_error
from kt_extras.calibration.thresholds import Thresholds, fit_thresholds

__all__ = [
    "BalancedAccuracy",
    "CalibrationLayer",
    "Criterion",
    "Decision",
    "ExpectedCost",
    "FBeta",
    "GeometricMean",
    "IsotonicCalibration",
    "Matthews",
    "PlattScaling",
    "PrecisionAtRecall",
    "RecallAtPrecision",
    "TemperatureScaling",
    "Thresholds",
    "TrainedClassifier",
    "VectorScaling",
    "YoudenJ",
    "calibrate",
    "criterion_of",
    "expected_calibration_error",
    "fit_calibration",
    "fit_thresholds",
]
