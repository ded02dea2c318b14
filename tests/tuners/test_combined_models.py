"""Ensembles and soups of the trials of a real search on digits."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import kt_extras as kte

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
TRAIN, VAL, TEST = slice(0, 400), slice(400, 700), slice(700, 1000)


def build(hp):
    """No two trials have the same architecture."""
    layers = [keras.layers.Dense(hp.Int("units", 8, 16), "relu")]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10, "softmax")])
    model.compile(
        keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def searched(directory, hypermodel=build, trials=3, **options):
    options = {"keep_checkpoints": "all", **options}
    tuner = kte.RandomSearch(
        hypermodel, "val_loss", max_trials=trials, seed=3, directory=directory, **options
    )
    data = {"validation_data": (X[VAL], Y[VAL])}
    tuner.search(X[TRAIN], Y[TRAIN], epochs=3, batch_size=64, verbose=0, **data)
    return tuner


@pytest.fixture(scope="module")
def tuner(tmp_path_factory):
    return searched(tmp_path_factory.mktemp("runs"))


def crossentropy(model, rows=VAL):
    p = np.asarray(model(X[rows]), dtype=float)
    return -np.log(p[np.arange(len(p)), Y[rows]]).mean()


def test_no_greedy_ensemble_is_worse_than_the_best_trial(tuner):
    model = tuner.ensemble(6, X[VAL], Y[VAL])
    alone = {trial.trial_id: tuner.load_model(trial) for trial in tuner.oracle.get_best_trials(3)}
    assert crossentropy(model) <= min(map(crossentropy, alone.values()))
    part = model.get_layer("average")
    mixed = sum(
        share * np.asarray(alone[name](X[TEST]))
        for name, share in zip(part.names_of_members, part.weights_of_members, strict=True)
    )
    assert np.asarray(model(X[TEST])) == pytest.approx(mixed, abs=1e-6)
    assert model.evaluate(X[VAL], Y[VAL], verbose=0)[0] == pytest.approx(
        crossentropy(model), abs=1e-4
    )


def test_the_average_is_of_the_best_trials_in_equal_parts(tuner):
    part = tuner.ensemble(2, X[VAL], Y[VAL], method="average").get_layer("average")
    assert part.names_of_members == [t.trial_id for t in tuner.oracle.get_best_trials(2)]
    assert part.weights_of_members == [0.5, 0.5]


def test_no_other_weights_have_a_lower_loss_than_stacking(tuner):
    stacked = crossentropy(tuner.ensemble(3, X[VAL], Y[VAL], method="stacking"))
    chosen = tuner.ensemble(12, X[VAL], Y[VAL], trials=3)
    assert stacked <= crossentropy(chosen) + 1e-4


def test_a_data_set_gives_the_ensemble_of_its_arrays(tuner):
    batches = tf.data.Dataset.from_tensor_slices((X[VAL], Y[VAL])).batch(64)
    one, other = tuner.ensemble(4, batches, trials=2), tuner.ensemble(4, X[VAL], Y[VAL], trials=2)
    assert np.asarray(one(X[TEST])) == pytest.approx(np.asarray(other(X[TEST])), abs=1e-6)
    with pytest.raises(ValueError, match="same rows in the same order each time"):
        tuner.ensemble(4, batches.unbatch().shuffle(300).batch(64), trials=2)


def test_an_ensemble_is_loaded_without_its_project_and_calibrated(tuner, tmp_path):
    model = tuner.ensemble(2, X[VAL], Y[VAL], method="average")
    expected = np.asarray(model(X[TEST]))
    kte.calibration.calibrate(model, X[VAL], Y[VAL], method="temperature").save("whole.keras")
    model.save("ensemble.keras")
    home = str(tuner.project_dir)
    elsewhere = shutil.move(home, tmp_path / "elsewhere")
    loaded = keras.models.load_model("ensemble.keras")
    assert np.asarray(loaded(X[TEST])) == pytest.approx(expected, abs=1e-6)
    whole = keras.models.load_model("whole.keras").predict(X[TEST], verbose=0)
    shutil.move(elsewhere, home)
    assert whole["probabilities"].sum(axis=1) == pytest.approx(1, abs=1e-5)
    own = np.arange(300), Y[TEST]
    assert np.log(whole["probabilities"][own]).mean() > np.log(expected[own]).mean()


def test_any_function_may_judge(tuner):
    asked = []

    def mistakes(y, p):
        asked.append(p.shape)
        return np.mean(p.argmax(1) != y)

    tuner.ensemble(2, X[VAL], Y[VAL], trials=2, loss=mistakes)
    assert asked[0] == (300, 10)
    with pytest.raises(ValueError, match="`loss` must be a loss of Keras for `method='stacking'`"):
        tuner.ensemble(2, X[VAL], Y[VAL], trials=2, loss=mistakes, method="stacking")
    with pytest.raises(ValueError, match="`loss` must return one number for all rows, got shape"):
        tuner.ensemble(2, X[VAL], Y[VAL], trials=2, loss=lambda y, p: p.argmax(1) != y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 0}, ValueError, "`size`"),
        ({"method": "bagging"}, ValueError, "`method` must be one of 'greedy', 'average'"),
        ({"trials": 1}, ValueError, "`trials`"),
        ({"y_val": None}, TypeError, "`x_val` must be"),
        ({"loss": "mse"}, TypeError, "`loss` must be a loss of Keras or a function"),
        ({"x_val": X[VAL] * np.nan}, ValueError, "predicts NaN or infinite values for `x_val`"),
    ],
)
def test_what_cannot_be_is_rejected(tuner, options, error, message):
    arguments = {"size": 2, "x_val": X[VAL], "y_val": Y[VAL], **options}
    with pytest.raises(error, match=message):
        tuner.ensemble(**arguments)


def test_too_few_weights_say_how_to_keep_more(tmp_path):
    tuner = searched(tmp_path, trials=1)
    for method in (lambda: tuner.ensemble(2, X[VAL], Y[VAL]), lambda: tuner.soup(X[VAL], Y[VAL])):
        with pytest.raises(FileNotFoundError, match="keep_checkpoints='all'"):
            method()


def fine_tuned(hp):
    """All trials begin with the same weights."""
    layers = [
        keras.layers.Dense(16, "relu", kernel_initializer=keras.initializers.GlorotUniform(1)),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(10, "softmax", kernel_initializer=keras.initializers.GlorotUniform(2)),
    ]
    model = keras.Sequential([keras.Input((64,)), *layers])
    rate = hp.Float("rate", 0.005, 0.03)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def test_a_soup_is_one_model_of_the_trials_shape_that_is_no_worse(tmp_path):
    tuner = searched(tmp_path, fine_tuned, trials=3)
    model = tuner.soup(X[VAL], Y[VAL], X[TRAIN])
    best = [tuner.load_model(trial) for trial in tuner.oracle.get_best_trials(3)]
    assert [w.shape for w in model.get_weights()] == [w.shape for w in best[0].get_weights()]
    assert crossentropy(model) <= min(map(crossentropy, best)) + 1e-6
    assert not any(np.array_equal(model.get_weights()[0], one.get_weights()[0]) for one in best)
    hidden = keras.Sequential(model.layers[:1])(X[TRAIN])  # renewed on the training rows
    assert np.asarray(model.layers[1].moving_mean) == pytest.approx(
        np.asarray(hidden).mean(axis=0), abs=1e-4
    )


def test_a_soup_needs_two_trials_of_one_architecture(tuner):
    with pytest.raises(ValueError, match="no other trial has that of the best one"):
        tuner.soup(X[VAL], Y[VAL])
