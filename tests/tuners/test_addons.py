"""A model made of tensorflow-addons, tuned; runs where they are installed (`tox -e addons`)."""

import warnings

import keras
import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from tests.tuners.models import VALIDATION, X, Y

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tfa = pytest.importorskip("tensorflow_addons")


def one_hot(labels):
    return np.eye(10, dtype="float32")[labels]


def build(hp):
    """A model with an optimizer, loss, metrics and schedule that only tensorflow-addons has."""
    schedule = tfa.optimizers.TriangularCyclicalLearningRate(
        initial_learning_rate=hp.Float("low", 1e-4, 1e-3, sampling="log"),
        maximal_learning_rate=hp.Float("high", 1e-3, 1e-1, sampling="log"),
        step_size=hp.Int("step_size", 2, 16, step=2, sampling="log"),
    )
    optimizer = {"adamw": tfa.optimizers.AdamW, "sgdw": tfa.optimizers.SGDW}[
        hp.Choice("optimizer", ["adamw", "sgdw"])
    ]
    hidden = keras.layers.Dense(hp.Int("units", 8, 32), "relu")
    layers = [keras.layers.Input((64,)), hidden, keras.layers.Dense(10, "sigmoid")]
    model = keras.Sequential(layers)
    model.compile(
        optimizer=optimizer(weight_decay=1e-5, learning_rate=schedule),
        loss=tfa.losses.SigmoidFocalCrossEntropy(),
        metrics=[
            tfa.metrics.F1Score(num_classes=10, average="macro"),
            tfa.metrics.CohenKappa(num_classes=10),
        ],
    )
    return model


@pytest.mark.parametrize(
    ("objective", "direction"),
    [("val_f1_score", "max"), ("val_cohen_kappa", "max"), ("val_loss", "min")],
)
def test_the_direction_of_an_objective_is_that_of_its_metric(objective, direction):
    tuner = kte.TPE(build, objective, max_trials=1)
    assert tuner.oracle.objective == keras_tuner.Objective(objective, direction)


def test_optimizer_loss_metric_and_schedule_are_tuned_together():
    tuner = kte.TPE(build, "val_f1_score", max_trials=2, seed=0)
    for optimizer in ("adamw", "sgdw"):
        tuner.enqueue({"optimizer": optimizer})
    x, y = VALIDATION
    tuner.search(X, one_hot(Y), validation_data=(x, one_hot(y)), epochs=3, verbose=0)
    rows = tuner.results()
    assert [row["state"] for row in rows] == ["completed"] * 2
    model = tuner.get_best_models()[0]
    measured = model.evaluate(x, one_hot(y), verbose=0, return_dict=True)
    assert measured["f1_score"] == pytest.approx(max(row["score"] for row in rows), rel=1e-4)
