"""NumPy's numbers as arguments of oracles, which are written to the journal and read again."""

import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from tests.oracles.searches import LOSS, trained

COMMON = {
    "seed": np.int64(3),
    "max_retries_per_trial": np.int32(1),
    "max_consecutive_failed_trials": np.int64(3),
    "max_time": np.float32(600),
    "max_total_epochs": np.int64(40),
    "target": np.float32(-1),
    "max_trials_without_improvement": np.uint8(50),
    "max_failure_fraction": np.float32(0.5),
    "allow_new_entries": np.True_,
}
HALVING = {"max_epochs": np.int64(9), "min_epochs": np.int64(1), "reduction_factor": np.int32(3)}
ORACLES = {
    "TPEOracle": {"max_trials": np.int64(4)},
    "EvolutionOracle": {"max_trials": np.int64(6), "population_size": np.int64(4)},
    "RandomSearchOracle": {"max_trials": np.int64(4)},
    "GridSearchOracle": {"max_trials": 9, "refine": np.int64(1), "resolution": np.int32(2)},
    "HyperbandOracle": {
        "max_epochs": np.int64(9),
        "factor": np.int32(3),
        "hyperband_iterations": np.int64(1),
    },
    "BayesianOptimizationOracle": {
        "max_trials": np.int64(4),
        "num_initial_points": np.int64(3),
        "alpha": np.float32(0.1),
        "beta": np.float64(2.0),
    },
    "ASHAOracle": {**HALVING, "max_trials": np.int64(6)},
    "BOHBOracle": {**HALVING, "iterations": np.int64(1)},
    "PASHAOracle": {**HALVING, "max_trials": np.int64(6)},
    "PBTOracle": {
        "population_size": np.int64(4),
        "max_epochs": np.int64(4),
        "interval": np.int64(2),
        "quantile": np.float32(0.25),
        "resample_probability": np.float64(0.5),
        "perturbation_factors": (np.float32(0.75), np.float64(1.25)),
    },
}


def space():
    hp = keras_tuner.HyperParameters()
    hp.Float("x", np.float32(0), 1, step=np.float32(0.125), default=np.float32(0.5))
    hp.Float("rate", 1e-4, np.float64(1), sampling="log", default=np.float32(0.5))
    hp.Int("units", np.int64(1), np.int64(8), default=np.int64(2))
    return hp


def searched(name, directory):
    oracle = getattr(kte, name)(LOSS, hyperparameters=space(), **COMMON, **ORACLES[name])
    oracle._set_project_dir(str(directory), "project")
    return oracle


def values(oracle):
    return [(r.trial.trial_id, r.trial.values, r.state, r.epochs) for r in oracle.trial_records()]


@pytest.mark.parametrize("name", ORACLES)
def test_a_search_with_numbers_of_numpy_is_recorded_and_read_again(name, tmp_path):
    oracle = searched(name, tmp_path)
    oracle.enqueue({"x": np.float32(0.25), "units": np.int64(3)})
    trained(oracle, epochs=9)
    oracle.close_session()
    again = searched(name, tmp_path)
    again.reload()
    assert len(values(oracle)) >= 4
    assert values(again) == values(oracle)
    assert values(oracle)[0][1]["units"] == 3


class SuggestsNumPy:
    """A sampler of the user's own that draws with NumPy."""

    def suggest(self, history, space, rng):
        return {"x": np.float32(0.5), "rate": rng.random(), "units": rng.integers(1, 9)}


def test_numbers_of_numpy_from_a_sampler_are_recorded(tmp_path):
    oracle = kte.SamplerOracle(SuggestsNumPy(), objective=LOSS, max_trials=2)
    oracle.hyperparameters.merge(space())
    oracle._set_project_dir(str(tmp_path), "project")
    assert len(trained(oracle, epochs=1)) == 2
