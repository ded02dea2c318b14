import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.schedulers import Hyperband
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS, trained


class TestHyperbandOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.HyperbandOracle(max_epochs=4, factor=2, **kwargs)


def trained_by_keras_tuner(max_epochs, factor, iterations):
    """Return from which epoch to which KerasTuner trains each of its trials."""
    oracle = keras_tuner.oracles.HyperbandOracle(LOSS, max_epochs, factor, iterations, seed=1)
    oracle.verbose = 0
    oracle._set_project_dir("elsewhere", "hyperband")
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    parts = []
    while (trial := oracle.create_trial("worker")).status == "RUNNING":
        values = trial.hyperparameters.values
        parts.append((values["tuner/initial_epoch"], values["tuner/epochs"]))
        oracle.update_trial(trial.trial_id, {"val_loss": values["x"]})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return parts


@pytest.mark.parametrize(("max_epochs", "factor", "iterations"), [(10, 3, 1), (9, 3, 2), (8, 2, 1)])
def test_trials_and_epochs_equal_those_of_keras_tuner(max_epochs, factor, iterations):
    oracle = kte.HyperbandOracle(LOSS, max_epochs, factor, iterations, seed=1)
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    trained(oracle, epochs=max_epochs)
    parts = trained_by_keras_tuner(max_epochs, factor, iterations)
    assert oracle.totals.epochs == sum(end - begin for begin, end in parts)
    assert len(oracle.trials) == sum(begin == 0 for begin, _ in parts)
    ended = [record.trained for record in oracle.trial_records()]
    for epochs in {end for _, end in parts}:
        assert sum(e >= epochs for e in ended) == sum(b < epochs <= e for b, e in parts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 1}, "`factor` must be an integer from 2, got 1"),
        ({"factor": 2.5}, "`factor` must be an integer from 2, got 2.5"),
        ({"hyperband_iterations": 0}, "`hyperband_iterations` must be .* got 0; or pass None"),
        ({"max_epochs": 0}, "`max_epochs` must be an integer from 1, got 0"),
    ],
)
def test_wrong_arguments_are_refused_by_their_own_names(arguments, message):
    with pytest.raises(ValueError, match=message):
        kte.HyperbandOracle(LOSS, **arguments)


def test_brackets_are_run_until_another_limit_without_iterations():
    oracle = kte.HyperbandOracle(LOSS, 4, 2, None, max_total_epochs=100, seed=0)
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    trained(oracle)
    assert "`max_total_epochs=100` is spent" in oracle.ended_because
    assert oracle.history.brackets.max() > 3


def test_another_sampler_may_suggest_the_points():
    oracle = kte.HyperbandOracle(LOSS, sampler="sobol")
    assert isinstance(oracle.sampler.inner.inner, kte.samplers.Sobol)


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
@pytest.mark.parametrize("max_epochs", [*range(1, 30), 50, 81, 100, 125, 243, 256, 1000])
def test_brackets_that_are_rounded_up_equal_those_of_keras_tuner(max_epochs, factor):
    theirs = keras_tuner.oracles.HyperbandOracle("val_loss", max_epochs, factor)
    numbers = range(theirs._get_num_brackets() - 1, -1, -1)
    ours = Hyperband(max_epochs, factor, rounding="up").brackets
    assert [bracket.levels for bracket in ours] == [
        tuple(theirs._get_epochs(s, k) for k in range(s + 1)) for s in numbers
    ]
    assert [bracket.sizes for bracket in ours] == [
        tuple(theirs._get_size(s, k) for k in range(s + 1)) for s in numbers
    ]
