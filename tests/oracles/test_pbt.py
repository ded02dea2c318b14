import math

import pytest

import kt_extras as kte
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS, trained


class TestPBTOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        kwargs.pop("max_trials")
        return kte.PBTOracle(population_size=self.max_trials, max_epochs=4, **kwargs)

    def test_trial_fails_and_search_continues_after_a_nan_loss(self):
        """A member whose loss is no number takes over from another and goes on."""
        oracle = self._oracle()
        first = oracle.create_trial("worker")
        oracle.update_trial(first.trial_id, {"val_loss": math.nan}, step=0)
        self._end(oracle, first)
        assert oracle.trial_record(first.trial_id).state == "paused"
        self._trials(oracle)
        assert oracle.trial_record(first.trial_id).exploits[0].epoch == 1
        assert oracle.get_trial(first.trial_id).status == "COMPLETED"


@pytest.mark.parametrize("name", ["max_trials", "pruner"])
def test_max_trials_and_pruner_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must be left out"):
        kte.PBTOracle(LOSS, **{name: kte.MedianPruner() if name == "pruner" else 3})


@pytest.mark.parametrize("max_epochs", [None, 1, "a"])
def test_max_epochs_is_refused_unless_it_is_an_integer_from_2(max_epochs):
    with pytest.raises(ValueError, match="`max_epochs` must be an integer from 2"):
        kte.PBTOracle(LOSS, max_epochs=max_epochs)


@pytest.mark.parametrize("mutable", ["rate", 3, [3]])
def test_mutable_is_refused_unless_it_is_a_list_of_names(mutable):
    with pytest.raises(TypeError, match="`mutable` must be a list of names or None"):
        kte.PBTOracle(LOSS, mutable=mutable)
    with pytest.raises(TypeError, match="`mutable` must be a list of names or None"):
        kte.PBT(None, LOSS, mutable=mutable)


def test_a_hyperparameter_is_drawn_when_it_is_found_during_training():
    oracle = kte.PBTOracle(LOSS, population_size=4, max_epochs=6, interval=2, seed=0)
    oracle.hyperparameters.Float("x", 0.0, 1.0)

    def loss(trial):
        trial.hyperparameters.Int("late", 1, 5)
        return trial.hyperparameters.get("x")

    trials = trained(oracle, epochs=6, loss=loss)
    assert [record.trained for record in trials] == [6] * 4
    assert oracle.totals.exploits
    assert {record.trial.values["late"] for record in trials} <= set(range(1, 6))


def test_only_mutable_hyperparameters_may_change():
    assert kte.PBTOracle(LOSS, mutable=["rate"]).scheduler.mutable == ("rate",)
    assert kte.PBTOracle(LOSS).scheduler.mutable is None


def test_the_interval_is_a_twentieth_of_max_epochs_by_default():
    assert kte.PBTOracle(LOSS, max_epochs=60).scheduler.interval == 3
    assert kte.PBTOracle(LOSS, max_epochs=10).scheduler.interval == 1
