import kt_extras as kte
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS, trained


class TestBOHBOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.BOHBOracle(max_epochs=4, reduction_factor=2, **kwargs)


def test_the_best_point_of_a_finite_space_is_trained_to_the_end():
    oracle = kte.BOHBOracle(LOSS, max_epochs=4, reduction_factor=2, seed=0)
    oracle.hyperparameters.Choice("x", [3, 1, 2])
    trials = trained(oracle)
    assert sorted(record.trained for record in trials) == [1, 2, 4] or len(trials) == 3
    best = min(trials, key=lambda record: record.trial.hyperparameters.get("x"))
    assert best.trained == 4
    assert "every point" in oracle.ended_because


def test_a_trial_of_a_bracket_is_replaced_when_it_fails():
    oracle = kte.BOHBOracle(LOSS, max_epochs=2, reduction_factor=2, seed=0)
    oracle.hyperparameters.Float("x", 0, 1)
    first = oracle.create_trial("worker")
    first.status = "FAILED"
    oracle.end_trial(first)
    trials = trained(oracle, epochs=2)
    planned = sum(bracket.sizes[0] for bracket in oracle.scheduler.brackets)
    assert len(trials) == planned + 1


def test_the_sampler_learns_from_the_longest_trials_by_default():
    assert kte.BOHBOracle(LOSS).sampler.inner.inner == kte.samplers.LargestBudget()
