"""A hypermodel that is trained with corrections of an imbalance."""

import keras
import numpy as np
import pytest

import kt_extras as kte

RNG = np.random.default_rng(0)
Y = (np.arange(60) % 6 == 0).astype("int64")
X = RNG.normal(size=(60, 2)).astype("float32") + Y[:, None]


def build(hp):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    rate = hp.Float("rate", 1e-3, 0.1, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "mse", metrics=["accuracy"])
    return model


class Noting(keras.callbacks.Callback):
    """Notes the loss of a model and its batches in an epoch."""

    def __init__(self, notes):
        super().__init__()
        self.notes = notes

    def on_train_begin(self, logs=None):
        self.notes.append((type(self.model.loss).__name__, self.params["steps"]))


def test_trials_are_trained_with_their_corrections():
    notes = []
    corrected = kte.imbalance.Corrected(
        build, Y, methods=["random_over"], callbacks=lambda _: [Noting(notes)]
    )
    tuner = kte.RandomSearch(corrected, "val_accuracy", max_trials=8, seed=0, trials_at_once=1)
    tuner.search(X, Y, validation_data=(X, Y), batch_size=10, epochs=1, verbose=0)
    rows = tuner.results()
    assert {row["state"] for row in rows} == {"completed"}
    assert {row["correction"] for row in rows} == {"none", "weights", "resampling"}
    for row, (loss, steps) in zip(rows, notes, strict=True):
        focal = row.get("loss", row.get("values.loss")) == "focal"
        assert loss == ("BinaryFocalCrossentropy" if focal else "BinaryCrossentropy")
        assert (steps > 6) == (row["correction"] == "resampling")


def test_class_weights_are_those_of_the_space():
    hp = kte.HyperParameters()
    hp.values = {"correction": "weights", "weight_scheme": "balanced"}
    corrected = kte.imbalance.Corrected(build, Y, methods=[])
    given = corrected.fit_arguments(hp, (X, Y), {"validation_data": (X, Y)})
    assert given["class_weight"] == kte.imbalance.space(hp, Y, methods=[]).class_weight
    assert given["x"] is X


def test_what_the_correction_sets_is_refused():
    with pytest.raises(TypeError, match=r"'class_weight'.* is set by the correction"):
        kte.imbalance.Corrected(build, Y, class_weight={0: 1.0})


def test_the_space_is_refused_in_a_training_space_that_does_not_use_it():
    def wrong(hp):
        kte.imbalance.space(hp, Y, methods=[])
        return build(hp)

    with pytest.raises(ValueError, match="would do nothing here"):
        kte.RandomSearch(kte.TrainingSpace(wrong, batch_size=8), "val_loss", max_trials=1)
