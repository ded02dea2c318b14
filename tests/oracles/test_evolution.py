import keras_tuner
import numpy as np
import pytest

from kt_extras import MedianPruner
from kt_extras.oracles.evolution import EvolutionOracle
from kt_extras.samplers.evolution import Evolution as EvolutionSampler
from kt_extras.testing import OracleContract
from kt_extras.tuners.evolution import Evolution
from tests.tuners.models import VALIDATION, XV, YV, X, Y, build


class TestEvolutionOracle(OracleContract):
    def make(self, **kwargs):
        return EvolutionOracle(**kwargs)


class TestEvolutionOracleWithMedianPruner(OracleContract):
    def make(self, **kwargs):
        return EvolutionOracle(pruner=MedianPruner(n_startup_trials=2), population_size=3, **kwargs)


def sampler_of(**kwargs):
    oracle = EvolutionOracle(keras_tuner.Objective("cost", "min"), **kwargs)
    return oracle.sampler.inner.inner


@pytest.mark.parametrize(
    ("max_trials", "size"), [(1, 4), (10, 4), (25, 10), (50, 20), (1000, 20), (None, 20)]
)
def test_the_population_fits_the_budget(max_trials, size):
    assert sampler_of(max_trials=max_trials).population_size == size


def test_sizes_that_are_given_are_taken():
    assert sampler_of(max_trials=100, population_size=7, tournament_size=3) == EvolutionSampler(
        7, 3
    )


def test_a_sampler_brings_its_own_sizes():
    own = EvolutionSampler(6, mutations=2.0)
    assert sampler_of(sampler=own) is own
    with pytest.raises(ValueError, match="must be None beside a `sampler`, got 5 and None"):
        EvolutionOracle(objective="val_loss", sampler=own, population_size=5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population_size": 1}, "`population_size` must be an integer from 2, got 1"),
        ({"population_size": "a"}, "`population_size` must be an integer from 2, got 'a'"),
        ({"max_trials": "a"}, "`max_trials` must be an integer from 1 or None, got 'a'"),
    ],
)
def test_a_size_out_of_range_is_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        Evolution(build, "val_accuracy", **arguments)


def test_children_come_from_the_best_trials_of_the_search():
    oracle = EvolutionOracle(
        keras_tuner.Objective("gain", "max"), max_trials=60, seed=0, population_size=10
    )
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    oracle.hyperparameters.Choice("kind", ["a", "b", "c"])
    seen = []
    while (trial := oracle.create_trial("worker")).status != "STOPPED":
        values = trial.hyperparameters.values
        seen.append(abs(values["x"] - 0.7) + (values["kind"] != "b"))
        oracle.update_trial(trial.trial_id, {"gain": -seen[-1]}, step=0)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert np.median(seen[40:]) < 0.3 * np.median(seen[:10])


def test_a_model_is_tuned_and_comes_back_as_measured():
    tuner = Evolution(
        build, "val_accuracy", max_trials=4, population_size=2, seed=0, pruner=MedianPruner(2)
    )
    tuner.search(X, Y, validation_data=VALIDATION, epochs=2, verbose=0)
    rows = tuner.results()
    assert len(rows) == 4
    assert {row["state"] for row in rows} <= {"completed", "pruned"}
    measured = tuner.get_best_models()[0].evaluate(XV, YV, verbose=0, return_dict=True)["accuracy"]
    assert measured == pytest.approx(max(row["score"] for row in rows))
