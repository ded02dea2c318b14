"""Callbacks in a loop of the user's own, which calls no more of them than Keras' guide does."""

import keras
import numpy as np
import pytest

from kt_extras.callbacks import StochasticWeightAveraging
from kt_extras.training.interruption import StopOnRequest, StopRequest
from kt_extras.training.reporter import EpochReporter


def model():
    made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    made.compile(keras.optimizers.SGD(0.1), "mse")
    return made


def trained(callback, epochs=3):
    """Train as Keras' guide to tuning own loops does: `set_model`, then `on_epoch_end`."""
    made, weights = model(), []
    callback.set_model(made)
    for epoch in range(epochs):
        loss = made.train_on_batch(np.ones((4, 1)), np.ones((4, 1)))
        weights.append(made.get_weights()[0].item())
        callback.on_epoch_end(epoch, {"loss": float(loss)})
    return made, weights


def test_the_number_of_epochs_is_unknown_when_nobody_has_set_it():
    stop = StopOnRequest(StopRequest())
    assert not trained(stop)[0].stop_training
    stop.stop_request.is_set = True
    assert trained(stop, epochs=1)[0].stop_training
    assert stop.cut_short


def test_every_epoch_is_reported_when_nothing_else_is_called():
    reports = []
    trained(EpochReporter(lambda *report: reports.append((report[0], report[2]))))
    assert reports == [(0, False), (1, False), (2, False)]


def test_the_average_is_taken_without_the_beginnings_of_epochs():
    averaging = StochasticWeightAveraging(start=1)
    made, weights = trained(averaging)
    averaging.on_train_end()
    assert made.get_weights()[0].item() == pytest.approx(np.mean(weights[1:]))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"start": 0.5}, "`start` 0.5 is a fraction"), ({"start": 0, "validate": True}, "`validate=")],
)
def test_an_average_that_cannot_be_taken_in_an_own_loop_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        trained(StochasticWeightAveraging(**options))
