"""A model that is trained again is traced anew where callbacks have changed it before."""

import keras
import numpy as np
import pytest

import kt_extras as kte

X = np.random.default_rng(0).normal(size=(24, 6)).astype("float32")
Y = X[:, :1]


def build(hp):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(hp.Float("rate", 0.05, 0.2), momentum=0.5), "mse")
    return model


class Freezing(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.layers[0].trainable = False


class Momentum(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.momentum = 0.9 - 0.4 * epoch


def losses(callback, reuse_models):
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective="loss", max_trials=3, seed=1)
    settings = {"reuse_models": reuse_models, "directory": f"reuse-{reuse_models}"}
    tuner = kte.Tuner(oracle, build, trials_at_once=1, **settings)

    def callbacks(_, trial):
        return [callback()] if int(trial.trial_id) == 2 else []

    tuner.search(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
    return [tuner.history(number)["loss"] for number in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize("callback", [Freezing, Momentum])
def test_what_a_callback_changes_acts_on_a_model_that_is_used_again(
    callback, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    np.testing.assert_allclose(losses(callback, 4), losses(callback, 0), rtol=2e-5)
