"""Every scheduler of the package passes the contract of schedulers."""

import numpy as np
import pytest

from kt_extras.samplers import GaussianProcess
from kt_extras.schedulers import Hyperband, Population, ProgressiveHalving, SuccessiveHalving
from kt_extras.testing import SchedulerContract


class TestPromotion(SchedulerContract):
    needs_states_after_failures = False

    def make(self):
        return SuccessiveHalving(max_epochs=9)


@pytest.mark.exhaustive
class TestPromotionFromFewEpochs(SchedulerContract):
    needs_states_after_failures = False

    def make(self):
        return SuccessiveHalving(max_epochs=11, min_epochs=2, reduction_factor=2)


class TestPromotionWithOneRung(SchedulerContract):
    needs_states_after_failures = False

    def make(self):
        return SuccessiveHalving(max_epochs=3, min_epochs=3)


class Reversed:
    """Predicts the highest loss for the trial with the lowest."""

    def forecast(self, history, rng):
        return -np.where(np.isfinite(history.losses), history.losses, 99.0)


@pytest.mark.exhaustive
class TestPromotionWithAForecaster(SchedulerContract):
    needs_states_after_failures = False

    def make(self):
        return SuccessiveHalving(max_epochs=9, forecaster=Reversed())


class TestPromotionWithAModel(SchedulerContract):
    needs_states_after_failures = False
    max_trials = 4

    def make(self):
        return SuccessiveHalving(max_epochs=9, forecaster=GaussianProcess(n_startup_trials=3))


class TestStopping(SchedulerContract):
    def make(self):
        return SuccessiveHalving(max_epochs=9, mode="stopping")


class TestProgressiveHalving(SchedulerContract):
    needs_states_after_failures = False

    def make(self):
        return ProgressiveHalving(max_epochs=27, reduction_factor=3)


@pytest.mark.exhaustive
class TestProgressiveHalvingWithAForecaster(SchedulerContract):
    needs_states_after_failures = False

    def make(self):
        return ProgressiveHalving(max_epochs=11, min_epochs=2, forecaster=Reversed())


class TestProgressiveHalvingWithOneRung(SchedulerContract):
    needs_states_after_failures = False

    def make(self):
        return ProgressiveHalving(max_epochs=3, min_epochs=3)


class TestHyperband(SchedulerContract):
    def make(self):
        return Hyperband(max_epochs=9)


@pytest.mark.exhaustive
class TestHyperbandThatIsRunTwice(SchedulerContract):
    max_trials = 26

    def make(self):
        return Hyperband(max_epochs=5, reduction_factor=2, iterations=2)


@pytest.mark.exhaustive
class TestHyperbandRoundedUp(SchedulerContract):
    def make(self):
        return Hyperband(max_epochs=10, rounding="up")


@pytest.mark.exhaustive
class TestHyperbandWithoutEnd(SchedulerContract):
    max_trials = 26

    def make(self):
        return Hyperband(max_epochs=5, reduction_factor=2, iterations=None)


class TestPopulation(SchedulerContract):
    def make(self):
        return Population(population_size=6, max_epochs=7, interval=2)


class TestPopulationWithAModel(SchedulerContract):
    max_trials = 4

    def make(self):
        return Population(population_size=4, max_epochs=5, interval=2, explore="pb2")


@pytest.mark.exhaustive
class TestPopulationOfMoreMembersThanTrials(SchedulerContract):
    def make(self):
        return Population(population_size=30, max_epochs=4, quantile=0.5)
