"""Keras callbacks: what changes, watches or ends a training, with or without a search."""

from kt_extras.callbacks.batch_statistics import update_batch_statistics
from kt_extras.callbacks.deferred_reweighting import DeferredReweighting
from kt_extras.callbacks.evaluation_board import EvaluationBoard
from kt_extras.callbacks.learning_rate_logger import LearningRateLogger
from kt_extras.callbacks.range_test import RangeTest, learning_rate_range_test
from kt_extras.callbacks.threshold_calibration import ThresholdCalibration
from kt_extras.callbacks.time_stopping import TimeStopping
from kt_extras.callbacks.weight_averaging import StochasticWeightAveraging

__all__ = [
    "DeferredReweighting",
    "EvaluationBoard",
    "LearningRateLogger",
    "RangeTest",
    "StochasticWeightAveraging",
    "ThresholdCalibration",
    "TimeStopping",
    "learning_rate_range_test",
    "update_batch_statistics",
]
