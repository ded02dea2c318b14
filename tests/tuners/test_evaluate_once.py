"""`evaluate_once`: what is on record, and what it warns of."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from tests.tuners.models import VALIDATION, XV, YV, X, Y, build

X_TEST, Y_TEST = X[200:], Y[200:]
TRAIN = X[:160], Y[:160]


MODEL = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, "softmax")])
MODEL.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)


class Scored(kte.Tuner):
    """A tuner whose trials are not trained, so that it is the data alone that matter."""

    def run_trial(self, trial, *_, **__):
        return trial.hyperparameters.Float("x", 0.0, 1.0)


def searched(directory, storage=None, **fit):
    oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=2, seed=0)
    tuner = Scored(oracle, directory=directory, storage=storage)
    given = {"x": TRAIN[0], "y": TRAIN[1], "validation_data": VALIDATION, **fit}
    tuner.search(verbose=0, **given)
    return tuner


def test_the_best_model_is_evaluated_and_on_record(tmp_path):
    tuner = kte.RandomSearch(build, "val_loss", max_trials=1, seed=0, directory=tmp_path)
    tuner.search(*TRAIN, validation_data=VALIDATION, epochs=1, verbose=0)
    first = tuner.evaluate_once(X_TEST, Y_TEST)
    with pytest.warns(UserWarning, match="evaluated 1 time before.* of trial '0000' .[al]"):
        again = tuner.evaluate_once(X_TEST, Y_TEST, tuner.get_best_models()[0])
    assert first == pytest.approx(again)
    assert kte.load(tmp_path, "untitled_project").evaluations[0].metrics == first


@pytest.mark.parametrize("url", [None, "sqlite:///{}/runs.db"])
def test_a_second_look_warns_with_the_first_also_after_a_reload(tmp_path, url):
    storage = url and url.format(tmp_path)
    searched(tmp_path, storage).evaluate_once(X_TEST, Y_TEST, MODEL)
    again = searched(tmp_path, storage)
    with pytest.warns(UserWarning, match=r"evaluated 1 time before; the first time was \d{4}-"):
        again.evaluate_once(X_TEST[::-1], Y_TEST[::-1], MODEL)
    with pytest.warns(UserWarning, match="evaluated 2 times before"):
        again.evaluate_once(X_TEST[:9], Y_TEST[:9], MODEL)
    loaded = kte.load(tmp_path, "untitled_project", storage=storage)
    assert [one.rows for one in loaded.evaluations] == [56, 56, 9]
    assert loaded.evaluations == again.evaluations


def test_data_that_are_new_bring_no_warning(tmp_path):
    tuner = searched(tmp_path)
    tuner.evaluate_once(X_TEST, Y_TEST, MODEL)
    assert tuner.evaluate_once(X[160:200], Y[160:200], MODEL, batch_size=7)["loss"] > 0


@pytest.mark.parametrize(
    "validation",
    [VALIDATION, tf.data.Dataset.from_tensor_slices(VALIDATION).batch(32)],
    ids=["arrays", "dataset"],
)
def test_validation_data_in_a_test_set_are_noticed(tmp_path, validation):
    tuner = searched(tmp_path, validation_data=validation)
    with pytest.warns(UserWarning, match="128 rows of the validation data .* 198 rows of `x_test`"):
        tuner.evaluate_once(np.concatenate([X[-70:], XV]), np.concatenate([Y[-70:], YV]), MODEL)


def test_training_rows_in_test_and_validation_data_are_noticed(tmp_path):
    tuner = searched(tmp_path, validation_data=(X[150:170], Y[150:170]))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        tuner.evaluate_once(X[155:180], Y[155:180], MODEL)
    texts = [str(one.message) for one in said]
    assert [text[:33] for text in texts] == [
        "About 5 rows of the training data",
        "About 15 rows of the validation d",
        "About 10 rows of the 20 of the va",
    ]
    assert said[0].filename == __file__


def test_a_search_that_validates_on_the_test_set_warns(tmp_path):
    searched(tmp_path).evaluate_once(X_TEST, Y_TEST, MODEL)
    with pytest.warns(UserWarning, match="About 56 of the 56 rows of the test set"):
        searched(tmp_path, validation_data=(X_TEST, Y_TEST))


def test_the_split_of_training_data_is_what_was_validated_on(tmp_path):
    tuner = searched(tmp_path, validation_data=None, validation_split=0.25)
    seen = {one.part: (one.rows, one.leaked) for one in tuner.oracle.data_seen}
    assert seen == {"train": (120, None), "validation": (40, 0)}
    with pytest.warns(UserWarning, match="About 40 rows of the validation data"):
        tuner.evaluate_once(X[120:160], Y[120:160], MODEL)


def test_a_search_records_its_data_once(tmp_path):
    searched(tmp_path)
    tuner = searched(tmp_path)
    tuner.search(*TRAIN, validation_data=VALIDATION, verbose=0)
    assert len(tuner.oracle.data_seen) == 2


def test_a_generator_is_refused_as_test_data(tmp_path):
    tuner = searched(tmp_path)
    with pytest.raises(TypeError, match="`x_test` must be data whose rows can be read twice"):
        tuner.evaluate_once(iter([(X_TEST, Y_TEST)]))


def test_a_project_that_another_tuner_searches_is_not_written(tmp_path):
    tuner, other = searched(tmp_path), searched(tmp_path)
    with other.oracle.session(), pytest.raises(kte.storage.ProjectInUseError):
        tuner.evaluate_once(X_TEST, Y_TEST, MODEL)
    assert kte.load(tmp_path, "untitled_project").evaluations == ()


def test_without_a_score_there_is_nothing_to_evaluate(tmp_path):
    tuner = kte.RandomSearch(build, "val_loss", max_trials=2, directory=tmp_path)
    with pytest.raises(IndexError, match="No trial has been run yet"):
        tuner.evaluate_once(X_TEST, Y_TEST)
