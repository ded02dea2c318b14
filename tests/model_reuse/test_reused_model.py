"""One live model goes on for many members, and is built again only where it must be."""

import keras
import keras_tuner
import numpy as np
import pytest

from kt_extras.model_reuse.optimizer_settings import optimizer_numbers
from kt_extras.model_reuse.reused_model import NumberSources, ReusedModel


class Builds:
    """Counts how often a model is built."""

    def __init__(self):
        self.count = 0

    def __call__(self, hp):
        self.count += 1
        units, drop = hp.Choice("units", [2, 3]), hp.Float("drop", 0.0, 0.5)
        layers = [keras.layers.Dense(units), keras.layers.Dropout(drop)]
        model = keras.Sequential([keras.Input((2,)), *layers])
        rate, momentum = hp.Float("rate", 1e-3, 1.0), hp.Float("momentum", 0.0, 0.9)
        clip = 1.0 if rate > 0.8 else None
        model.compile(keras.optimizers.SGD(rate, momentum, clipnorm=clip), "mse")
        return model


def hp_of(**values):
    hp = keras_tuner.HyperParameters()
    hp.values = {"units": 2, "drop": 0.0, "momentum": 0.5, **values}
    return hp


@pytest.fixture
def builds():
    return Builds()


def model_for(reused, builds, **values):
    return reused.model_for(hp_of(**values), builds, builds)


@pytest.fixture
def reused(builds):
    """Compared at three rates, from 0.1 to 0.4."""
    reused = ReusedModel()
    reused.begin(builds(hp_of(rate=0.5)))
    for rate in (0.1, 0.2, 0.4):
        model_for(reused, builds, rate=rate)
    return reused


def test_a_rate_is_set_without_a_build_after_three_comparisons(reused, builds):
    before, model = builds.count, reused.model
    for rate in (0.3, 0.15, 0.25):
        assert model_for(reused, builds, rate=rate) is model
        assert optimizer_numbers(model)["learning_rate"] == pytest.approx(rate)
    assert builds.count == before


def test_a_rate_beyond_those_seen_needs_a_comparison(reused, builds):
    before, model = builds.count, reused.model
    assert model_for(reused, builds, rate=0.6) is model
    assert builds.count == before + 1
    assert model_for(reused, builds, rate=0.9) is not model  # `build` clips gradients there
    assert reused.model.optimizer.clipnorm == 1.0


@pytest.mark.parametrize("changed", [{"units": 3}, {"drop": 0.25}])
def test_the_sources_are_reset_when_another_model_is_built(changed, reused, builds):
    before, model = builds.count, reused.model
    other = model_for(reused, builds, rate=0.3, **changed)
    assert other is not model
    assert model_for(reused, builds, rate=0.2, **changed) is other
    assert builds.count == before + 2


def test_a_compared_model_that_is_kept_has_the_names_of_the_first():
    def build(hp):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.get("units"))])
        model.compile("sgd", "mse", metrics=[keras.metrics.MeanAbsoluteError()])
        return model

    keras.backend.clear_session()
    reused = ReusedModel()
    first = reused.begin(build(hp_of(units=2)))
    second = reused.model_for(hp_of(units=3), build, build)
    assert second is not first
    assert second.layers[0].name == first.layers[0].name
    logs = [
        model.evaluate(np.ones((1, 2)), np.ones((1, units)), verbose=0, return_dict=True)
        for model, units in ((first, 2), (second, 3))
    ]
    assert logs[0].keys() == logs[1].keys()


def test_two_numbers_that_change_are_both_found(reused, builds):
    for momentum in (0.3, 0.6, 0.7):
        model_for(reused, builds, rate=0.2, momentum=momentum)
    before = builds.count
    model = model_for(reused, builds, rate=0.3, momentum=0.65)
    numbers = optimizer_numbers(model)
    assert (numbers["learning_rate"], numbers["momentum"]) == pytest.approx((0.3, 0.65))
    assert builds.count == before


def test_a_number_that_becomes_zero_needs_a_comparison(reused, builds):
    for momentum in (0.3, 0.6, 0.7):
        model_for(reused, builds, rate=0.2, momentum=momentum)
    model = reused.model
    assert model_for(reused, builds, rate=0.2, momentum=0.0) is not model


def test_the_rate_is_reset_after_a_callback_changed_it(reused, builds):
    reused.model.optimizer.learning_rate = 0.01
    model = model_for(reused, builds, rate=0.3)
    assert optimizer_numbers(model)["learning_rate"] == pytest.approx(0.3)


def test_a_number_that_is_computed_has_no_source():
    sources = NumberSources()
    for rate in (0.1, 0.2, 0.3, 0.4):
        sources.record({"rate": rate}, {"learning_rate": rate**2})
    assert sources.numbers({"rate": 0.25}) is None


def test_a_number_that_equals_two_hyperparameters_has_no_source():
    sources = NumberSources()
    for rate in (0.1, 0.2, 0.3):
        sources.record({"rate": rate, "other": rate}, {"learning_rate": rate})
    assert sources.numbers({"rate": 0.25, "other": 0.15}) is None


def test_a_new_value_of_another_hyperparameter_needs_a_comparison():
    sources = NumberSources()
    for rate in (0.1, 0.2, 0.3):
        sources.record({"rate": rate, "kind": "a"}, {"learning_rate": rate})
    assert sources.numbers({"rate": 0.25, "kind": "a"}) == {"learning_rate": 0.25}
    assert sources.numbers({"rate": 0.25, "kind": "b"}) is None
    assert sources.numbers({"kind": "a"}) is None
