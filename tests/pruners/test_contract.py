"""Every pruner of the package passes the contract of pruners."""

from kt_extras.pruners import (
    AnyOf,
    MedianPruner,
    PatientPruner,
    PercentilePruner,
    ThresholdPruner,
)
from kt_extras.testing import PrunerContract


class TestMedian(PrunerContract):
    def make(self):
        return MedianPruner()


class TestMedianWithEveryOption(PrunerContract):
    def make(self):
        return MedianPruner(2, n_warmup_steps=1, interval_steps=2, n_min_trials=3)


class TestLowestPercentile(PrunerContract):
    def make(self):
        return PercentilePruner(0, n_startup_trials=0)


class TestHighestPercentile(PrunerContract):
    def make(self):
        return PercentilePruner(100, n_startup_trials=0)


class TestThreshold(PrunerContract):
    monotone = False  # very low losses are stopped as well

    def make(self):
        return ThresholdPruner(lower=-1, upper=1)


class TestPatience(PrunerContract):
    def make(self):
        return PatientPruner(patience=1, min_delta=0.5)


class TestPatientMedian(PrunerContract):
    def make(self):
        return PatientPruner(MedianPruner(1), patience=2)


class TestAnyOf(PrunerContract):
    def make(self):
        return AnyOf(MedianPruner(), PatientPruner(patience=2))
