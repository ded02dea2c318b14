"""A stack trains each of its models as plain `fit` does."""

import keras
import numpy as np
import pytest

from kt_extras.stacking.model_stack import ModelStack
from kt_extras.stacking.refusal import NotStackable
from kt_extras.stacking.requirements import require_stackable
from kt_extras.training.fit_data import array_data
from tests.stacking.comparison import assert_as_alone, assert_same_state, built, fitted, stacked

L, O = keras.layers, keras.optimizers  # noqa: E741
RATES = (0.01, 0.003, 0.03)

rng = np.random.default_rng(0)
ROWS = rng.normal(size=(40, 6)).astype("float32")
IMAGES = rng.normal(size=(40, 6, 6, 2)).astype("float32")
CLASSES = rng.integers(0, 3, 40).astype("int32")


def network(*layers, shape=(6,), optimizer=None, loss="sparse_categorical_crossentropy", **kwargs):
    model = keras.Sequential([keras.Input(shape), *layers, L.Dense(3, "softmax")])
    kwargs.setdefault("metrics", ["accuracy"])
    model.compile(optimizer or O.Adam(0.01), loss, **kwargs)
    return model


def dense(number):
    """Build a network whose numbers differ with its number."""
    hidden = L.Dense(8, "relu", kernel_regularizer=keras.regularizers.L2(RATES[number]))
    optimizer = O.AdamW(RATES[number], weight_decay=0.1 * RATES[number], beta_1=0.9 - 0.1 * number)
    return network(hidden, L.Dropout(0.2 + 0.1 * number), optimizer=optimizer)


def small(number):
    """Build a network that is traced in less time."""
    return network(L.Dense(8, "relu"), optimizer=O.SGD(RATES[number], 0.9 - 0.1 * number))


def convolutional(number):
    layers = L.Conv2D(4, 3, activation="relu"), L.Conv2D(3, 3, padding="same"), L.Flatten()
    optimizer = O.SGD(RATES[number], momentum=0.9 - 0.1 * number)
    return network(*layers, shape=(6, 6, 2), optimizer=optimizer)


def data_of(model, x=ROWS, **kwargs):
    return array_data(model, x, CLASSES, batch_size=16, **kwargs)


def test_dense_models_of_different_numbers_train_as_alone():
    held_out = ROWS[:10] + 0.1, CLASSES[:10]
    assert_as_alone(dense, ROWS, CLASSES, validation_data=held_out)


@pytest.mark.slow
def test_convolutional_models_train_as_alone():
    assert_as_alone(convolutional, IMAGES[:32], CLASSES[:32])


def test_a_model_that_joins_late_trains_as_alone():
    stack, _ = stacked(built(small, 2), ROWS, CLASSES)
    late, alone = (built(small, 3)[2] for _ in range(2))
    expected = fitted(alone, ROWS, CLASSES)
    stack.replace(0, late)
    logs = [stack.train_epoch()[0] for _ in range(2)]
    np.testing.assert_allclose([one["loss"] for one in logs], expected["loss"], 1e-5)
    assert_same_state(alone, stack.write_back(0))


def test_a_model_that_leaves_goes_on_with_plain_fit():
    stack, _ = stacked(built(small, 2), ROWS, CLASSES)
    alone = built(small, 2)[1]
    expected = fitted(alone, ROWS, CLASSES, epochs=4)
    model = stack.remove(1)
    assert stack.train_epoch()[1] is None
    history = fitted(model, ROWS, CLASSES, epochs=4, initial_epoch=2)
    np.testing.assert_allclose(history["loss"], expected["loss"][2:], 1e-5)
    assert_same_state(alone, model)


@pytest.mark.slow
def test_rows_that_are_left_out_and_used_again_train_as_alone():
    stack = ModelStack(built(lambda n: dense(n % 3), 4), data_of(dense(0)))
    alone = built(dense, 3)
    stack.train_epoch()
    for row in (0, 1, 3):
        stack.remove(row)
    for program in stack._programs.values():  # so that a trace for fewer models pays at once
        program.trace_seconds = 0.0
    logs = [stack.train_epoch()[2]["loss"] for _ in range(2)]
    assert len(stack._state.tensors[0]) < 4
    expected = fitted(alone[2], ROWS, CLASSES, epochs=4)["loss"]
    np.testing.assert_allclose(logs, expected[1:3], 1e-5)
    for row, model in ((3, built(dense, 1)[0]), (0, built(dense, 2)[1])):
        stack.replace(row, model)
    logs = stack.train_epoch()
    assert logs[1] is None
    losses = [fitted(model, ROWS, CLASSES, epochs=1)["loss"][0] for model in alone[:2]]
    expected = [losses[1], expected[3], losses[0]]
    np.testing.assert_allclose([logs[row]["loss"] for row in (0, 2, 3)], expected, 1e-5)


@pytest.mark.slow
def test_a_model_trained_by_fit_before_goes_on_in_the_stack():
    models, alone = built(dense, 2), built(dense, 2)[0]
    fitted(models[0], ROWS, CLASSES, epochs=1)
    expected = fitted(alone, ROWS, CLASSES)
    stack = ModelStack(models, data_of(models[0]))
    assert stack.train_epoch()[0]["loss"] == pytest.approx(expected["loss"][1], rel=1e-5)
    assert_same_state(alone, stack.write_back(0))


def test_a_model_that_diverges_leaves_the_others_as_they_are():
    def build(number):
        return network(L.Dense(8, "relu"), optimizer=O.SGD((0.1, 1e30)[number]))

    stack, histories = stacked(built(build, 2), ROWS, CLASSES)
    alone = built(build, 2)[0]
    expected = fitted(alone, ROWS, CLASSES)
    assert np.isnan(histories[1]["loss"][-1])
    np.testing.assert_allclose(histories[0]["loss"], expected["loss"], 1e-5)
    assert_same_state(alone, stack.write_back(0))


@pytest.mark.slow
def test_orders_of_the_data_are_those_of_each_model():
    orders = [rng.permutation(40) for _ in range(2)]
    models, alone = built(dense, 2), built(dense, 2)
    stack = ModelStack(models, data_of(models[0]))
    logs = stack.train_epoch(orders)
    for row, model in enumerate(alone):
        expected = fitted(model, ROWS[orders[row]], CLASSES[orders[row]], epochs=1)
        assert logs[row]["loss"] == pytest.approx(expected["loss"][0], rel=1e-5)


@pytest.mark.slow
def test_an_order_for_all_models_is_that_of_the_data():
    order = rng.permutation(40)
    models, alone = built(dense, 2), built(dense, 2)[1]
    logs = ModelStack(models, data_of(models[0])).train_epoch([order, order])
    expected = fitted(alone, ROWS[order], CLASSES[order], epochs=1)
    assert logs[1]["loss"] == pytest.approx(expected["loss"][0], rel=1e-5)


class Noise(L.Layer):
    def call(self, x):
        return x + keras.ops.convert_to_tensor(np.random.rand(), "float32")  # noqa: NPY002


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda _: network(Noise()), "differs from that alone"),
        (lambda n: network(L.Dense(4 + n)), "more than numbers"),
        (lambda n: network(optimizer=(O.Adam(), O.SGD())[n]), "more than numbers"),
        (
            lambda _: network(optimizer=O.SGD(0.1, gradient_accumulation_steps=2)),
            "accumulates gradients",
        ),
        (lambda _: network(run_eagerly=True), "eagerly"),
    ],
)
def test_what_cannot_be_stacked_is_refused_and_left_as_it_was(build, reason):
    models, same = built(build, 2), built(build, 2)
    with pytest.raises(NotStackable, match=reason):
        ModelStack(models, data_of(models[0])).train_epoch()
    for one, other in zip(models, same, strict=True):
        for left, right in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(left.numpy(), right.numpy())


def test_a_method_of_keras_that_was_replaced_is_refused(monkeypatch):
    model, plain = dense(0), keras.Model.train_step
    require_stackable(model)
    monkeypatch.setattr(keras.Model, "train_step", lambda self, data: plain(self, data))
    with pytest.raises(NotStackable, match=r"`keras\.Model\.train_step` was replaced"):
        require_stackable(model)
