"""Metrics in compiled models: saved, reset, traced and spread over replicas."""

import math
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kt_extras import metrics
from kt_extras.bridge.objective import resolve_objective
from kt_extras.compat import KERAS_3
from tests.metrics.references import ALL, BINARY, value

rng = np.random.default_rng(3)
X = rng.normal(size=(40, 4)).astype("float32")
Y = rng.integers(0, 3, 40)
P = rng.dirichlet(np.ones(3), 40).astype("float32")
MINIMISED = {"expected_cost", "brier_score", "expected_calibration_error", "refinement"}


SOME = {kind: ALL[kind][0] for kind in ("macro_f1", "quadratic_kappa", "brier", "adaptive_ece")}


def in_graph(metric, **options):
    """Return `update_state` as part of a compiled step, as `fit` runs it."""

    @tf.function(**options)
    def update(y, scores):
        metric.update_state(y, scores)

    return update


@pytest.mark.parametrize("kind", ALL)
def test_a_copy_made_from_the_configuration_is_equal(kind):
    metric = ALL[kind][0](name="mine")
    config = keras.saving.serialize_keras_object(metric)
    copies = [type(metric).from_config(metric.get_config())]
    copies.append(keras.saving.deserialize_keras_object(config))
    for copy in copies:
        assert copy.get_config() == metric.get_config()
        assert copy.name == "mine"
        assert value(copy, Y, P) == value(metric, Y, P)


def test_a_threshold_survives_in_the_configuration():
    metric = metrics.F1Score(2, "binary", 0.2)
    assert metrics.F1Score.from_config(metric.get_config()).threshold == 0.2


def model_with(made, outputs=3):
    model = keras.Sequential(
        [keras.layers.Input((4,)), keras.layers.Dense(outputs, "softmax", use_bias=False)]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=made, weighted_metrics=[])
    return model


def test_a_model_that_was_saved_and_loaded_reports_the_same():
    model = model_with([maker(name=kind) for kind, maker in SOME.items()])
    logs = model.evaluate(X, Y, batch_size=7, verbose=0, return_dict=True)
    p = model.predict(X, verbose=0)
    for kind, maker in SOME.items():
        assert logs[kind] == pytest.approx(value(maker(), Y, p), abs=1e-5), kind
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    again = loaded.evaluate(X, Y, batch_size=16, verbose=0, return_dict=True)
    assert again == pytest.approx(logs, abs=1e-5)


def test_training_reports_metrics_that_a_search_can_have_as_objective():
    made = [metrics.F1Score(3), metrics.BrierScore(3)]
    history = model_with(made).fit(X, Y, validation_data=(X, Y), epochs=2, verbose=0)
    for metric in made:
        assert all(math.isfinite(score) for score in history.history[f"val_{metric.name}"])


@pytest.mark.skipif(not KERAS_3, reason="Keras 2 looks at the name alone")
def test_early_stopping_knows_the_direction_of_every_metric():
    made = [maker(name=kind) for kind, (maker, _) in ALL.items()]
    model = model_with(made)
    model.evaluate(X, Y, verbose=0)
    for kind in ALL:
        stop = keras.callbacks.EarlyStopping(f"val_{kind}")
        stop.set_model(model)
        stop.on_train_begin()
        for epoch, score in enumerate([0.5, 0.4, 0.6]):
            stop.on_epoch_end(epoch, {f"val_{kind}": score})
        assert stop.best_epoch == (1 if ALL[kind][0]().name in MINIMISED else 2), kind


@pytest.mark.parametrize("kind", ALL)
def test_the_direction_of_every_metric_is_known_from_its_name(kind):
    name = ALL[kind][0]().name
    direction = "min" if name in MINIMISED else "max"
    assert resolve_objective(f"val_{name}").direction == direction


@pytest.mark.parametrize("kind", ["macro_f1", "adaptive_ece"])
def test_a_metric_can_be_compiled_by_xla(kind):
    metric, eager = ALL[kind][0](), ALL[kind][0]()
    in_graph(metric, jit_compile=True)(tf.constant(Y), tf.constant(P))
    assert float(metric.result()) == pytest.approx(value(eager, Y, P), abs=1e-6)


def test_a_batch_of_unknown_shape_works_for_both_kinds_of_labels():
    metric = metrics.BalancedAccuracy(3)
    signature = [tf.TensorSpec((None, None)), tf.TensorSpec((None, 3))]
    update = in_graph(metric, input_signature=signature)
    expected = value(metrics.BalancedAccuracy(3), Y, P)
    for labels in (np.eye(3)[Y], Y[:, None]):
        metric.reset_state()
        update(tf.constant(labels, tf.float32), P)
        assert float(metric.result()) == pytest.approx(expected)


def test_rows_may_have_any_number_of_axes():
    for kind in ("macro_f1", "brier"):
        expected = value(ALL[kind][0](), Y, P, np.repeat(np.arange(8.0), 5))
        deep = value(ALL[kind][0](), Y.reshape(8, 5), P.reshape(8, 5, 3), np.arange(8.0))
        assert deep == pytest.approx(expected)


def test_half_precision_scores_are_counted_in_double():
    metric = metrics.ExpectedCalibrationError(3)
    halves = P.astype("float16")
    expected = value(metric, Y, halves.astype("float32"))
    assert value(metric, Y, halves) == pytest.approx(expected, abs=1e-6)


def test_seventeen_million_rows_are_still_counted_one_by_one():
    metric = metrics.F1Score(2, "micro")
    metric.update_state([0, 1], [0.1, 0.9], [2.0**24, 0.0])  # where single precision ends
    for _ in range(4):
        metric.update_state([0], [0.9])
    assert metric.matrix.numpy()[0].tolist() == [2.0**24, 4.0]


@pytest.mark.parametrize("kind", ALL)
def test_scores_that_are_nan_are_rejected_and_in_a_graph_give_nan(kind):
    broken = P.copy()
    broken[3, 1] = math.nan
    metric = ALL[kind][0]()
    with pytest.raises(ValueError, match="`y_pred` must hold numbers, got NaN"):
        metric.update_state(Y, broken)
    in_graph(metric)(tf.constant(Y), tf.constant(broken))
    assert math.isnan(float(metric.result()))


@pytest.mark.parametrize("wrong", [-1, 3])
@pytest.mark.parametrize("kind", ["macro_f1", "brier", "ece"])
def test_labels_out_of_range_are_rejected(kind, wrong):
    labels = Y.copy()
    labels[5] = wrong
    metric = ALL[kind][0]()
    with pytest.raises(ValueError, match=rf"`y_true` must hold classes from 0 to 2, got \[{wrong}"):
        metric.update_state(labels, P)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`y_true` must hold classes from 0"):
        in_graph(metric)(tf.constant(labels), tf.constant(P))


@pytest.mark.parametrize("labels", [np.eye(3)[Y] + np.eye(3)[0], np.zeros((40, 3), bool)])
@pytest.mark.parametrize("kind", ["macro_f1", "brier"])
def test_multi_label_data_are_rejected(kind, labels):
    metric = ALL[kind][0]()
    with pytest.raises(ValueError, match=r"`y_true` with a column for each class must sum to 1"):
        metric.update_state(labels, P)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`y_true` with a column for each"):
        in_graph(metric)(tf.constant(labels), tf.constant(P))


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_smoothed_labels_count_as_their_largest_class(dtype):
    expected = value(metrics.F1Score(3), Y, P)
    smooth = (0.7 * np.eye(3)[Y] + 0.1).astype(dtype)
    assert value(metrics.F1Score(3), smooth, P) == expected


def test_labels_that_are_not_integers_are_rejected():
    metric = metrics.F1Score(3)
    with pytest.raises(ValueError, match=r"`y_true` must hold classes .*, got \[0\.9\]; .*mixed"):
        metric.update_state([0.9, 1.0], P[:2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="`y_true` must hold classes from 0"):
        in_graph(metric)(tf.constant([[0.9], [1.0]]), tf.constant(P[:2]))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_labels_of_two_classes_out_of_range_are_rejected(wrong):
    metric = metrics.F1Score(2, "binary")
    with pytest.raises(ValueError, match="`y_true` must hold classes from 0 to 1, or how much"):
        metric.update_state([wrong, 1.0], [0.9, 0.9])
    with pytest.raises(tf.errors.InvalidArgumentError, match="`y_true` must hold classes from 0"):
        in_graph(metric)(tf.constant([[wrong], [1.0]]), tf.constant([0.9, 0.9]))


def test_mixed_labels_of_two_classes_count_as_the_larger_part():
    mixed, y, scores = np.array([0.9, 0.5, 0.4, 1.0]), [1, 0, 0, 1], np.array([0.8, 0.7, 0.2, 0.6])
    for maker in BINARY.values():
        expected = value(maker(), y, scores)
        for labels in (mixed, mixed[:, None], np.stack([1 - mixed, mixed], 1)):
            assert value(maker(), labels, scores) == pytest.approx(expected, nan_ok=True)


LOGITS = [
    lambda: metrics.BrierScore(3),
    lambda: metrics.ExpectedCalibrationError(3),
    lambda: metrics.Refinement(3),
]


@pytest.mark.parametrize("make", LOGITS)
@pytest.mark.parametrize("wrong", [-0.1, 1.1])
def test_logits_instead_of_probabilities_are_rejected_and_give_nan_under_xla(make, wrong):
    logits, metric = P.copy(), make()
    logits[3, 1] = wrong
    message = r"`y_pred` must hold probabilities .* `from_logits=True`"
    with pytest.raises(ValueError, match=message):
        metric.update_state(Y, logits)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        in_graph(metric)(tf.constant(Y), tf.constant(logits))
    metric.reset_state()
    in_graph(metric, jit_compile=True)(tf.constant(Y), tf.constant(logits))
    assert math.isnan(float(metric.result()))


@pytest.mark.parametrize("make", LOGITS)
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_scores_of_a_training_that_has_diverged_give_nan_in_a_graph(make, value):
    scores, metric = P.copy(), make()
    scores[3, 1] = value
    in_graph(metric)(tf.constant(Y), tf.constant(scores))
    assert math.isnan(float(metric.result()))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_logits_of_a_model_are_not_measured_as_probabilities(jit_compile):
    made = [metrics.BrierScore(2), metrics.ExpectedCalibrationError(2, of="positive")]
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=made, jit_compile=jit_compile)
    data = {"x": 10 * X, "y": np.minimum(Y, 1), "verbose": 0}
    if not jit_compile:
        with pytest.raises(tf.errors.InvalidArgumentError, match="pass `from_logits=True`"):
            model.evaluate(**data)
        return
    logs = model.evaluate(**data, return_dict=True)
    assert all(math.isnan(logs[metric.name]) for metric in made)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rounded_half_precision_probabilities_are_accepted(dtype):
    p = tf.cast(tf.nn.softmax(tf.constant([[20.0, 0.0], [3.0, 3.01]])), dtype)
    metric = metrics.BrierScore(2)
    in_graph(metric)(tf.constant([0, 1]), p)
    assert math.isfinite(float(metric.result()))


def test_scores_of_the_wrong_shape_are_rejected():
    metric = metrics.F1Score(3)
    with pytest.raises(ValueError, match="`y_pred` must have a column for each of `num_classes` 3"):
        metric.update_state(Y, P[:, :2])
    with pytest.raises(ValueError, match="`y_pred` must have a column for each of `num_classes` 3"):
        metric.update_state(Y, P[:, 0])
    with pytest.raises(ValueError, match="`y_true` must hold one class number for each row"):
        metric.update_state(np.eye(4)[Y], P)


@pytest.mark.parametrize("labels", [Y[:7], Y[:7, None], np.eye(3)[Y[:7]]])
def test_another_number_of_labels_than_of_scores_is_rejected(labels):
    with pytest.raises(ValueError, match=r"got shape \(7,.* for rows of shape \(40,\)"):
        metrics.F1Score(3).update_state(labels, P)


@pytest.mark.parametrize("shape", [(7,), (7, 1), (40, 3), (40, 1, 1)])
def test_weights_that_do_not_belong_to_the_rows_are_rejected(shape):
    with pytest.raises(ValueError, match=r"`sample_weight` must have a weight for each row .*got"):
        metrics.F1Score(3).update_state(Y, P, np.ones(shape))


def test_weights_below_0_are_rejected():
    with pytest.raises(ValueError, match="`sample_weight` must be at least 0, got -2"):
        metrics.F1Score(3).update_state(Y, P, np.full(40, -2.0))


@pytest.mark.parametrize("weights", [2.0, np.full(1, 2.0), np.full((40, 1), 2.0)])
def test_one_weight_applies_to_all_rows(weights):
    metric = metrics.F1Score(3)
    metric.update_state(Y, P, weights)
    assert float(tf.reduce_sum(metric.matrix)) == 80


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.F1Score(1), "`num_classes` must be at least 2, got 1"),
        (lambda: metrics.F1Score(3, threshold=0.5), "`threshold` is for two classes, got 0.5"),
        (lambda: metrics.F1Score(2, threshold=[0.5]), "`threshold` must be a number or None, got"),
        (lambda: metrics.F1Score(3, "none"), "`average` must be one of macro"),
        (lambda: metrics.F1Score(3, "binary"), "`average` 'binary' is for two classes, got 3"),
        (lambda: metrics.CohenKappa(3, "cubic"), "`weighting` must be None, 'linear'"),
        (lambda: metrics.ExpectedCost(3, [[0, 1], [1, 0]]), "`costs` must have shape"),
        (lambda: metrics.BrierScore(1), "`num_classes` must be at least 2, got 1"),
        (lambda: metrics.ExpectedCalibrationError(1), "`num_classes` must be at least 2, got 1"),
        (lambda: metrics.ExpectedCalibrationError(2, 0), "`n_bins` must lie between 1 and"),
        (
            lambda: metrics.ExpectedCalibrationError(2, strategy="equal"),
            "`strategy` must be 'uniform' or 'quantile'",
        ),
        (
            lambda: metrics.ExpectedCalibrationError(3, of="positive"),
            "`of` must be 'predicted', or 'positive' with two classes",
        ),
    ],
)
def test_arguments_out_of_range_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
def test_two_replicas_count_as_one_does():
    program = """
        import keras, numpy as np, tensorflow as tf
        from tests.metrics.references import value
        from tests.metrics.test_in_keras import SOME, X, Y, model_with

        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        with strategy.scope():
            model = model_with([maker(name=kind) for kind, maker in SOME.items()])
        for _ in range(2):  # the second time after a reset
            logs = model.evaluate(X, Y, batch_size=14, verbose=0, return_dict=True)
        p = model.predict(X, verbose=0)
        for kind, maker in SOME.items():
            alone = value(maker(), Y, p)
            assert abs(logs[kind] - alone) < 1e-5, (kind, logs[kind], alone)
        print("equal on", strategy.num_replicas_in_sync)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert "equal on 2" in run.stdout, run.stderr[-2000:]


def test_a_binary_model_with_one_output_reports_them_too():
    made = {kind: BINARY[kind] for kind in ("specificity", "binary_f1", "brier", "ece")}
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    model.compile(
        "sgd", "binary_crossentropy", metrics=[maker(name=kind) for kind, maker in made.items()]
    )
    y = np.minimum(Y, 1)
    logs = model.evaluate(X, y, batch_size=9, verbose=0, return_dict=True)
    p = model.predict(X, verbose=0)
    for kind, maker in made.items():
        assert logs[kind] == pytest.approx(value(maker(), y, p), abs=1e-5), kind
