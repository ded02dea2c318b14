import math

import keras_tuner

import kt_extras as kte
from kt_extras.testing import OracleContract

LOSS = keras_tuner.Objective("val_loss", "min")


class TestASHAOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.ASHAOracle(max_epochs=4, reduction_factor=2, **kwargs)


class TestASHAOracleWithTPE(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.ASHAOracle(max_epochs=4, reduction_factor=2, sampler="tpe", **kwargs)


class TestStoppingASHAOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.ASHAOracle(max_epochs=4, reduction_factor=2, mode="stopping", **kwargs)


class TestBOHBOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.BOHBOracle(max_epochs=4, reduction_factor=2, **kwargs)


class TestPBTOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        kwargs.pop("max_trials")
        return kte.PBTOracle(population_size=self.max_trials, max_epochs=4, **kwargs)

    def test_a_loss_that_is_no_number_fails_the_trial_and_not_the_search(self):
        """A member whose loss is no number takes over from another and goes on."""
        oracle = self._oracle()
        first = oracle.create_trial("worker")
        oracle.update_trial(first.trial_id, {"val_loss": math.nan}, step=0)
        self._end(oracle, first)
        assert oracle.entry(first.trial_id).state == "paused"
        self._trials(oracle)
        assert oracle.entry(first.trial_id).takeovers[0].epoch == 1
        assert oracle.get_trial(first.trial_id).status == "COMPLETED"
