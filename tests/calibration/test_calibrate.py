import functools
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kt_extras.calibration import ExpectedCost, TrainedClassifier, calibrate, fit_thresholds
from kt_extras.compat import KERAS_3

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3)).astype("float32")
Y = (X[:, 0] + RNG.normal(size=300) > 1).astype(int)
Y3 = np.digitize(X[:, 0] + 0.7 * RNG.normal(size=300), [-1, 0.3])
Y_LABELS = (X[:, :2] + RNG.normal(size=(300, 2)) > 0.5).astype(int)


def ask(model, inputs=X):
    """Return what a model answers, without the second that `predict` takes to begin."""
    answer = model(inputs)
    if isinstance(answer, dict):
        return {name: np.asarray(values) for name, values in answer.items()}
    return np.asarray(answer)


@functools.cache
def model(units=1, activation="sigmoid"):
    """Return a model that says something about the first inputs, far too surely."""
    built = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units, activation)])
    kernel = np.zeros((3, units), "float32")
    if activation == "softmax" or units == 3:
        kernel[0] = np.linspace(-6, 6, units)
    else:
        kernel[np.arange(units), np.arange(units)] = 6.0
    built.set_weights([kernel, np.zeros(units, "float32")])
    return built


PROBLEMS = {
    "binary": (lambda: model(), Y, {}),
    "binary logits": (lambda: model(activation=None), Y, {"from_logits": True}),
    "two columns": (lambda: model(2, "softmax"), Y, {}),
    "one-hot": (lambda: model(3, "softmax"), np.eye(3)[Y3], {}),
    "multi-class logits": (lambda: model(3, None), Y3, {"from_logits": True}),
    "multi-label": (lambda: model(2), Y_LABELS, {"multi_label": True}),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_model_predicts_what_its_calibration_and_thresholds_say(problem):
    make, y, how = PROBLEMS[problem]
    calibrated = calibrate(make(), X, y, threshold="f1", **how)
    answer = calibrated.predict(X, verbose=0)
    found = fit_thresholds(y, answer["probabilities"], "f1", multi_label="multi_label" in how)
    assert answer["probabilities"].shape == ask(make()).shape
    assert (answer["decision"] == found.decide(answer["probabilities"])).all()
    assert found.score(y, answer["probabilities"]) == pytest.approx(found.value)


@pytest.mark.parametrize(
    ("problem", "method"),
    [
        ("binary", "temperature"),
        ("binary logits", "platt"),
        ("one-hot", "isotonic"),
        ("multi-class logits", "vector"),
        ("multi-label", "isotonic"),
        ("two columns", None),
        ("two columns", "auto"),
    ],
)
def test_the_model_is_loaded_from_one_file(problem, method):
    make, y, how = PROBLEMS[problem]
    calibrated = calibrate(make(), X, y, method=method, threshold="f2", **how)
    calibrated.save("model.keras")
    again = keras.models.load_model("model.keras")
    expected = ask(calibrated)
    for name, values in ask(again).items():
        assert values.tolist() == expected[name].tolist()


@pytest.mark.slow
def test_a_new_process_needs_one_import_to_load_the_model():
    calibrate(model(), X, Y, method="isotonic", threshold=0.3).save("model.keras")
    load = (
        "import keras, numpy, kt_extras;"
        "model = keras.models.load_model('model.keras');"
        "print(*model.predict(numpy.ones((1, 3)), verbose=0)['decision'])"
    )
    done = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1", done.stderr


def test_the_exported_model_needs_no_import_at_all():
    calibrated = calibrate(model(3, "softmax"), X, Y3, method="platt", threshold="mcc")
    if KERAS_3:
        calibrated.export("exported", verbose=False)
        loaded = tf.saved_model.load("exported")  # which owns the variables of what it serves
        answer = loaded.serve(X)
    else:
        calibrated.save("exported", save_format="tf")
        loaded = tf.saved_model.load("exported")
        answer = loaded(X)
        again = ask(keras.models.load_model("exported"))
        assert (again["decision"] == answer["decision"].numpy()).all()
        served = loaded.signatures["serving_default"].structured_outputs
        assert sorted(served) == ["decision", "probabilities"]
    expected = ask(calibrated)
    assert answer["probabilities"].numpy() == pytest.approx(expected["probabilities"], abs=1e-6)
    assert (answer["decision"].numpy() == expected["decision"]).all()


def test_the_given_model_is_left_as_it_is():
    given = model()
    before = ask(given)
    calibrate(given, X, Y, method="isotonic")
    assert ask(given).tolist() == before.tolist()
    assert len(given.layers) == 1


def test_a_calibrated_model_is_less_sure_where_it_was_too_sure():
    before = ask(model())
    after = ask(calibrate(model(), X, Y, method="temperature"))["probabilities"]
    assert np.abs(after - 0.5).mean() < 0.7 * np.abs(before - 0.5).mean()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_without_a_threshold_the_likelier_class_is_decided(problem):
    make, y, how = PROBLEMS[problem]
    answer = ask(calibrate(make(), X, y, **how))
    p = answer["probabilities"]
    if p.shape[1] == 1:
        p = np.hstack([1 - p, p])
    expected = (p >= 0.5) if "multi_label" in how else p.argmax(axis=1)
    assert (answer["decision"] == expected).mean() > 0.99


def test_thresholds_may_be_given():
    p = ask(model())[:, 0]
    answer = ask(calibrate(model(), X, Y, method=None, threshold=0.9))
    assert (answer["decision"] == (p >= 0.9)).all()
    p = ask(model(2))
    two = calibrate(model(2), X, Y_LABELS, method=None, threshold=[0.9, 0.2], multi_label=True)
    assert (ask(two)["decision"] == (p >= [0.9, 0.2])).all()


def test_thresholds_follow_a_cost_matrix():
    dear = ask(calibrate(model(), X, Y, threshold=ExpectedCost([[0, 1], [50, 0]])))
    assert dear["decision"].mean() > 0.6


def test_sample_weights_count():
    one, other = (np.where(k == Y, 5.0, 1.0) for k in (0, 1))
    low, high = (
        ask(calibrate(model(), X, Y, method="platt", sample_weight=w)) for w in (one, other)
    )
    assert (low["probabilities"] < high["probabilities"]).all()


def test_a_data_set_is_calibrated_on_like_arrays():
    w = np.linspace(0.1, 1, 300)
    data = tf.data.Dataset.from_tensor_slices((X, Y, w)).batch(64)
    arrays = calibrate(model(), X, Y, threshold="f1", sample_weight=w)
    batches = calibrate(model(), data, threshold="f1")
    assert batches.layers[-1].thresholds == pytest.approx(arrays.layers[-1].thresholds, abs=1e-6)
    assert batches.layers[-2].scale == pytest.approx(arrays.layers[-2].scale, rel=1e-3)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(1, "sigmoid")

    def call(self, inputs):
        return self.out(inputs["a"] + inputs["b"])


def test_a_subclassed_model_with_several_inputs_is_calibrated():
    inputs = {"a": X, "b": X[::-1].copy()}
    given = Subclassed()
    expected = ask(given, inputs)
    answer = ask(calibrate(given, inputs, Y, method=None), inputs)
    assert answer["probabilities"] == pytest.approx(expected, abs=1e-6)


def test_a_functional_model_with_several_inputs_is_calibrated_and_saved():
    ends = {name: keras.Input((3,), name=name) for name in ("a", "b")}
    hidden = keras.layers.Concatenate()([ends["a"], ends["b"]])
    given = keras.Model(ends, keras.layers.Dense(1, "sigmoid", name="decision")(hidden))
    inputs = {"a": X, "b": X[::-1].copy()}
    calibrated = calibrate(given, inputs, Y)
    calibrated.save("model.keras")
    again = ask(keras.models.load_model("model.keras"), inputs)
    assert (again["decision"] == ask(calibrated, inputs)["decision"]).all()


def two_outputs():
    inputs = keras.Input((3,))
    return keras.Model(inputs, [keras.layers.Dense(1)(inputs), keras.layers.Dense(1)(inputs)])


@pytest.mark.parametrize(
    ("make", "y", "arguments", "message"),
    [
        (model, np.zeros(300, int), {}, "`y_true` must hold more than one class"),
        (model, Y, {"threshold": [0.1, 0.2]}, "`threshold` must be a metric or one number"),
        (lambda: model(3, "softmax"), Y3, {"threshold": 0.5}, "or 3 numbers, one a class"),
        (model, Y, {"threshold": np.nan}, "`threshold` must be a metric or one number"),
        (model, Y, {"threshold": "f"}, "`threshold` must be 'f1'"),
        (two_outputs, Y, {}, "`model` must have one output, got 2"),
    ],
)
def test_bad_input_is_rejected(make, y, arguments, message):
    with pytest.raises(ValueError, match=message):
        calibrate(make(), X, y, **arguments)


@pytest.mark.parametrize("threshold", [5.0, -0.1, np.nan, [0.2, 0.3]])
def test_a_threshold_is_a_probability(threshold):
    with pytest.raises(ValueError, match=r"`threshold` must be a metric or one number in \[0, 1\]"):
        calibrate(model(), X, Y, threshold=threshold)


def test_a_metric_of_keras_is_refused_as_a_threshold():
    with pytest.raises(TypeError, match=r"`threshold` must be a name .* got AUC"):
        calibrate(model(), X, Y, threshold=keras.metrics.AUC())


def test_a_layer_of_the_model_may_have_the_name_of_an_output():
    named = keras.layers.Dense(1, "sigmoid", name="probabilities")
    given = keras.Sequential([keras.Input((3,)), named])
    assert set(ask(calibrate(given, X, Y))) == {"probabilities", "decision"}


def test_arrays_of_different_lengths_are_rejected():
    with pytest.raises(ValueError, match="same number of rows, got 300, 256"):
        calibrate(model(), X, Y[:256])


def test_a_data_set_without_an_end_is_rejected():
    endless = tf.data.Dataset.from_tensor_slices((X, Y)).batch(64).repeat()
    with pytest.raises(ValueError, match=r"must have an end, .* leave out `repeat"):
        calibrate(model(), endless)


def test_missing_labels_are_refused():
    with pytest.raises(TypeError, match="`y_cal`"):
        calibrate(model(), X)


@pytest.mark.parametrize("method", ["auto", "temperature", "isotonic", None])
def test_a_model_with_one_score_a_row_is_calibrated(method):
    column = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    squeeze = keras.ops.squeeze if KERAS_3 else tf.squeeze
    flat = keras.Model(column.inputs[0], squeeze(column.outputs[0], -1))
    expected = ask(calibrate(column, X, Y, method=method, threshold="f1"))
    found = ask(calibrate(flat, X, Y, method=method, threshold="f1"))
    assert found["probabilities"] == pytest.approx(expected["probabilities"][:, 0], abs=1e-6)
    assert (found["decision"] == expected["decision"]).all()
    classifiers = TrainedClassifier(flat), TrainedClassifier(column)
    first, second = (each.predict_proba(X) for each in classifiers)
    assert first == pytest.approx(second, abs=1e-6)
    assert classifiers[0].classes_.tolist() == [0, 1]
