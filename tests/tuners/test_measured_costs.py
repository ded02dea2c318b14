"""Costs of real models as objectives and constraints, alone and in stacks."""

import keras
import numpy as np
import pytest

import kt_extras as kte
from kt_extras import compat
from kt_extras.bridge.goals import COSTS
from kt_extras.tuners import measured_costs
from kt_extras.tuners.measured_costs import TRAINING_SECONDS
from kt_extras.tuners.trained_models import trial_to_refit

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


def build(hp):
    units = hp.Choice("units", [2, 8, 32])
    layers = [keras.Input((4,)), keras.layers.Dense(units, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1, sampling="log")), "mse")
    return model


def search(directory, cls=kte.RandomSearch, **settings):
    tuner = cls(build, seed=0, directory=str(directory), project_name="p", **settings)
    epochs = {} if tuner.oracle.scheduler is not None else {"epochs": 2}
    tuner.search(X, Y, validation_data=(X, Y), verbose=0, **epochs)
    return tuner


def test_the_names_of_costs_are_those_that_can_be_measured():
    assert set(COSTS) == {*kte.costs.COSTS, TRAINING_SECONDS}


def search_for_two(directory, **settings):
    return search(directory, objectives=["val_loss", "parameters"], max_trials=4, **settings)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search for losses and parameters that has kept the weights of two trials."""
    return search_for_two(tmp_path_factory.mktemp("search"), keep_checkpoints=2)


def assert_parameters_are_those_of_the_models(tuner):
    for row in tuner.results():
        assert row["parameters"] == 4 * row["units"] + row["units"] + row["units"] + 1


def test_the_parameters_of_each_model_are_measured(searched):
    assert_parameters_are_those_of_the_models(searched)


@pytest.mark.skipif(not compat.KERAS_3, reason="stacks need Keras 3")
def test_the_parameters_of_each_model_of_a_stack_are_measured(tmp_path):
    assert_parameters_are_those_of_the_models(search_for_two(tmp_path, trials_at_once=4))


def test_all_costs_are_measured_and_on_record(tmp_path):
    tuner = search(tmp_path, objectives=["val_loss", *COSTS], max_trials=2)
    for row in tuner.results():
        assert all(row[cost] > 0 for cost in COSTS)


def test_a_constraint_on_a_cost_keeps_large_models_behind(tmp_path):
    tuner = search(tmp_path, objective="val_loss", constraints=["parameters <= 50"], max_trials=4)
    sizes = [trial.hyperparameters.get("units") for trial in tuner.oracle.get_best_trials(4)]
    small = [units < 32 for units in sizes]
    assert small == sorted(small, reverse=True)


def test_the_weights_of_the_best_trials_are_kept(searched):
    models = searched.get_best_models(2)
    best = searched.oracle.get_best_trials(2)
    for model, trial in zip(models, best, strict=True):
        assert model.layers[0].units == trial.hyperparameters.get("units")
        assert model.evaluate(X, Y, verbose=0) == pytest.approx(trial.score, rel=1e-4)


def test_refit_takes_the_first_of_the_best_trials(searched):
    best = searched.oracle.get_best_trials(1)[0]
    assert trial_to_refit(searched, None).trial_id == best.trial_id


def test_the_time_of_a_paused_trial_goes_on(tmp_path):
    tuner = search(
        tmp_path,
        cls=kte.ASHA,
        objectives=["val_loss", "training_seconds"],
        max_trials=4,
        max_epochs=4,
        min_epochs=1,
        reduction_factor=2,
    )
    longest = max(tuner.results(), key=lambda row: row["epochs"])
    seconds = tuner.history(longest["trial_id"])["training_seconds"]
    assert len(seconds) == 4
    assert seconds == sorted(seconds)


def test_the_time_of_measuring_is_left_out_from_the_first_epoch_on(monkeypatch):
    class Clock:
        now = 0.0

    class Meter:
        names = ("latency",)

        def measure(self, model):
            Clock.now += 100.0
            return {"latency": 0.5}

    monkeypatch.setattr(measured_costs.time, "perf_counter", lambda: Clock.now)
    costs = measured_costs.TrialCosts(Meter(), None, takes_time=True)
    costs.begin(0)
    seconds = []
    for _ in range(3):
        Clock.now += 2.0
        seconds.append(costs.measured(None)["training_seconds"])
    assert seconds == [2.0, 4.0, 6.0]
