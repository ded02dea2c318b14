import kt_extras as kte
from kt_extras.oracles.plan import expected_epochs
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS, trained


class TestPASHAOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.PASHAOracle(max_epochs=4, reduction_factor=2, **kwargs)


class TestPASHAOracleWithRandomSampling(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.PASHAOracle(max_epochs=4, reduction_factor=2, sampler="random", **kwargs)


def oracle(**kwargs):
    made = kte.PASHAOracle(LOSS, max_trials=20, seed=0, sampler="random", **kwargs)
    made.hyperparameters.Float("x", 0, 1)
    return made


def test_a_search_ends_below_max_epochs_when_the_order_is_settled():
    assert {record.trained for record in trained(oracle(), epochs=27)} == {1, 3}


def test_a_sampler_forecasts_for_the_scheduler_when_it_can():
    sampler = kte.samplers.GaussianProcess(n_startup_trials=3)
    assert kte.PASHAOracle(LOSS, sampler=sampler).scheduler.forecaster is sampler
    assert kte.PASHAOracle(LOSS, sampler="random").scheduler.forecaster is None


def test_max_trials_has_a_default_unless_the_search_is_limited():
    assert kte.PASHAOracle(LOSS, max_epochs=9).max_trials == 27
    assert kte.PASHAOracle(LOSS, max_epochs=9, max_total_epochs=1).max_trials is None


def test_estimate_ranges_from_the_open_rungs_to_all_of_them():
    whole = expected_epochs(kte.ASHAOracle(LOSS, max_trials=20, seed=0, sampler="random"))
    found = expected_epochs(oracle())
    planned = sum(rung.new_epochs for rung in oracle().scheduler.plan(20))
    assert planned <= found.low <= found.expected < whole.low
    assert found.high == whole.high
