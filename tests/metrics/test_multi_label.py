"""Metrics of several labels that do not exclude each other, against scikit-learn and NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics as sk

from kt_extras import metrics
from kt_extras.calibration import expected_calibration_error
from tests.metrics.references import value

RNG = np.random.default_rng(0)
Y = (RNG.random((60, 4)) < [0.1, 0.3, 0.5, 0.9]).astype("int64")
P = RNG.random((60, 4)).astype("float32")
W = RNG.random(60)


@pytest.fixture(params=["plain", "weighted"])
def weights(request):
    return None if request.param == "plain" else W


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_f1_is_scikit_learns(average, weights):
    metric = metrics.MultiLabel(metrics.F1Score(2, "binary"), 4, average)
    expected = sk.f1_score(Y, P > 0.5, average=average, sample_weight=weights)
    assert value(metric, Y, P, weights) == pytest.approx(expected, abs=1e-6)


def test_matthews_correlation_is_the_mean_of_the_labels(weights):
    metric = metrics.MultiLabel(metrics.MatthewsCorrelationCoefficient(2), 4)
    expected = np.mean(
        [
            sk.matthews_corrcoef(y, p > 0.5, sample_weight=weights)
            for y, p in zip(Y.T, P.T, strict=True)
        ]
    )
    assert value(metric, Y, P, weights) == pytest.approx(expected, abs=1e-6)


def test_the_calibration_error_is_that_of_the_function(weights):
    metric = metrics.MultiLabel(metrics.ExpectedCalibrationError(2, of="positive"), 4)
    expected = expected_calibration_error(Y, P, sample_weight=weights, multi_label=True)
    assert value(metric, Y, P, weights) == pytest.approx(expected, abs=1e-6)


def test_every_label_may_have_a_weight_of_its_own():
    weights = RNG.random(Y.shape)
    metric = metrics.MultiLabel(metrics.F1Score(2, "binary"), 4)
    columns = zip(Y.T, P.T, weights.T, strict=True)
    expected = np.mean([sk.f1_score(y, p > 0.5, sample_weight=w) for y, p, w in columns])
    assert value(metric, Y, P, weights) == pytest.approx(expected, abs=1e-6)
    deep = [each.reshape(12, 5, 4) for each in (Y, P, weights)]
    assert value(metric, *deep) == pytest.approx(expected, abs=1e-6)


def test_the_metric_is_the_same_in_fit_and_after_loading():
    inner = [
        metrics.F1Score(2, "binary"),
        metrics.ExpectedCalibrationError(2, of="positive"),
        keras.metrics.AUC(name="auc"),
    ]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "sigmoid")])
    made = [metrics.MultiLabel(metric, 2) for metric in inner]
    model.compile("sgd", "binary_crossentropy", metrics=made)
    x, y = RNG.normal(size=(60, 3)).astype("float32"), Y[:, :2]
    history = model.fit(x, y, validation_data=(x, y), batch_size=16, verbose=0).history
    names = ["f1_score", "expected_calibration_error", "auc"]
    assert set(history) == {"loss", "val_loss"} | {
        f"{part}{name}" for part in ("", "val_") for name in names
    }
    p = model.predict(x, verbose=0)
    for name, metric in zip(names, made, strict=True):
        assert history[f"val_{name}"][0] == pytest.approx(value(metric, y, p), abs=1e-5)
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    again = loaded.evaluate(x, y, verbose=0, return_dict=True)
    assert again["f1_score"] == pytest.approx(history["val_f1_score"][0], abs=1e-5)
    assert loaded.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(again)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("f1", 4), "`metric` must be a metric of Keras"),
        ((metrics.F1Score(2), 0), "`num_labels` must be an integer from 1"),
        ((metrics.F1Score(2), 4, "binary"), "`average` must be 'macro' or 'micro'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        metrics.MultiLabel(*arguments)


def test_another_number_of_labels_is_refused():
    metric = metrics.MultiLabel(metrics.F1Score(2), 3)
    with pytest.raises(ValueError, match="`y_true` must have a column for each of `num_labels` 3"):
        metric.update_state(Y, P)


def test_weights_of_another_number_of_rows_are_refused():
    metric = metrics.MultiLabel(metrics.F1Score(2), 4)
    with pytest.raises(ValueError, match="`sample_weight` must have a weight for each row"):
        metric.update_state(Y, P, W[:7])


def test_masked_rows_do_not_count():
    tokens = RNG.integers(1, 4, (30, 6)) * (np.arange(6) < RNG.integers(1, 7, (30, 1)))
    y = RNG.integers(0, 2, (30, 6, 4))
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Embedding(4, 5, mask_zero=True),
            keras.layers.Dense(4, "sigmoid"),
        ]
    )
    metric = metrics.MultiLabel(metrics.F1Score(2, "binary"), 4)
    model.compile("sgd", "binary_crossentropy", metrics=[metric])
    found = model.evaluate(tokens, y, verbose=0, return_dict=True)["f1_score"]
    p, real = model.predict(tokens, verbose=0), tokens != 0
    assert found == pytest.approx(value(metric, y[real], p[real]), abs=1e-6)
    assert found != pytest.approx(value(metric, y, p), abs=1e-3)


def test_labels_of_unknown_shape_are_taken():
    metric = metrics.MultiLabel(metrics.F1Score(2, "binary"), 4)
    expected = value(metric, Y, P)
    for shape in ((None, None), None):
        specs = [tf.TensorSpec(shape, tf.int64), tf.TensorSpec((None, None))]

        @tf.function(input_signature=specs)
        def update(y, p):
            metric.update_state(y, p)

        metric.reset_state()
        update(Y, P)
        assert float(metric.result()) == pytest.approx(expected)
