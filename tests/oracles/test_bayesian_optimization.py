import pytest

import kt_extras as kte
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS, trained


class TestBayesianOptimizationOracle(OracleContract):
    def make(self, **kwargs):
        return kte.BayesianOptimizationOracle(**kwargs)


def sampler(**kwargs):
    return kte.BayesianOptimizationOracle(LOSS, **kwargs).sampler.inner.inner


def test_the_sampler_has_its_own_settings_by_default():
    assert sampler() == kte.samplers.BayesianOptimization()


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ({"num_initial_points": 4}, {"n_startup_trials": 4}),
        ({"alpha": 0.1}, {"noise": 0.1}),
        ({"beta": 1}, {"exploration": 1.0}),
    ],
)
def test_arguments_of_keras_tuner_set_the_sampler(arguments, settings):
    assert sampler(**arguments) == kte.samplers.BayesianOptimization(**settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_initial_points": 0}, "`num_initial_points` must be an integer from 1, got 0"),
        ({"alpha": 0}, "`alpha` must be a number from 1e-12, got 0"),
        ({"beta": -1}, "`beta` must be a number from 0, got -1"),
        ({"beta": "much"}, "`beta` must be a number from 0, got 'much'"),
    ],
)
def test_wrong_arguments_are_refused_by_their_own_names(arguments, message):
    with pytest.raises(ValueError, match=message):
        kte.BayesianOptimizationOracle(LOSS, **arguments)


@pytest.mark.parametrize("arguments", [{"alpha": 1.0}, {"beta": 20.0}, {"num_initial_points": 12}])
def test_each_argument_changes_what_is_suggested(arguments):
    def points(**given):
        oracle = kte.BayesianOptimizationOracle(LOSS, max_trials=12, seed=0, **given)
        oracle.hyperparameters.Float("x", 0.0, 1.0)
        oracle.hyperparameters.Float("y", 0.0, 1.0)
        trained(oracle, epochs=1)
        return [record.trial.values for record in oracle.trial_records()]

    assert points() == points()
    assert points(**arguments) != points()
