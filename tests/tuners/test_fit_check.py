"""What `search` takes, and that it checks only what `model.fit` itself gets.

`tests/test_bad_inputs.py` has what is refused.
"""

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras import compat
from kt_extras.tuners.fit_check import check_fit, plain_numbers, verbosity

X, Y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
DATA = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
STOP = keras.callbacks.EarlyStopping(monitor="loss")


def endless():
    while True:
        yield X, Y


class Batches(compat.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X[:4], Y[:4]


@pytest.mark.parametrize(
    "given",
    [
        {"x": X, "y": Y, "epochs": np.int64(2), "batch_size": np.int32(4), "shuffle": "batch"},
        {"x": X, "y": Y, "validation_split": np.float32(0.5), "validation_freq": [1, 2]},
        {"x": X, "y": Y, "validation_data": [X[:3], Y[:3]], "validation_steps": None},
        {"x": X, "y": Y, "validation_data": (X, Y, np.ones(8)), "validation_batch_size": 2},
        {"x": {"a": X, "b": X}, "y": [Y, Y], "sample_weight": [np.ones(8), np.ones((8, 1))]},
        {"x": tf.constant(X), "y": Y, "class_weight": {0: 1.0, np.int64(1): np.float32(2)}},
        {"x": X, "y": Y, "initial_epoch": 1, "epochs": 2, "validation_data": DATA},
        {"x": DATA, "validation_data": DATA, "batch_size": None, "validation_split": 0.0},
        {"x": DATA.repeat(), "steps_per_epoch": 2},
        {"x": endless(), "steps_per_epoch": 2, "validation_data": endless()},
        {"x": Batches(), "validation_data": Batches()},
        {"x": tf.ragged.constant([[1.0], [1.0, 2.0]]), "y": Y[:2]},
        {"x": X, "y": Y, "class_weight": None, "sample_weight": None, "validation_split": None},
    ],
)
def test_what_keras_can_train_on_is_accepted(given):
    check_fit([], given, kte.TPE)


def test_arguments_by_position_are_accepted():
    check_fit([X, Y, 4, 2], {"verbose": 0, "callbacks": []}, kte.TPE)


@pytest.mark.parametrize(
    ("given", "number"), [(None, 1), ("auto", 1), (False, 0), (np.int64(2), 2), (1.0, 1), (3, 3)]
)
def test_verbose_is_taken_as_keras_takes_it(given, number):
    assert verbosity(given) == number


def test_only_numbers_of_numpy_are_replaced():
    given = plain_numbers({"validation_freq": np.int64(1), "x": X, "callbacks": [STOP]})
    assert type(given["validation_freq"]) is int
    assert given["x"] is X
    assert given["callbacks"] == [STOP]


def build(hp):
    hp.Float("rate", 0, 1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class Doubled(keras.Sequential):
    """A model with a `fit` of its own."""

    def fit(self, x, y=None, *, factor=1, **kwargs):
        return super().fit(x * factor, y, **kwargs)


def build_doubled(hp):
    hp.Float("rate", 0, 1)
    model = Doubled([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class OwnFit(keras_tuner.HyperModel):
    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, factor, **kwargs):
        return model.fit(X * factor, Y, **kwargs)


@pytest.mark.parametrize(
    ("hypermodel", "given"),
    [(build_doubled, {"x": X, "y": Y, "factor": 2}), (OwnFit(), {"factor": 2})],
)
def test_a_fit_of_the_users_own_gets_arguments_of_its_own(hypermodel, given):
    tuner = kte.TPE(hypermodel, "loss", max_trials=1, seed=0)
    tuner.search(**given, verbose=0)
    assert [row["state"] for row in tuner.results()] == ["completed"]


def test_a_search_goes_on_after_refusals():
    tuner = kte.TPE(build, "loss", max_trials=1, seed=0)
    for given in ({"epochs": 0}, {"callbacks": "stop"}, {"epoch": 3}):
        with pytest.raises((TypeError, ValueError)):
            tuner.search(X, Y, verbose=0, **given)
    assert tuner.results() == []
    tuner.search(X, Y, verbose=0, validation_data=(X, Y), validation_freq=np.int64(1))
    assert [row["state"] for row in tuner.results()] == ["completed"]


@pytest.mark.parametrize("first", [True, False])
def test_a_range_that_only_a_trial_declares_is_refused_and_no_trial_fails(first):
    def build_late(hp):
        if hp.Boolean("late"):
            hp.Float("late_rate", 0, float("inf"))
        return build(hp)

    tuner = kte.TPE(build_late, "loss", max_trials=9, seed=0)
    tuner.enqueue([{"late": first}, {"late": True}])
    with pytest.raises(ValueError, match=r"`max_value` of the hyperparameter 'late_rate' .* inf"):
        tuner.search(X, Y, verbose=0)
    states = {"running", "waiting"} if first else {"completed", "running", "waiting"}
    assert {row["state"] for row in tuner.results()} <= states
