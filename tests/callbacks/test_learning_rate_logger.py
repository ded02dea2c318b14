"""The learning rate is in the history, and so in TensorBoard and a trial's metrics."""

import copy
from pathlib import Path

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray

from kt_extras.callbacks import LearningRateLogger
from kt_extras.compat import KERAS_3
from kt_extras.optimizers import differential

DECAY = keras.optimizers.schedules.PolynomialDecay(0.5, 8, 0.0)
X = np.ones((4, 1))


def fit(optimizer, *callbacks):
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1, name="only")])
    model.compile(optimizer(), "mse", run_eagerly=True)
    callbacks = [copy.deepcopy(LearningRateLogger()), *callbacks]
    return model.fit(X, X, 2, 2, verbose=0, callbacks=callbacks).history


@pytest.mark.parametrize(
    ("rate", "logged"),
    [(0.125, [0.125, 0.125]), (DECAY, [0.375, 0.25])],
    ids=["number", "schedule"],
)
def test_the_rate_of_each_epoch_is_in_the_history_and_in_tensorboard(rate, logged):
    board = keras.callbacks.TensorBoard("board")
    history = fit(lambda: keras.optimizers.SGD(rate), board)
    assert history["learning_rate"] == logged
    written = [
        float(make_ndarray(value.tensor))
        for path in sorted(Path("board/train").glob("*tfevents*"))
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
        if value.tag == "epoch_learning_rate"
    ]
    assert written == logged


@pytest.mark.skipif(not KERAS_3, reason="Keras 2 accumulates no gradients.")
def test_a_schedule_advances_while_gradients_are_accumulated():
    history = fit(lambda: keras.optimizers.SGD(DECAY, gradient_accumulation_steps=2))
    assert history["learning_rate"] == [0.375, 0.25]


def test_each_part_of_an_optimizer_has_the_same_entry_in_every_trial():
    for _ in range(2):
        history = fit(lambda: differential(keras.optimizers.SGD(0.5), {"bias": 0.5}))
        assert history["learning_rate"] == [0.5, 0.5]
        assert history["learning_rate_times_0.5"] == [0.25, 0.25]
