import kt_extras as kte
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS


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


def test_a_promoted_trial_keeps_its_score_when_it_crashes():
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


def test_a_sampler_forecasts_for_the_scheduler_when_it_can():
    sampler = kte.samplers.GaussianProcess(n_startup_trials=3)
    assert kte.ASHAOracle(LOSS, sampler=sampler).scheduler.forecaster is sampler
    assert kte.ASHAOracle(LOSS, sampler="random").scheduler.forecaster is None


def test_max_trials_has_a_default_unless_the_search_is_limited():
    assert kte.ASHAOracle(LOSS, max_epochs=9).max_trials == 27
    for limit in ("max_time", "max_total_epochs", "target", "max_trials_without_improvement"):
        assert kte.ASHAOracle(LOSS, max_epochs=9, **{limit: 1}).max_trials is None
