"""Class weights are left out of the loss until a given epoch."""

import copy

import keras
import numpy as np
import pytest

from kt_extras.callbacks.deferred_reweighting import DeferredReweighting
from kt_extras.losses import LDAM, WeightedBinaryCrossentropy, WeightedCrossentropy

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = np.repeat([0, 1], 6)


def still(loss, outputs=2):
    """Return a model that does not learn, so that its losses can be compared."""
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(outputs)])
    model.compile(keras.optimizers.SGD(0.0), loss)
    return model


def losses(model, epochs, epoch, initial_epoch=0):
    callback = DeferredReweighting(epoch)
    history = model.fit(
        X, Y, epochs=epochs, initial_epoch=initial_epoch, callbacks=[callback], verbose=0
    )
    return history.history["loss"]


def test_class_weights_apply_in_a_compiled_step_from_their_epoch_on():
    model = still(LDAM([60, 6], weights=[1.0, 5.0], scale=2.0))
    logits = model.predict(X, verbose=0)
    plain = float(LDAM([60, 6], scale=2.0)(Y, logits))
    weighted = float(LDAM([60, 6], weights=[1.0, 5.0], scale=2.0)(Y, logits))
    assert losses(model, epochs=4, epoch=2) == pytest.approx(
        [plain, plain, weighted, weighted], rel=1e-4
    )
    assert losses(model, epochs=1, epoch=2) == pytest.approx([plain], rel=1e-4)
    resumed = losses(model, epochs=4, epoch=2, initial_epoch=3)
    assert resumed == pytest.approx([weighted], rel=1e-4)


def test_class_weights_apply_from_the_start_without_the_callback():
    weights = WeightedCrossentropy([1.0, 5.0]).class_weights
    assert weights.now.numpy().tolist() == [1.0, 5.0]


def test_class_weights_are_deferred_in_all_losses_of_a_model():
    given = [WeightedCrossentropy([1.0, 2.0]), WeightedBinaryCrossentropy([1.0, 3.0])]
    inputs = keras.layers.Input((3,))
    model = keras.Model(inputs, [keras.layers.Dense(2)(inputs), keras.layers.Dense(1)(inputs)])
    model.compile("sgd", given)
    callback = copy.deepcopy(DeferredReweighting(3))
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, expected in ((2, [[1, 1], [1, 1]]), (3, [[1, 2], [1, 3]]), (0, [[1, 1], [1, 1]])):
        callback.on_epoch_begin(epoch)
        assert [loss.class_weights.now.numpy().tolist() for loss in given] == expected


def test_a_model_without_class_weights_is_rejected():
    model = still(LDAM([60, 6]))
    with pytest.raises(ValueError, match="`DeferredReweighting` found no loss with class weights"):
        losses(model, epochs=1, epoch=0)


def test_a_negative_epoch_is_rejected():
    with pytest.raises(ValueError, match="`epoch` must be an integer from 0, got -1"):
        DeferredReweighting(-1)
