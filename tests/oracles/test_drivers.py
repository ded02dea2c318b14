"""Oracles that are driven by KerasTuner's own tuners, which report a trial once, at its end."""

import warnings

import keras
import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.samplers.random import Random

X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
LOSS = keras_tuner.Objective("loss", "min")


def build(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-4, 1e-2, sampling="log")), "mse")
    return model


class Batches(keras_tuner.Tuner):
    """Tunes the batch size as KerasTuner's documentation does."""

    def run_trial(self, trial, *args, **kwargs):
        kwargs["batch_size"] = trial.hyperparameters.Choice("batch_size", [16, 32])
        return super().run_trial(trial, *args, **kwargs)


def search(tuner):
    """Search; return our warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tuner = tuner()
        tuner.search(X, X[:, 0], epochs=3, verbose=0)
    assert len(tuner.oracle.trials) > 1
    return [str(w.message) for w in caught if "kt_extras" in str(w.message)]


@pytest.mark.parametrize("tuner", [keras_tuner.Tuner, type("Hooked", (keras_tuner.Tuner,), {})])
@pytest.mark.parametrize(
    "preset", [kte.ASHAOracle, kte.BOHBOracle, kte.HyperbandOracle, kte.PBTOracle]
)
def test_a_scheduler_is_refused_when_a_tuner_of_keras_tuner_is_made(preset, tuner):
    with pytest.raises(ValueError, match=r"`scheduler` needs .*`kt_extras.Tuner\(oracle"):
        tuner(preset("loss", seed=0), build)


def test_a_scheduler_is_refused_at_the_first_trial_of_a_subclass():
    tuner = Batches(kte.ASHAOracle("loss", max_epochs=9, max_trials=4, seed=0), build)
    with pytest.raises(keras_tuner.errors.FatalValueError, match="Use `kt_extras"):
        tuner.search(X, X[:, 0], epochs=3, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("tuner", [keras_tuner.Tuner, Batches])
@pytest.mark.parametrize(
    "arguments",
    [
        {"pruner": kte.MedianPruner(n_startup_trials=1)},
        {"pruner": kte.ThresholdPruner(upper=0.0)},
        {"max_total_epochs": 2},
    ],
)
def test_what_needs_every_epoch_is_ignored_with_a_warning(arguments, tuner):
    oracle = kte.TPEOracle("loss", max_trials=3, seed=0, **arguments)
    (message,) = search(lambda: tuner(oracle, build))
    assert f"`{next(iter(arguments))}` has no effect" in message
    assert "Use `kt_extras.Tuner(oracle, hypermodel)`" in message
    later = list(oracle.trial_records())[1:]
    assert {record.state for record in later} == {"completed"}


def test_an_oracle_without_these_works_in_a_tuner_of_keras_tuner():
    oracle = kte.TPEOracle("loss", max_trials=2, seed=0)
    assert search(lambda: keras_tuner.Tuner(oracle, build)) == []


@pytest.mark.parametrize(("steps", "wrong"), [([1], 1), ([0, 0], 0), ([5], 5)])
def test_a_scheduler_takes_every_epoch_once_and_in_order(steps, wrong):
    oracle = kte.ASHAOracle(LOSS, max_epochs=4, max_trials=4, seed=0)
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    trial = oracle.create_trial("worker")
    for step in steps[:-1]:
        oracle.update_trial(trial.trial_id, {"loss": 1.0}, step=step)
    with pytest.raises(ValueError, match=f"`step` must be from .*, got {wrong}"):
        oracle.update_trial(trial.trial_id, {"loss": 1.0}, step=steps[-1])


def test_a_loop_that_reports_every_epoch_is_pruned_in_any_tuner():
    class Loop(keras_tuner.Tuner):
        def run_trial(self, trial):
            trial.hyperparameters.Float("x", 0.0, 1.0)
            for epoch in range(3):
                answer = self.oracle.update_trial(trial.trial_id, {"loss": 1.0}, step=epoch)
                if answer.status == "STOPPED":
                    return

    pruner = kte.ThresholdPruner(upper=0.5)
    oracle = kte.SamplerOracle(Random(), pruner, objective=LOSS, max_trials=2, seed=0)
    tuner = Loop(oracle)
    with pytest.warns(DeprecationWarning, match="update_trial"):
        tuner.search()
    assert [(r.state, r.epochs) for r in oracle.trial_records()] == [("pruned", 1)] * 2
