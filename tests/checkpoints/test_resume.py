"""A resumed training has its own learning rate, a copied one that of its new hyperparameters."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kt_extras.checkpoints.full_state import save_state
from kt_extras.checkpoints.resume import ResumeTraining, TrainedWith
from kt_extras.compat import KERAS_3
from kt_extras.optimizers import differential, learning_rates, scale_learning_rate
from kt_extras.schedules import Scaled, WarmUp

SGD = keras.optimizers.SGD
PATH = Path("state.npz")


def in_mixed_precision(rate):
    where = keras.optimizers if KERAS_3 else keras.mixed_precision
    return where.LossScaleOptimizer(SGD(rate))


KINDS = {
    "a number": SGD,
    "mixed precision": in_mixed_precision,
    "a schedule": lambda rate: SGD(Scaled(WarmUp(1.0, 1, 1.0), rate)),
    "differential": lambda rate: differential(SGD(rate), {"kernel": 0.1}),
    "differential schedule": lambda rate: differential(
        SGD(Scaled(WarmUp(1.0, 1, 1.0), rate)), {"kernel": 0.1}
    ),
}


def model_with(kind, rate):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(KINDS[kind](rate), "mse")
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("changed", [True, False])
def test_the_rate_is_kept_unless_hyperparameters_changed(kind, changed):
    saved = model_with(kind, 0.5)
    saved.train_on_batch(np.ones((2, 2)), np.ones((2, 1)))
    scale_learning_rate(saved.optimizer, 0.5)
    save_state(PATH, saved, [TrainedWith({"rate": 0.5})], epoch=1)
    rate = 0.125 if changed else 0.5
    trained_with = TrainedWith({"rate": rate})
    resume = ResumeTraining(PATH, [trained_with], trained_with)
    resume.set_model(model_with(kind, rate))
    resume.on_train_begin()
    found = learning_rates(resume.model.optimizer)
    assert found["learning_rate"] == pytest.approx(0.125 if changed else 0.25)
    assert found.get("learning_rate_times_0.1", 0.1 * found["learning_rate"]) == pytest.approx(
        0.1 * found["learning_rate"]
    )
