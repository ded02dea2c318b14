"""Layers are trained at their fraction of the learning rate, on both generations of Keras."""

import keras
import numpy as np
import pytest

from kt_extras.compat import KERAS_3
from kt_extras.optimizers import differential, learning_rates, scale_learning_rate
from kt_extras.optimizers.factors import LearningRateFactors
from kt_extras.optimizers.variable_paths import path_of
from kt_extras.schedules import Scaled, WarmUp
from tests.optimizers.models import X, Y, train, two_layers, weights

ADAM, SGD = keras.optimizers.Adam, keras.optimizers.SGD


def moves(make, factors, **layer):
    """Return by how much both layers move in one step on all data."""
    model = two_layers(**layer)
    optimizer = make() if factors is None else differential(make(), factors, model)
    model.compile(optimizer, "mse", run_eagerly=True)
    before = [weights(model, name) for name in ("body", "head")]
    model.fit(X, Y, len(X), verbose=0)
    return [weights(model, name) - b for name, b in zip(("body", "head"), before, strict=True)]


@pytest.mark.parametrize("optimizer", [SGD, ADAM])
def test_a_factor_of_0_freezes_a_layer_and_no_other(optimizer):
    body, head = moves(lambda: optimizer(0.1), {"body": 0.0})
    _, plain = moves(lambda: optimizer(0.1), None)
    np.testing.assert_array_equal(body, 0.0)
    np.testing.assert_allclose(head, plain, rtol=1e-5, atol=1e-7)


def test_a_factor_of_a_tenth_moves_a_layer_by_a_tenth():
    body, head = moves(lambda: SGD(0.1), {"body": 0.1})
    plain_body, plain_head = moves(lambda: SGD(0.1), None)
    np.testing.assert_allclose(body, 0.1 * plain_body, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(head, plain_head, rtol=1e-5)


def test_weight_decay_is_scaled_too():
    def adamw():
        return keras.optimizers.AdamW(0.1, weight_decay=0.5)

    np.testing.assert_array_equal(moves(adamw, {"body": 0.0})[0], 0.0)


def test_a_schedule_is_scaled_at_every_step():
    def sgd():
        return SGD(WarmUp(0.2, 2, 0.1))

    np.testing.assert_allclose(moves(sgd, {"head": 0.5})[1], 0.5 * moves(sgd, None)[1], rtol=1e-3)


@pytest.mark.parametrize("run_eagerly", [True, False])
@pytest.mark.parametrize("factors", [{"body": 0.5, "head": 1.0}, {"head": 0.5}])
def test_the_rate_of_a_schedule_is_that_of_the_next_step(factors, run_eagerly):
    model = two_layers()
    model.compile(differential(SGD(WarmUp(0.2, 8)), factors, model), "mse", run_eagerly=run_eagerly)
    train(model)
    assert learning_rates(model.optimizer)["learning_rate"] == pytest.approx(0.1)
    train(model)
    assert learning_rates(model.optimizer)["learning_rate"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("pattern", "factor"),
    [
        ("body", 0.0),
        ("bod", 1.0),
        ("body/kernel", 0.0),
        ("body/bias", 1.0),
        ("kernel", 0.0),
        ("body/.*", 0.0),
        ("b.*y|head", 0.0),
        ("net/body", 0.0),
        ("et/body", 1.0),
    ],
)
def test_a_pattern_matches_whole_parts_of_a_path(pattern, factor):
    assert LearningRateFactors(SGD(), {pattern: 0.0}).factor("net/body/kernel") == factor


def test_the_first_pattern_that_matches_counts_and_layers_may_be_given():
    model = two_layers()
    factors = {"body/bias": 2.0, model.get_layer("body"): 0.25}
    model.compile(differential(SGD(0.1), factors, model), "mse")
    kernel, bias, *head = model.trainable_variables
    assignment = model.optimizer.optimizers
    assert [path_of(v).split("/")[-2:] for v in (kernel, bias)] == [
        ["body", "kernel"],
        ["body", "bias"],
    ]
    assert [round(learning_rates(o)["learning_rate"], 3) for o in assignment] == [0.2, 0.025, 0.1]
    assert len(head) == 2


@pytest.mark.parametrize("optimizer", [lambda: ADAM(0.1), lambda: SGD(WarmUp(0.1, 20), 0.9)])
def test_a_saved_model_goes_on_as_if_it_had_not_been_saved(optimizer):
    model = two_layers()
    model.compile(differential(optimizer(), {"body": 0.1, "head/bias": 0.0}, model), "mse")
    train(model, 2)
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    train(model)
    train(loaded)
    for layer in ("body", "head"):
        np.testing.assert_array_equal(weights(loaded, layer), weights(model, layer))


def test_the_state_is_in_the_file_of_weights():
    first, second = two_layers(), two_layers()
    for model in (first, second):
        model.compile(differential(ADAM(0.1), {"body": 0.1}, model), "mse")
        train(model)
    train(first)
    path = "state.weights.h5" if KERAS_3 else "state"
    first.save_weights(path)
    second.load_weights(path)
    assert train(first) == train(second)


def test_mixed_precision_wraps_it_as_any_optimizer():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = two_layers()
        model.compile(differential(ADAM(0.1), {"body": 0.0}, model), "mse")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    body, head = weights(model, "body"), weights(model, "head")
    train(model)
    np.testing.assert_array_equal(weights(model, "body"), body)
    assert not np.array_equal(weights(model, "head"), head)
    assert set(learning_rates(model.optimizer)) == {"learning_rate", "learning_rate_times_0"}


def test_the_rate_of_all_layers_can_be_changed_in_one():
    model = two_layers()
    schedule = Scaled(WarmUp(1.0, 10, 1.0))
    model.compile(differential(SGD(schedule), {"body": 0.5, "head/bias": 0.25}, model), "mse")
    scale_learning_rate(model.optimizer, 0.5)
    assert learning_rates(model.optimizer) == {
        "learning_rate": 0.5,
        "learning_rate_times_0.5": 0.25,
        "learning_rate_times_0.25": 0.125,
    }


@pytest.mark.parametrize(
    ("callback", "rate"),
    [
        (lambda: keras.callbacks.LearningRateScheduler(lambda _: 0.25), 0.25),
        (lambda: keras.callbacks.LearningRateScheduler(lambda _, rate: 0.5 * rate), 0.125),
        (lambda: keras.callbacks.ReduceLROnPlateau("loss", 0.5, 1, min_delta=1e9), 0.25),
    ],
)
def test_the_rates_stay_fractions_when_a_callback_sets_the_rate(callback, rate):
    model = two_layers()
    model.compile(differential(SGD(0.5), {"body": 0.0, "head/bias": 0.5}, model), "mse")
    body, (kernel, bias) = weights(model, "body"), model.get_layer("head").get_weights()
    model.fit(X, Y, len(X), 2, verbose=0, callbacks=[callback()])
    assert learning_rates(model.optimizer) == {
        "learning_rate": rate,
        "learning_rate_times_0.5": 0.5 * rate,
        "learning_rate_times_0": 0.0,
    }
    np.testing.assert_array_equal(weights(model, "body"), body)
    assert not np.array_equal(model.get_layer("head").get_weights()[0], kernel)
    assert not np.array_equal(model.get_layer("head").get_weights()[1], bias)


def test_a_set_rate_applies_in_compiled_steps_and_scales_fractions_once():
    model = two_layers()
    model.compile(differential(SGD(0.1), {"body": 0.5}, model), "mse")
    train(model)
    scale_learning_rate(model.optimizer, 1e-9)
    assert learning_rates(model.optimizer)["learning_rate_times_0.5"] == pytest.approx(5e-11)
    before = weights(model, "body")
    train(model)
    np.testing.assert_allclose(weights(model, "body"), before, atol=1e-7)


def nested(kind):
    """Return a model and the model inside it, whose layers have the names of outer ones."""
    keras.utils.set_random_seed(0)
    stem, top = keras.layers.Dense(2, name="stem"), keras.layers.Dense(2, name="same")
    if kind == "sequential":
        body = keras.Sequential([keras.Input((3,)), stem, top], name="body")
    else:
        inputs = keras.Input((3,))
        body = keras.Model(inputs, top(stem(inputs)), name="body")
    inputs = keras.Input((3,))
    first = keras.layers.Dense(3, name="same")(inputs)
    outputs = keras.layers.Dense(1, name="head")(body(first))
    return keras.Model(inputs, outputs, name="net"), body


def moved(model):
    """Train for an epoch; return whether each trainable variable has changed."""
    before = [variable.numpy() for variable in model.trainable_variables]
    train(model)
    pairs = zip(before, model.trainable_variables, strict=True)
    return [not np.array_equal(old, variable.numpy()) for old, variable in pairs]


# Keras warns when it loads an optimizer that has not trained.
UNTRAINED = pytest.mark.filterwarnings("ignore:Skipping variable loading")
ALL_BUT_BODY = [True, True, False, False, False, False, True, True]


@UNTRAINED
@pytest.mark.parametrize(
    ("kind", "optimizer", "trained"),
    [
        ("sequential", lambda: SGD(0.01, momentum=0.9), True),
        ("sequential", lambda: ADAM(0.01), False),
        ("functional", lambda: SGD(0.01), False),
        ("functional", lambda: ADAM(0.01), True),
    ],
)
def test_a_nested_model_stays_frozen_when_it_is_saved_and_loaded(kind, optimizer, trained):
    model, body = nested(kind)
    model.compile(differential(optimizer(), {body: 0.0}, model), "mse", run_eagerly=True)
    if trained:
        assert moved(model) == ALL_BUT_BODY
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    loaded.run_eagerly = True
    assert moved(loaded) == ALL_BUT_BODY
    train(model)
    for ours, its in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(ours, its, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("sequential", "body"),
        ("sequential", "body/same"),
        ("functional", "net/body"),
        ("functional", "body/.*"),
    ],
)
def test_a_nested_model_is_found_by_its_name_in_a_loaded_model_too(kind, key):
    model, _ = nested(kind)
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras", compile=False)
    frozen = [False, False, key != "body/same", key != "body/same", True, True, False, False]
    for one in (model, loaded):
        one.compile(differential(SGD(0.1), {key: 0.0}, one), "mse", run_eagerly=True)
        assert [not its for its in moved(one)] == frozen


def test_a_layer_as_key_is_that_layer_and_no_namesake():
    model, body = nested("functional")
    inner = body.get_layer("same")
    model.compile(differential(SGD(0.1), {inner: 0.0}), "mse", run_eagerly=True)
    assert moved(model) == [True, True, True, True, False, False, True, True]
    with pytest.raises(ValueError, match=r"match no trainable variable of `model`: \['other'\]"):
        differential(SGD(0.1), {keras.layers.Dense(1, name="other"): 0.0}, model)


def test_the_message_names_nested_variables_by_their_full_paths():
    with pytest.raises(ValueError, match=r"net/body/stem/kernel"):
        differential(SGD(0.1), {"boby": 0.0}, nested("functional")[0])


def test_keys_without_effect_are_warned_about_when_there_is_no_model():
    model, _ = nested("functional")
    model.compile(differential(SGD(0.1), {"boby": 0.0}), "mse")
    with pytest.warns(UserWarning, match=r"match no trainable variable: \['boby'\]"):
        train(model)


@UNTRAINED
def test_a_layer_that_is_used_twice_and_a_frozen_one_keep_their_factors():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    shared, frozen = keras.layers.Dense(3, name="shared"), keras.layers.Dense(3, name="frozen")
    frozen.trainable = False
    outputs = keras.layers.Dense(1, name="head")(frozen(shared(shared(inputs))))
    model = keras.Model(inputs, outputs)
    model.compile(differential(ADAM(0.1), {"shared": 0.0}, model), "mse", run_eagerly=True)
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    loaded.run_eagerly = True
    for one in (model, loaded):
        assert moved(one) == [False, False, True, True]
        assert not one.get_layer("frozen").trainable


@UNTRAINED
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_excluded_from_weight_decay_stays_excluded(when):
    model = two_layers()
    plain = keras.optimizers.AdamW(1e-3, weight_decay=100.0)
    if when == "before":
        plain.exclude_from_weight_decay(var_names=["kernel"])
    optimizer = differential(plain, {"body": 0.5}, model)
    if when == "after":
        optimizer.exclude_from_weight_decay(var_names=["kernel"])
    model.compile(optimizer, "mse", run_eagerly=True)
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    loaded.run_eagerly = True
    for one in (model, loaded):
        for layer in one.layers:
            layer.set_weights([np.ones(variable.shape, "float32") for variable in layer.weights])
        one.fit(X, Y, len(X), verbose=0)
        for layer, decay in zip(one.layers, (0.05, 0.1), strict=True):
            kernel, bias = layer.get_weights()
            np.testing.assert_allclose(kernel, 1.0, atol=0.002)
            np.testing.assert_allclose(bias, 1.0 - decay, atol=0.002)


@pytest.mark.parametrize("wrap", [lambda rate: rate, lambda rate: Scaled(WarmUp(rate, 1, rate))])
def test_the_rate_of_all_layers_can_be_set_by_its_plain_name(wrap):
    model = two_layers()
    model.compile(differential(SGD(wrap(0.5)), {"body": 0.5}, model), "mse")
    model.optimizer.learning_rate = 0.25
    found = learning_rates(model.optimizer)
    assert found == pytest.approx({"learning_rate_times_0.5": 0.125, "learning_rate": 0.25})


def test_a_pattern_that_matches_nothing_is_found_at_once():
    with pytest.raises(ValueError, match=r"match no trainable variable of `model`: \['boby'\]"):
        differential(SGD(), {"boby": 0.1, "head": 0.5}, two_layers())


def test_a_model_without_variables_is_said_to_have_none():
    unbuilt = keras.Sequential([keras.layers.Dense(1, name="head")])
    with pytest.raises(ValueError, match="`model` must have its variables"):
        differential(SGD(), {"head": 0.5}, unbuilt)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"head": -1.0}, "`factors` must be a finite number 0 or above, got -1.0"),
        ({"head": "small"}, "`factors` must be a finite number"),
        ({"(": 0.1}, "`factors` must have regular expressions as keys, got '\\('"),
        ({3: 0.1}, "got 3"),
        ([("head", 0.1)], r"`factors` must be a mapping from layers or patterns .*got \[\('head'"),
    ],
)
def test_a_wrong_factor_is_named(factors, message):
    with pytest.raises(ValueError, match=message):
        differential(SGD(), factors)


def test_a_value_that_is_not_an_optimizer_is_rejected():
    with pytest.raises(ValueError, match="`optimizer` must be an optimizer of Keras, got 'adam'"):
        differential("adam", {"head": 0.1})


def test_an_optimizer_that_is_wrapped_already_is_rejected():
    scaled = keras.mixed_precision.LossScaleOptimizer(SGD())
    with pytest.raises(ValueError, match="`optimizer` must be a plain optimizer"):
        differential(scaled, {"head": 0.1})
