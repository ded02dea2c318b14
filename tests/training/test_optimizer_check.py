"""Which optimizers train a model, by the steps that they make."""

import keras
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.training.optimizer_check import OptimizerCheck

X, Y = np.ones((4, 1)), np.ones((4, 1))


def compiled(optimizer="sgd"):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="body")])
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda _: keras.optimizers.Adam(),
        lambda model: kte.optimizers.differential(keras.optimizers.SGD(), {"body": 0.1}, model),
        lambda _: keras.mixed_precision.LossScaleOptimizer(keras.optimizers.SGD()),
    ],
)
def test_the_optimizer_of_fit_is_the_one_that_is_saved(optimizer):
    model = compiled()
    model.compile(optimizer(model), "mse")
    check = OptimizerCheck(model)
    model.fit(X, Y, verbose=0)
    assert check.others(model) == []
    assert not check.has_moved_alone(model)


def test_an_optimizer_that_makes_no_step_is_not_named():
    model = compiled()
    model.spares = [keras.optimizers.Adam()]
    model.get_layer("body").spare = keras.optimizers.Adam()
    check = OptimizerCheck(model)
    model.fit(X, Y, verbose=0)
    assert check.others(model) == []


def test_optimizers_that_make_steps_are_named():
    model = compiled()
    model.parts = {"a": keras.optimizers.SGD()}
    check = OptimizerCheck(model)
    for owner in (model, model.get_layer("body")):
        owner.late = keras.optimizers.SGD()
        owner.late.apply_gradients([(np.ones((1, 1), "float32"), model.trainable_variables[0])])
    model.parts["a"].apply_gradients([(np.ones((1, 1), "float32"), model.trainable_variables[0])])
    assert check.others(model) == ["model.parts", "model.late", "body.late"]
    assert check.has_moved_alone(model)


def test_weights_that_stay_have_not_moved():
    model = compiled()
    check = OptimizerCheck(model)
    assert not check.has_moved_alone(model)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    assert check.has_moved_alone(model)


def test_a_model_without_weights_has_not_moved_before_it_has_some():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    check = OptimizerCheck(model)
    assert not check.has_moved_alone(model)
    model.fit(X, Y, verbose=0)
    assert not check.has_moved_alone(model)
