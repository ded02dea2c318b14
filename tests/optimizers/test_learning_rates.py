"""The learning rate of every kind of optimizer can be read and changed."""

import warnings

import keras
import numpy as np
import pytest

from kt_extras.compat import KERAS_3
from kt_extras.optimizers import learning_rates, scale_learning_rate, with_learning_rate
from kt_extras.schedules import Scaled, WarmUp
from tests.optimizers.models import X, Y, train, two_layers, weights

DECAY = keras.optimizers.schedules.PolynomialDecay(0.5, 8, 0.0)
SGD = keras.optimizers.SGD


def trained(optimizer, *, run_eagerly=True):
    """Return a model after four steps."""
    model = two_layers()
    model.compile(optimizer, "mse", run_eagerly=run_eagerly)
    train(model)
    return model


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [
        (lambda: SGD(0.125), 0.125),
        (lambda: SGD(DECAY), 0.25),
        (lambda: keras.mixed_precision.LossScaleOptimizer(SGD(DECAY)), 0.25),
        (lambda: keras.optimizers.Adam(Scaled(DECAY, 0.5)), 0.125),
    ],
)
def test_the_rate_is_that_of_the_next_step(optimizer, rate):
    assert learning_rates(trained(optimizer()).optimizer) == {"learning_rate": rate}


@pytest.mark.parametrize("optimizer", [lambda: SGD(0.05), lambda: SGD(Scaled(Scaled(0.05)))])
def test_a_changed_rate_is_in_force_in_the_next_step(optimizer):
    model = trained(optimizer(), run_eagerly=False)
    scale_learning_rate(model.optimizer, 1e-9)
    before = weights(model, "head")
    train(model)
    np.testing.assert_allclose(weights(model, "head"), before, atol=1e-7)
    scale_learning_rate(model.optimizer, 1e9)
    assert learning_rates(model.optimizer)["learning_rate"] == pytest.approx(0.05)


def test_the_rate_under_a_scaled_loss_is_changed():
    optimizer = keras.mixed_precision.LossScaleOptimizer(SGD(0.5))
    scale_learning_rate(optimizer, 0.5)
    assert learning_rates(optimizer) == {"learning_rate": 0.25}


def test_a_schedule_that_cannot_be_changed_is_named():
    optimizer = SGD(WarmUp(0.5, 10))
    with pytest.raises(ValueError, match=r"a WarmUp as its learning rate.*Wrap it: `kte.schedules"):
        scale_learning_rate(optimizer, 0.5)


def in_mixed_precision(optimizer):
    where = keras.optimizers if KERAS_3 else keras.mixed_precision
    return where.LossScaleOptimizer(optimizer)


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, in_mixed_precision])
@pytest.mark.parametrize(
    "callback",
    [
        lambda: keras.callbacks.ReduceLROnPlateau("loss", 0.5, 1, min_delta=1e9),
        lambda: keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 if epoch else rate),
    ],
)
def test_callbacks_that_set_the_rate_scale_a_schedule(callback, wrap):
    schedule = Scaled(WarmUp(1.0, 1, 1.0))
    model = two_layers()
    model.compile(wrap(SGD(schedule)), "mse")
    model.fit(X, Y, len(X), 2, verbose=0, callbacks=[callback()])
    assert schedule.scale == pytest.approx(0.5)
    assert learning_rates(model.optimizer) == {"learning_rate": pytest.approx(0.5)}


def test_callbacks_that_set_the_rate_are_refused_for_other_schedules():
    model = two_layers()
    model.compile(SGD(WarmUp(1.0, 1, 1.0)), "mse")
    plateau = keras.callbacks.ReduceLROnPlateau("loss", 0.5, 1, min_delta=1e9)
    with pytest.raises(TypeError, match=r"cannot be set, for it is a WarmUp.*kte.schedules.Scaled"):
        model.fit(X, Y, len(X), 2, verbose=0, callbacks=[plateau])


def test_a_rate_cannot_be_reached_by_a_scale_where_the_schedule_is_0():
    optimizer = SGD(Scaled(keras.optimizers.schedules.PolynomialDecay(0.0, 4, 0.0)))
    with pytest.raises(ValueError, match=r"`learning_rate` cannot be set to 0\.5 at step 0"):
        optimizer.learning_rate = 0.5
    optimizer.learning_rate = 0.0
    assert optimizer.get_config()["learning_rate"]["config"]["scale"] == 0.0


def test_a_rate_is_never_scaled_to_0():
    with pytest.raises(ValueError, match="`by` must be a finite number above 0"):
        scale_learning_rate(SGD(), 0)


@pytest.mark.parametrize("rate", [0.25, DECAY])
def test_a_copy_has_the_same_settings_and_another_rate(rate):
    original = keras.optimizers.AdamW(0.5, weight_decay=0.1, beta_1=0.8, clipnorm=3.0)
    copy = with_learning_rate(original, rate, name="copy")
    expected = {**original.get_config(), "name": "copy"}
    found = copy.get_config()
    for config in (expected, found):
        config.pop("learning_rate")
    assert found == expected
    assert learning_rates(copy) == {"learning_rate": 0.25 if rate == 0.25 else 0.5}
    assert learning_rates(original) == {"learning_rate": 0.5}


def test_a_copy_of_a_wrapped_optimizer_is_wrapped():
    scaled = keras.mixed_precision.LossScaleOptimizer(SGD(0.5, momentum=0.75))
    copy = with_learning_rate(scaled, 0.25)
    assert type(copy) is type(scaled)
    assert copy.inner_optimizer.momentum == 0.75
    assert learning_rates(copy) == {"learning_rate": 0.25}


def addons():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("tensorflow_addons")


def test_optimizers_of_tensorflow_addons_are_read_and_changed_too():
    tfa = addons()
    model = trained(tfa.optimizers.SGDW(0.0, learning_rate=0.5))
    scale_learning_rate(model.optimizer, 0.5)
    assert learning_rates(model.optimizer) == {"learning_rate": 0.25}
    copy = with_learning_rate(tfa.optimizers.LAMB(0.5, beta_1=0.75), DECAY)
    assert learning_rates(copy) == {"learning_rate": 0.5}
    assert float(copy.beta_1) == 0.75


def test_the_parts_of_the_multi_optimizer_of_tensorflow_addons_are_read():
    tfa = addons()
    model = two_layers()
    parts = [(keras.optimizers.legacy.SGD(rate, name=f"sgd{rate:g}")) for rate in (0.5, 0.25)]
    optimizer = tfa.optimizers.MultiOptimizer(list(zip(parts, model.layers, strict=True)))
    named = {f"learning_rate_{part._name}": float(part.learning_rate) for part in parts}
    assert learning_rates(optimizer) == named
    with pytest.raises(ValueError, match="`optimizer` must have one learning rate of its own"):
        with_learning_rate(optimizer, 0.1)
