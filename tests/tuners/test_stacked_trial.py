"""What callbacks change, and initial weights, act in a stack as in a training alone."""

import keras
import numpy as np
import pytest

import kt_extras as kte
from kt_extras import compat

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
pytestmark = pytest.mark.skipif(not compat.KERAS_3, reason="stacking needs Keras 3")


def compiled(model, hp):
    optimizer = keras.optimizers.SGD(hp.Float("rate", 0.05, 0.2), hp.Float("momentum", 0.5, 0.9))
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def build(hp):
    layers = L.Dense(4, "relu"), L.Dense(2, "softmax")
    return compiled(keras.Sequential([keras.Input((6,)), *layers]), hp)


def searched(build=build, *, at_once, callbacks=None, trials=3, kind=kte.Tuner, **settings):
    """Return the tuner of a search, in which no model was used again."""
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective="loss", max_trials=trials, seed=1)
    settings = {"trials_at_once": at_once, "reuse_models": 0, **settings}
    tuner = kind(oracle, build, project_name=f"at-once-{at_once}", **settings)
    tuner.search(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=callbacks)
    return tuner


def losses(tuner):
    return [tuner.history(number)["loss"] for number in range(len(tuner.results()))]


class FrozenAtBegin(keras.callbacks.Callback):
    """Freezes a layer before the training."""

    def on_train_begin(self, logs=None):
        self.model.layers[0].trainable = False


class FrozenAtFirstEpoch(keras.callbacks.Callback):
    """Freezes a layer before anything is traced."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.layers[0].trainable = False


class FrozenLater(keras.callbacks.Callback):
    """Freezes a layer as the guides of Keras 3 do."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.model.layers[0].trainable = False
            self.model.make_train_function(force=True)


class FrozenInVain(keras.callbacks.Callback):
    """Freezes a layer when the step is traced already."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.model.layers[0].trainable = False


class Momentum(keras.callbacks.Callback):
    """Sets a number of the optimizer, of which the trace has that of the first epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.momentum = 0.95 - 0.4 * epoch


class MomentumTraced(keras.callbacks.Callback):
    """Sets a number and has it traced."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.momentum = 0.95 - 0.4 * epoch
        self.model.make_train_function(force=True)


CALLBACKS = [
    Momentum, FrozenInVain, FrozenAtBegin, FrozenAtFirstEpoch, FrozenLater, MomentumTraced,
]  # fmt: skip


@pytest.mark.slow
def test_what_callbacks_change_acts_in_a_stack_as_alone(stacked):
    def callbacks(_, trial):
        return [CALLBACKS[int(trial.trial_id)]()]

    count = len(CALLBACKS)
    together = losses(searched(at_once=count, callbacks=callbacks, trials=count))
    assert stacked == [3, 2, 2]  # `FrozenLater` for an epoch, `FrozenInVain` and `Momentum`
    alone = losses(searched(at_once=1, callbacks=callbacks, trials=count))
    for kind, one, other in zip(CALLBACKS, together, alone, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, err_msg=kind.__name__)


@keras.saving.register_keras_serializable("stacked_trial")
class Late(L.Layer):
    """Draws its weights, and their seed, when it sees data."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4))

    def call(self, x):
        return x @ self.kernel


def build_late(hp):
    return compiled(keras.Sequential([Late(), L.Dense(2, "softmax")]), hp)


@pytest.mark.slow
def test_initial_weights_are_drawn_from_the_streams_of_their_trial(stacked):
    together = losses(searched(build_late, at_once=3))
    assert stacked == [3, 3, 3]
    np.testing.assert_allclose(together, losses(searched(build_late, at_once=1)), rtol=2e-5)


class Halving(kte.Tuner):
    """A tuner whose hook halves the learning rate."""

    def on_epoch_end(self, trial, model, epoch, logs=None):
        super().on_epoch_end(trial, model, epoch, logs)
        model.optimizer.learning_rate = 0.5 * float(model.optimizer.learning_rate)


@pytest.mark.slow
def test_what_a_hook_of_the_tuner_changes_acts_in_a_stack(stacked):
    together = losses(searched(at_once=2, trials=2, kind=Halving))
    assert stacked == [2, 2, 2]
    alone = losses(searched(at_once=1, trials=2, kind=Halving))
    np.testing.assert_allclose(together, alone, rtol=2e-5)
