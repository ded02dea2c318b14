"""A replayed schedule sets the learning rate of every kind of optimizer."""

import keras
import numpy as np
import pytest

from kt_extras.compat import KERAS_3
from kt_extras.model_reuse.replay import ReplayHyperparameters
from kt_extras.optimizers import differential, learning_rates
from kt_extras.schedules import WarmUp

SGD = keras.optimizers.SGD


def in_mixed_precision():
    where = keras.optimizers if KERAS_3 else keras.mixed_precision
    return where.LossScaleOptimizer(SGD(0.5))


def replayed(optimizer):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    replay = ReplayHyperparameters(lambda epoch: {"rate": 0.5 ** (epoch + 1)}, ["rate"])
    model.fit(np.ones((2, 2)), np.ones((2, 1)), epochs=2, verbose=0, callbacks=[replay])
    return learning_rates(model.optimizer)


def test_the_rate_of_an_optimizer_that_holds_others_is_set():
    assert replayed(in_mixed_precision()) == {"learning_rate": 0.25}
    found = replayed(differential(SGD(0.5), {"kernel": 0.5}))
    assert found == {"learning_rate_times_0.5": 0.125, "learning_rate": 0.25}


def test_the_rate_of_a_schedule_is_refused_before_the_training():
    with pytest.raises(ValueError, match="`targets` must say what 'rate' is"):
        replayed(SGD(WarmUp(0.5, 4)))
