import copy
import math

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import f1_score

import kt_extras as kte
from kt_extras.calibration import ExpectedCost, RecallAtPrecision, fit_thresholds
from kt_extras.calibration.halves import fair_halves
from kt_extras.calibration.sample import check_sample
from kt_extras.callbacks.threshold_calibration import ThresholdCalibration

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3)).astype("float32")
Y = (X[:, 0] + RNG.normal(size=400) > 1.5).astype(int)
XV, YV = X[200:], Y[200:]
VALIDATION = (XV, YV)


def binary(units=1, activation="sigmoid", loss="binary_crossentropy"):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units, activation)])
    model.compile("sgd", loss)
    return model


class Fixed(keras.Model):
    """A model whose answers are its inputs."""

    def call(self, inputs):
        return inputs


def measured(validation_data, model=None, epoch=0, **arguments):
    """Return what one epoch adds to the logs."""
    callback = ThresholdCalibration(validation_data, **arguments)
    callback.set_model(model or Fixed())
    callback.on_train_begin()
    logs = {}
    callback.on_epoch_end(epoch, logs)
    return logs


def test_value_and_threshold_reach_the_history_and_later_callbacks():
    seen = []
    later = keras.callbacks.LambdaCallback(on_epoch_end=lambda _, logs: seen.append(dict(logs)))
    calibration = ThresholdCalibration(VALIDATION)
    history = binary().fit(
        X, Y, epochs=2, verbose=0, validation_data=VALIDATION, callbacks=[calibration, later]
    )
    names = {"loss", "val_loss", "val_f1_at_best_threshold", "val_best_threshold"}
    assert set(history.history) == names
    assert history.history["val_best_threshold"] == [logs["val_best_threshold"] for logs in seen]
    assert calibration.thresholds.values == history.history["val_best_threshold"][-1]


def test_on_all_rows_the_value_is_that_of_the_threshold():
    model = binary()
    logs = measured(VALIDATION, model, fit_on="all")
    p = model.predict(XV, verbose=0)[:, 0]
    decisions = p >= logs["val_best_threshold"]
    assert logs["val_f1_at_best_threshold"] == pytest.approx(f1_score(YV, decisions))


def test_the_value_on_half_of_the_rows_is_unbiased_for_noise():
    honest, flattered, same = [], [], Fixed()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        noise = rng.random((60, 1)), (rng.random(60) < 0.5).astype(int)
        for values, fit_on in ((honest, "half"), (flattered, "all")):
            logs = measured(noise, same, metric="mcc", fit_on=fit_on, seed=seed)
            values.append(logs["val_mcc_at_best_threshold"])
    assert abs(np.mean(honest)) < 0.05  # the true value, since the scores are noise
    assert np.mean(flattered) > 0.2


def test_one_half_is_judged_by_the_threshold_of_the_other():
    # Equal rows are shared out evenly, so both halves say the same.
    p = np.repeat([[0.1], [0.4], [0.8], [0.9]], 2, axis=0)
    logs = measured((p, np.repeat([0, 0, 1, 1], 2)))
    assert logs == {
        "val_f1_at_best_threshold": 1.0,
        "val_best_threshold": pytest.approx(0.6),
    }


def test_each_half_uses_the_other_threshold_and_all_rows_fit_the_final_one():
    p, y = RNG.random((50, 1)), RNG.integers(0, 2, 50)
    logs = measured((p, y), Fixed(), seed=3)
    one, other = fair_halves(check_sample(y, p), seed=3)
    judged = [
        fit_thresholds(y[a], p[a], "f1").score(y[b], p[b]) for a, b in ((one, other), (other, one))
    ]
    assert logs["val_f1_at_best_threshold"] == pytest.approx(np.mean(judged))
    assert logs["val_best_threshold"] == pytest.approx(fit_thresholds(y, p, "f1").values)


def test_the_same_seed_gives_the_same_halves():
    rows = RNG.random((50, 1)), RNG.integers(0, 2, 50)
    assert measured(rows, seed=3) == measured(rows, seed=3)
    assert measured(rows, seed=3) != measured(rows, seed=4)


def test_every_class_has_a_threshold_in_the_logs():
    p = RNG.dirichlet(np.ones(3), 90).astype("float32")
    logs = measured((p, RNG.integers(0, 3, 90)), metric="balanced_accuracy")
    assert set(logs) == {
        "val_balanced_accuracy_at_best_threshold",
        *(f"val_best_threshold_{k}" for k in range(3)),
    }
    labels = RNG.integers(0, 2, (90, 3))
    assert len(measured((p, labels), multi_label=True)) == 4


def test_of_a_hundred_classes_twenty_thresholds_are_logged():
    p = RNG.dirichlet(np.ones(100), 300).astype("float32")
    assert len(measured((p, RNG.integers(0, 100, 300)))) == 21


def test_two_columns_have_one_threshold():
    p = RNG.random((60, 1)).astype("float32")
    y = RNG.integers(0, 2, 60)
    one, two = (measured((scores, y)) for scores in (p, np.hstack([1 - p, p])))
    assert two == pytest.approx(one, abs=1e-6)


def test_logits_are_turned_into_probabilities():
    z = RNG.normal(size=(60, 1)).astype("float32")
    y = RNG.integers(0, 2, 60)
    logits = measured((z, y), from_logits=True)
    assert logits == pytest.approx(measured((1 / (1 + np.exp(-z)), y)), abs=1e-6)


def test_data_sets_and_weights_give_the_same_values_as_arrays():
    w = RNG.random(200)
    model = binary()
    model.set_weights([np.ones((3, 1)), np.zeros(1)])
    expected = measured((XV, YV, w), model)
    batches = tf.data.Dataset.from_tensor_slices((XV, YV, w)).batch(64)
    assert measured(batches, model) == pytest.approx(expected, abs=1e-6)
    assert measured(VALIDATION, model) != expected


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (ExpectedCost([[0, 1], [5, 0]]), "expected_cost"),
        (RecallAtPrecision(0.5), "recall_at_precision"),
        ("f0.5", "f0.5"),
    ],
)
def test_criteria_are_named_in_the_logs(metric, name):
    assert f"val_{name}_at_best_threshold" in measured(VALIDATION, binary(), metric=metric)


def test_values_are_repeated_in_epochs_without_calibration():
    calibration = ThresholdCalibration(VALIDATION, every=2)
    history = binary().fit(X, Y, epochs=5, verbose=0, callbacks=[calibration]).history
    values = history["val_best_threshold"]
    assert values[0] == values[1]
    assert values[2] == values[3]
    assert len(set(values)) == 3


def test_a_resumed_training_repeats_the_same_numbers():
    first, second = (ThresholdCalibration(VALIDATION, every=4) for _ in range(2))
    logs, again = {}, {}
    for callback in (first, second):
        callback.set_model(binary())
        callback.on_train_begin()
    first.on_epoch_end(0, {})
    first.on_epoch_end(1, logs)
    second.set_state(first.get_state())
    second.on_epoch_end(1, again)
    assert again == logs


def test_no_threshold_is_logged_when_the_model_has_diverged():
    p = np.full((20, 1), math.nan)
    logs = measured((p, np.arange(20) % 2))
    assert all(math.isnan(value) for value in logs.values())
    assert set(logs) == {"val_f1_at_best_threshold", "val_best_threshold"}


def test_a_copy_shares_the_data_and_nothing_else():
    calibration = ThresholdCalibration(VALIDATION)
    binary().fit(X, Y, verbose=0, callbacks=[calibration])
    clone = copy.deepcopy(calibration)
    assert clone.validation_data[0] is XV
    assert clone.thresholds is None
    binary().fit(X, Y, verbose=0, callbacks=[clone])
    assert clone.thresholds is not calibration.thresholds


def test_a_search_has_the_value_as_its_objective():
    def build(hp):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1.0)), "binary_crossentropy")
        return model

    objective = keras_tuner.Objective("val_f1_at_best_threshold", "max")
    tuner = kte.TPE(build, objective, max_trials=2, seed=0, directory="search")
    calibration = ThresholdCalibration(VALIDATION)
    tuner.search(X, Y, validation_data=VALIDATION, epochs=2, verbose=0, callbacks=[calibration])
    for row in tuner.results():
        history = tuner.history(row["trial_id"])
        assert row["score"] == max(history["val_f1_at_best_threshold"])
        assert len(history["val_best_threshold"]) == 2
    assert calibration.thresholds is None


def endless():
    return tf.data.Dataset.from_tensor_slices(VALIDATION).batch(8).repeat()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, TypeError, r"`validation_data` must be `\(x, y\)`, .* got None; Keras does not pass"),
        ({"validation_data": XV}, TypeError, "`validation_data` must be .* got ndarray"),
        ({"validation_data": VALIDATION, "metric": "auc"}, ValueError, "`metric` must be 'f1'"),
        (
            {"validation_data": VALIDATION, "metric": keras.metrics.AUC()},
            TypeError,
            "`metric` must",
        ),
        ({"validation_data": endless()}, ValueError, "must have an end, got one that repeats"),
        ({"validation_data": VALIDATION, "fit_on": "both"}, ValueError, "`fit_on` must be 'half'"),
        ({"validation_data": VALIDATION, "every": 0}, ValueError, "`every` must be an integer"),
    ],
)
def test_bad_arguments_are_rejected_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        ThresholdCalibration(**arguments)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((np.array([[0.1], [0.2], [0.3]]), [0, 0, 1]), "at least two rows .* fewer of class 1"),
        ((np.array([[0.1], [0.2], [0.3]]), [0, 0, 2]), "`y_true` must hold classes from 0"),
        ((np.array([[0.1], [3.0], [0.3]]), [0, 0, 1]), r"must lie in \[0, 1\] unless `from_logits"),
        ((np.full((3, 3), 0.9), [0, 1, 2]), "sum to 1 .* pass `multi_label=True` if the columns"),
        ((np.zeros((3, 1)), [0, 1]), "same number of rows, got 3, 2"),
    ],
)
def test_bad_data_are_rejected_after_the_first_epoch(rows, message):
    with pytest.raises(ValueError, match=message):
        measured(rows)
