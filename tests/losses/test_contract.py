"""What every loss has to do: finite gradients, both kinds of labels, saving and loading."""

import copy
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from kt_extras import losses

C = 3
COUNTS, WEIGHTS = [60, 30, 10], [1.0, 2.0, 5.0]
COSTS = [[0, 1, 2], [3, 0, 1], [9, 4, 0]]
MAKERS = {
    "weighted": lambda **k: losses.WeightedCrossentropy(WEIGHTS, **k),
    "focal": lambda **k: losses.SparseFocalCrossentropy(WEIGHTS, 0.5, **k),
    "smoothed": lambda **k: losses.SparseSmoothedCrossentropy(0.2, **k),
    "ldam": lambda **k: losses.LDAM(COUNTS, weights=WEIGHTS, scale=3.0, **k),
    "logit_adjusted": lambda **k: losses.LogitAdjustedCrossentropy(COUNTS, tau=1.5, **k),
    "balanced_softmax": lambda **k: losses.BalancedSoftmax(COUNTS, **k),
    "poly": lambda **k: losses.Poly1Crossentropy(2.0, **k),
    "expected_cost": lambda **k: losses.ExpectedCostLoss(COSTS, **k),
    "soft_fbeta": lambda **k: losses.SoftFBetaLoss(2.0, average="micro", **k),
}
BINARY_MAKERS = {
    "weighted_binary": lambda **k: losses.WeightedBinaryCrossentropy([[1, 2], [1, 5], [3, 1]], **k),
    "asymmetric": lambda **k: losses.AsymmetricLoss(0.5, 3.0, 0.1, **k),
    "multi_label_fbeta": lambda **k: losses.SoftFBetaLoss(multi_label=True, **k),
}
ALL = {**MAKERS, **BINARY_MAKERS, "pinball": lambda **k: losses.PinballLoss([0.1, 0.5, 0.9], **k)}
INTEGERS_ONLY = {"focal", "smoothed"}
FEW = {"weighted", "focal", "soft_fbeta", "asymmetric"}  # which stand for all in graphs

rng = np.random.default_rng(0)
LOGITS = rng.normal(size=(8, C)).astype("float32")
P = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
Y = np.array([0, 1, 2, 0, 0, 1, 2, 1])
ONE_HOT = np.eye(C, dtype="float32")[Y]


def labels_for(kind):
    return {"pinball": Y.astype("float32")}.get(kind, ONE_HOT if kind in BINARY_MAKERS else Y)


def of_logits(kind, **arguments):
    if kind != "pinball":
        arguments["from_logits"] = True
    return ALL[kind](**arguments)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", ALL)
def test_slopes_are_finite_for_any_logits(kind, dtype):
    extreme = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4], [0, 0, -1e4], [88, -88, 30]])
    y = np.array([1, 0, 2, 0])
    y = {"pinball": y.astype("float32")}.get(kind, np.eye(C)[y] if kind in BINARY_MAKERS else y)
    logits = tf.constant(extreme, dtype)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = of_logits(kind, reduction="sum")(y, logits)
    assert math.isfinite(float(value))
    assert np.isfinite(tape.gradient(value, logits).numpy()).all()


@pytest.mark.parametrize("kind", [*MAKERS, *BINARY_MAKERS])
def test_slopes_are_finite_for_probabilities_of_0_and_1(kind):
    p = tf.constant([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    y = np.array([1, 1, 0])
    with tf.GradientTape() as tape:
        tape.watch(p)
        value = ALL[kind](from_logits=False)(np.eye(C)[y] if kind in BINARY_MAKERS else y, p)
    assert math.isfinite(float(value))
    assert np.isfinite(tape.gradient(value, p).numpy()).all()


@pytest.mark.parametrize("kind", ALL)
def test_half_precision_costs_no_more_than_the_rounding_of_the_logits(kind):
    loss, halves = of_logits(kind), LOGITS.astype("float16")
    expected = float(loss(labels_for(kind), halves.astype("float32")))
    assert float(loss(labels_for(kind), halves)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("kind", "activation", "from_logits"),
    [("ldam", None, True), ("poly", "softmax", False), ("asymmetric", "sigmoid", False)],
)
def test_a_model_in_mixed_precision_learns(kind, activation, from_logits):
    layer = keras.layers.Dense(C, activation, dtype="mixed_float16")
    model = keras.Sequential([keras.layers.Input((C,)), layer])
    model.compile("sgd", ALL[kind](from_logits=from_logits))
    before = layer.get_weights()[0]
    assert math.isfinite(model.train_on_batch(LOGITS, labels_for(kind)))
    after = layer.get_weights()[0]
    assert np.isfinite(after).all()
    assert (after != before).any()


@pytest.mark.parametrize("kind", MAKERS)
def test_probabilities_give_the_same_value_as_logits(kind):
    loss = ALL[kind](from_logits=False, reduction="sum")
    expected = of_logits(kind, reduction="sum")(Y, LOGITS)
    assert float(loss(Y, P)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("kind", BINARY_MAKERS)
def test_binary_probabilities_give_the_same_loss_as_logits(kind):
    loss = ALL[kind](from_logits=False, reduction="sum")
    expected = float(of_logits(kind, reduction="sum")(ONE_HOT, LOGITS))
    assert float(loss(ONE_HOT, tf.sigmoid(LOGITS).numpy())) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", MAKERS)
def test_all_forms_of_labels_give_the_same_loss(kind):
    loss = of_logits(kind)
    forms = [Y[:, None], Y.astype("float32"), Y.astype("int8")]
    if kind not in INTEGERS_ONLY:
        forms += [ONE_HOT, ONE_HOT.astype("int64")]
    expected = float(loss(Y, LOGITS))
    for form in forms:
        assert float(loss(form, LOGITS)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", sorted(set(MAKERS) - {"soft_fbeta"}))
def test_rows_may_have_any_number_of_axes(kind):
    loss = of_logits(kind, reduction=None)
    flat = loss(Y, LOGITS).numpy()
    deep = loss(Y.reshape(2, 4), LOGITS.reshape(2, 4, C)).numpy()
    np.testing.assert_allclose(deep.ravel(), flat, rtol=1e-6)
    deep = loss(Y.reshape(2, 4, 1), LOGITS.reshape(2, 4, C)).numpy()
    np.testing.assert_allclose(deep.ravel(), flat, rtol=1e-6)


@pytest.mark.parametrize("kind", sorted(set(ALL) - {"soft_fbeta", "multi_label_fbeta"}))
def test_the_loss_of_a_batch_is_the_mean_of_its_rows_times_their_weights(kind):
    rows = of_logits(kind, reduction=None)(labels_for(kind), LOGITS).numpy()
    weights = np.arange(8.0)
    weighted = of_logits(kind)(labels_for(kind), LOGITS, sample_weight=weights)
    assert rows.shape == (8,)
    assert float(weighted) == pytest.approx(np.mean(rows * weights), rel=1e-5)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_batch_of_unknown_shape_works_for_both_kinds_of_labels(kind):
    loss = of_logits(kind)
    unknown = tf.TensorSpec((None, None))
    call = tf.function(loss, input_signature=[unknown, tf.TensorSpec((None, C))])
    expected = float(of_logits(kind)(Y, LOGITS))
    forms = [Y[:, None].astype("float32"), ONE_HOT]
    if kind in INTEGERS_ONLY:
        with pytest.raises(tf.errors.InvalidArgumentError, match="`y_true` must hold class number"):
            call(tf.constant(forms.pop()), LOGITS)
    for labels in forms:
        assert float(call(tf.constant(labels), LOGITS)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ALL)
def test_a_copy_made_from_the_configuration_is_equal(kind):
    loss = of_logits(kind, reduction="sum", name="mine")
    config = keras.saving.serialize_keras_object(loss)
    copies = [type(loss).from_config(loss.get_config()), copy.deepcopy(loss)]
    copies.append(keras.saving.deserialize_keras_object(config))
    for other in copies:
        assert other.get_config() == loss.get_config()
        assert other.name == "mine"
        value = float(loss(labels_for(kind), LOGITS))
        assert float(other(labels_for(kind), LOGITS)) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("kind", ALL)
def test_a_model_that_was_saved_and_loaded_has_its_loss(kind):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(C)])
    loss = of_logits(kind)
    model.compile("sgd", loss)
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    assert type(loaded.loss) is type(loss)
    assert loaded.loss.get_config() == loss.get_config()


@pytest.mark.parametrize("kind", ["ldam", "focal"])
def test_a_loss_can_be_compiled_by_xla(kind):
    loss = of_logits(kind)
    compiled = tf.function(loss, jit_compile=True)
    expected = float(loss(Y, LOGITS))
    assert float(compiled(tf.constant(Y), tf.constant(LOGITS))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("wrong", [-1, 3])
@pytest.mark.parametrize("kind", MAKERS)
def test_labels_out_of_range_are_rejected(kind, wrong):
    labels = Y.copy()
    labels[3] = wrong
    with pytest.raises(ValueError, match=rf"`y_true` must hold classes from 0 to 2, got \[{wrong}"):
        of_logits(kind)(labels, LOGITS)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`y_true` must hold classes from 0"):
        tf.function(of_logits(kind))(tf.constant(labels), tf.constant(LOGITS))


@pytest.mark.parametrize("kind", MAKERS)
def test_labels_that_are_not_integers_are_rejected(kind):
    labels = Y.astype("float32")
    labels[3] = 0.5
    with pytest.raises(ValueError, match=r"`y_true` must hold classes from 0 to 2, got \[0\.5\]; "):
        of_logits(kind)(labels, LOGITS)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`y_true` must hold classes from 0"):
        tf.function(of_logits(kind))(tf.constant(labels), tf.constant(LOGITS))


@pytest.mark.parametrize("kind", sorted(set(MAKERS) - INTEGERS_ONLY))
def test_multi_label_data_are_rejected_by_single_label_losses(kind):
    labels = np.maximum(ONE_HOT, np.eye(C, dtype="float32")[0])
    with pytest.raises(ValueError, match=r"`y_true` with a column for each .*, got \[2\]; .*multi"):
        of_logits(kind)(labels, LOGITS)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`y_true` with a column for each"):
        tf.function(of_logits(kind))(tf.constant(labels), tf.constant(LOGITS))


@pytest.mark.parametrize("kind", sorted(set(MAKERS) - INTEGERS_ONLY))
def test_mixed_labels_may_be_rounded(kind):
    mixed = (0.3 * ONE_HOT + 0.7 * ONE_HOT[::-1]).astype("float16")
    assert math.isfinite(float(of_logits(kind)(mixed, LOGITS)))


@pytest.mark.parametrize("kind", BINARY_MAKERS)
def test_binary_labels_out_of_range_are_rejected(kind):
    with pytest.raises(ValueError, match="`y_true` must lie between 0 and 1"):
        of_logits(kind)(2 * ONE_HOT, LOGITS)


@pytest.mark.parametrize("kind", MAKERS)
def test_probabilities_are_rejected_where_logits_are_wanted(kind):
    with pytest.raises(ValueError, match="`y_pred` has rows that sum to 1, but `from_logits=True`"):
        of_logits(kind)(Y, P)


@pytest.mark.parametrize("kind", [*MAKERS, *BINARY_MAKERS])
def test_logits_are_rejected_where_probabilities_are_wanted(kind):
    loss, labels = ALL[kind](from_logits=False), ONE_HOT if kind in BINARY_MAKERS else Y
    with pytest.raises(ValueError, match="`y_pred` must hold probabilities between"):
        loss(labels, LOGITS)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`y_pred` must hold probabilities"):
        tf.function(loss)(tf.constant(labels), tf.constant(LOGITS))


@pytest.mark.parametrize("kind", ["weighted", "weighted_binary"])
def test_a_model_of_logits_does_not_train_on_them_as_probabilities(kind):
    model = keras.Sequential([keras.layers.Input((C,)), keras.layers.Dense(C)])
    model.compile("sgd", ALL[kind](from_logits=False))
    with pytest.raises(tf.errors.InvalidArgumentError, match="pass `from_logits=True` for logits"):
        model.fit(10 * LOGITS, labels_for(kind), verbose=0)


@pytest.mark.parametrize("kind", ["weighted", "weighted_binary"])
def test_nan_is_not_taken_for_logits_when_a_training_diverges(kind):
    broken = tf.constant(np.full((8, C), math.nan, "float32"))
    tf.function(ALL[kind](from_logits=False))(tf.constant(labels_for(kind)), broken)


@pytest.mark.parametrize(
    ("kind", "activation"), [("ldam", "softmax"), ("asymmetric", "sigmoid"), ("poly", "softmax")]
)
def test_a_final_activation_is_rejected_where_logits_are_expected(kind, activation):
    model = keras.Sequential([keras.layers.Input((C,)), keras.layers.Dense(C, activation)])
    model.compile("sgd", of_logits(kind))
    with pytest.raises(ValueError, match="`y_pred` comes from a softmax or sigmoid, but"):
        model.train_on_batch(LOGITS, labels_for(kind))


@pytest.mark.parametrize(("kind", "activation"), [("poly", "softmax"), ("asymmetric", "sigmoid")])
def test_a_model_with_a_saturated_final_activation_learns(kind, activation):
    model = keras.Sequential(
        [keras.layers.Input((C,)), keras.layers.Dense(C, activation, kernel_initializer="ones")]
    )
    model.layers[-1].set_weights([np.array([[900, -900, 0]] * C), np.zeros(C)])
    model.compile(keras.optimizers.SGD(1.0), ALL[kind](from_logits=False))
    before = model.get_weights()[0]
    y = np.full(4, 1)
    model.train_on_batch(np.ones((4, C)), np.eye(C)[y] if kind in BINARY_MAKERS else y)
    assert np.abs(model.get_weights()[0] - before).max() > 0.1


@pytest.mark.parametrize("kind", ["weighted", "ldam", "logit_adjusted", "expected_cost"])
def test_scores_are_rejected_when_the_number_of_classes_differs(kind):
    with pytest.raises(ValueError, match="must have one entry for each column of `y_pred`"):
        of_logits(kind)(np.array([0, 1]), np.zeros((2, 5), "float32"))


def test_labels_of_the_wrong_shape_are_rejected():
    loss = losses.Poly1Crossentropy(from_logits=True)
    with pytest.raises(ValueError, match="`y_true` must hold one class number for each row"):
        loss(np.zeros((8, 4)), LOGITS)
    with pytest.raises(ValueError, match=r"got shape \(5,\) for rows of shape \(8,\)"):
        loss(Y[:5], LOGITS)
    with pytest.raises(ValueError, match="`y_pred` must have one column for each"):
        loss(Y, LOGITS[:, :1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.WeightedCrossentropy([[1, 2], [3, 4]]), "`weights` must have shape"),
        (lambda: losses.WeightedCrossentropy([1, -2]), "`weights` must be finite"),
        (lambda: losses.WeightedCrossentropy({0: 1, 2: 1}), "`weights` must have an entry for"),
        (lambda: losses.WeightedBinaryCrossentropy([1, 2, 3]), "`weights` must have shape"),
        (lambda: losses.SparseFocalCrossentropy(gamma=-1), "`gamma` must be finite and at least 0"),
        (lambda: losses.SparseFocalCrossentropy([1, -1]), "`alpha` must be a number or one"),
        (lambda: losses.SparseSmoothedCrossentropy(1.5), "`label_smoothing` must lie in"),
        (lambda: losses.LDAM([5]), r"`class_counts` must have shape \(c,\) with c at least 2"),
        (lambda: losses.LDAM([5, 0]), "`class_counts` must be finite and above 0"),
        (lambda: losses.LDAM([5, 1], max_margin=-1), "`max_margin` must be finite"),
        (lambda: losses.LDAM([5, 1], scale=0), "`scale` must be finite and above 0"),
        (lambda: losses.LDAM([5, 1], weights=[1, 2, 3]), "`weights` must have the length"),
        (lambda: losses.LogitAdjustedCrossentropy([5, 1], tau=-1), "`tau` must be finite"),
        (lambda: losses.AsymmetricLoss(-1), "`gamma_positive` must be finite and at least 0"),
        (lambda: losses.AsymmetricLoss(0, math.nan), "`gamma_negative` must be finite"),
        (lambda: losses.AsymmetricLoss(margin=1), "`margin` must lie in"),
        (lambda: losses.Poly1Crossentropy(-2), "`epsilon` must be finite and at least -1"),
        (lambda: losses.ExpectedCostLoss([[0, 1]]), "`costs` must have shape"),
        (lambda: losses.ExpectedCostLoss([[0, -1], [1, 0]]), "`costs` must be finite"),
        (lambda: losses.SoftFBetaLoss(0), "`beta` must be finite and above 0"),
        (lambda: losses.SoftFBetaLoss(average="none"), "`average` must be one of macro, micro"),
        (lambda: losses.PinballLoss(1.0), "`quantiles` must be a number strictly between"),
        (lambda: losses.PinballLoss([]), "`quantiles` must be a number strictly between"),
    ],
)
def test_arguments_out_of_range_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
