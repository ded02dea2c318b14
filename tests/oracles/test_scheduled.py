import math

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.testing import OracleContract

LOSS = keras_tuner.Objective("val_loss", "min")


class TestASHAOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.ASHAOracle(max_epochs=4, reduction_factor=2, **kwargs)


class TestASHAOracleWithRandomSampling(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.ASHAOracle(max_epochs=4, reduction_factor=2, sampler="random", **kwargs)


class TestASHAOracleWithForecasts(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        early = kte.samplers.GaussianProcess(n_startup_trials=3)
        return kte.ASHAOracle(max_epochs=4, reduction_factor=2, sampler=early, **kwargs)


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
        assert oracle.trial_record(first.trial_id).state == "paused"
        self._trials(oracle)
        assert oracle.trial_record(first.trial_id).exploits[0].epoch == 1
        assert oracle.get_trial(first.trial_id).status == "COMPLETED"


def trained(oracle, epochs=4, loss=lambda trial: trial.hyperparameters.get("x")):
    """Run a search to its end without Keras; return its trials."""
    while (trial := oracle.create_trial("worker")).status != "STOPPED":
        for step in range(oracle.trial_record(trial.trial_id).trained, epochs):
            value = float(loss(trial))
            if oracle.update_trial(trial.trial_id, {"val_loss": value}, step).status == "STOPPED":
                break
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return list(oracle.trial_records())


def test_a_small_finite_space_ends_with_its_best_point_trained_to_the_end():
    oracle = kte.BOHBOracle(LOSS, max_epochs=4, reduction_factor=2, seed=0)
    oracle.hyperparameters.Choice("x", [3, 1, 2])
    trials = trained(oracle)
    assert sorted(record.trained for record in trials) == [1, 2, 4] or len(trials) == 3
    best = min(trials, key=lambda record: record.trial.hyperparameters.get("x"))
    assert best.trained == 4
    assert "every point" in oracle.ended_because


def test_a_failed_trial_of_a_bracket_is_replaced():
    oracle = kte.BOHBOracle(LOSS, max_epochs=2, reduction_factor=2, seed=0)
    oracle.hyperparameters.Float("x", 0, 1)
    first = oracle.create_trial("worker")
    first.status = "FAILED"
    oracle.end_trial(first)
    trials = trained(oracle, epochs=2)
    planned = sum(bracket.sizes[0] for bracket in oracle.scheduler.brackets)
    assert len(trials) == planned + 1


def test_what_a_trial_had_found_before_it_crashed_is_not_lost():
    oracle = kte.ASHAOracle(LOSS, max_epochs=2, reduction_factor=2, max_trials=2, seed=0)
    oracle.hyperparameters.Float("x", 0, 1)
    for loss in (0.5, 1.0):
        trial = oracle.create_trial("worker")
        oracle.update_trial(trial.trial_id, {"val_loss": loss}, 0)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    promoted = oracle.create_trial("worker")
    promoted.status = "INVALID"
    oracle.end_trial(promoted)
    record = oracle.trial_record(promoted.trial_id)
    assert (record.state, record.trial.status, record.trial.score) == ("failed", "COMPLETED", 0.5)
    assert oracle.get_best_trials()[0].trial_id == promoted.trial_id


@pytest.mark.parametrize("name", ["max_trials", "pruner"])
def test_a_population_refuses_what_has_no_meaning_for_it(name):
    with pytest.raises(ValueError, match=f"`{name}` must be left out"):
        kte.PBTOracle(LOSS, **{name: kte.MedianPruner() if name == "pruner" else 3})


@pytest.mark.parametrize("max_epochs", [None, 1, "a"])
def test_a_population_needs_epochs_to_compare(max_epochs):
    with pytest.raises(ValueError, match="`max_epochs` must be an integer from 2"):
        kte.PBTOracle(LOSS, max_epochs=max_epochs)


@pytest.mark.parametrize("mutable", ["rate", 3, [3]])
def test_what_is_mutable_is_a_list_of_names(mutable):
    with pytest.raises(TypeError, match="`mutable` must be a list of names or None"):
        kte.PBTOracle(LOSS, mutable=mutable)
    with pytest.raises(TypeError, match="`mutable` must be a list of names or None"):
        kte.PBT(None, LOSS, mutable=mutable)


def test_a_hyperparameter_found_while_a_population_trains_is_drawn():
    oracle = kte.PBTOracle(LOSS, population_size=4, max_epochs=6, interval=2, seed=0)
    oracle.hyperparameters.Float("x", 0.0, 1.0)

    def loss(trial):
        trial.hyperparameters.Int("late", 1, 5)
        return trial.hyperparameters.get("x")

    trials = trained(oracle, epochs=6, loss=loss)
    assert [record.trained for record in trials] == [6] * 4
    assert oracle.totals.exploits
    assert {record.trial.values["late"] for record in trials} <= set(range(1, 6))
