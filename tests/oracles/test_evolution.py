import keras_tuner
import numpy as np
import pytest

from kt_extras import MedianPruner
from kt_extras.oracles.evolution import EvolutionOracle
from kt_extras.samplers.evolution import Evolution as EvolutionSampler
from kt_extras.testing import OracleContract


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
def test_the_population_size_follows_from_max_trials(max_trials, size):
    assert sampler_of(max_trials=max_trials).population_size == size


def test_given_sizes_reach_the_sampler():
    assert sampler_of(max_trials=100, population_size=7, tournament_size=3) == EvolutionSampler(
        7, 3
    )


def test_sizes_are_refused_beside_a_sampler():
    own = EvolutionSampler(6, mutations=2.0)
    assert sampler_of(sampler=own) is own
    with pytest.raises(ValueError, match="must be None beside a `sampler`, got 5 and None"):
        EvolutionOracle(objective="val_loss", sampler=own, population_size=5)


def test_later_trials_are_better_than_the_first_generation():
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
