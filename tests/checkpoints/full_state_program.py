"""Models and trainings to be interrupted; run as a program, the second half of every training."""

import random
import sys
from pathlib import Path

import keras
import numpy as np

from kt_extras import compat
from kt_extras.checkpoints.full_state import RestoreState, SaveState, epochs_trained

HALF, WHOLE = 4, 10

_rng = np.random.default_rng(0)
X = _rng.normal(size=(24, 4)).astype("float32")
Y = _rng.normal(size=(24, 1)).astype("float32")


class Subclassed(keras.Model):
    """A model that has no variables before it sees data."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(6, "relu")
        self.norm = keras.layers.BatchNormalization()
        self.drop = keras.layers.Dropout(0.3)
        self.out = keras.layers.Dense(1)

    def call(self, inputs, training=None):
        return self.out(self.drop(self.norm(self.hidden(inputs)), training=training))


class Recurrent(keras.Model):
    """Takes a dictionary of integers and numbers; draws masks within a recurrent cell."""

    def __init__(self):
        super().__init__()
        self.embedding = keras.layers.Embedding(3, 4)
        self.recurrent = keras.layers.SimpleRNN(3, dropout=0.2, recurrent_dropout=0.2)
        self.noise = keras.layers.GaussianNoise(0.1)
        self.out = keras.layers.Dense(1)

    def call(self, inputs, training=None):
        words = self.recurrent(self.embedding(inputs["words"]), training=training)
        return self.out(words) + self.out(self.noise(inputs["numbers"], training=training))


def layers():
    return [
        keras.layers.Dense(6, "relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1),
    ]


def functional():
    inputs = keras.Input((4,))
    outputs = inputs
    for layer in layers():
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def sequential():
    return keras.Sequential(layers())


def scaled_adam():
    where = keras.optimizers if compat.KERAS_3 else keras.mixed_precision
    decay = keras.optimizers.schedules.ExponentialDecay(0.05, 7, 0.8)
    return where.LossScaleOptimizer(
        keras.optimizers.Adam(decay), initial_scale=4.0, dynamic_growth_steps=7
    )


def lookahead():
    import tensorflow_addons

    return tensorflow_addons.optimizers.Lookahead(
        tensorflow_addons.optimizers.AdamW(1e-3, 0.01), sync_period=5
    )


class Jitter(keras.callbacks.Callback):
    """Draws from the global streams of Python and NumPy, and counts in its own way."""

    def __init__(self):
        super().__init__()
        self.sum = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.sum += random.random() + np.random.rand()  # noqa: NPY002 - what is tested
        rate = keras.backend.get_value if not compat.KERAS_3 else keras.ops.convert_to_numpy
        before = float(rate(self.model.optimizer.learning_rate))
        self.model.optimizer.learning_rate = before * (0.9 + 0.1 * self.sum / (epoch + 1))

    def get_state(self):
        return {"sum": self.sum}

    def set_state(self, state):
        self.sum = state["sum"]


def counting():
    """Return callbacks whose counters matter in the second half: a plateau begins in the first."""
    return [
        keras.callbacks.ReduceLROnPlateau("loss", 0.5, patience=3, min_delta=10.0),
        keras.callbacks.EarlyStopping("loss", min_delta=10.0, patience=7),
    ]


#: What makes the model, its optimizer, and its callbacks.
CASES = {
    "functional, Adam, counters": (functional, lambda: keras.optimizers.Adam(0.05), counting),
    "Sequential, SGD with momentum, jitter": (
        sequential,
        lambda: keras.optimizers.SGD(0.01, momentum=0.9),
        lambda: [Jitter()],
    ),
    "subclassed, Adam with averages": (
        Subclassed,
        lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
        list,
    ),
    "functional, Adam with a schedule and a scaled loss": (functional, scaled_adam, list),
    "recurrent, dictionary of inputs, AdamW": (
        Recurrent,
        lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
        list,
    ),
}
if not compat.KERAS_3:
    CASES["functional, tensorflow-addons"] = (functional, lookahead, list)


def data_for(model):
    if isinstance(model, Recurrent):
        return {"words": (np.abs(X) > 0.5).astype("int32"), "numbers": X[:, :3]}, Y
    return X, Y


def prepared(name):
    """Return the model of a case, compiled, and its callbacks."""
    build, optimizer, callbacks = CASES[name]
    keras.utils.set_random_seed(list(CASES).index(name) + 1)
    model = build()
    model.compile(optimizer(), "mse")
    return model, callbacks()


def fit(model, callbacks, **arguments):
    x, y = data_for(model)
    return model.fit(x, y, 8, verbose=0, shuffle=False, callbacks=callbacks, **arguments)


def path_of(name, folder):
    return Path(folder) / f"{list(CASES).index(name)}.npz"


def train(name, folder, epochs):
    """Train a case, saving its state after the first half."""
    model, callbacks = prepared(name)
    save = SaveState(path_of(name, folder), callbacks, due=lambda epoch: epoch == HALF)
    fit(model, [*callbacks, save], epochs=epochs)
    return model


def train_on(name, folder):
    """Train the second half of a case, from its file."""
    model, callbacks = prepared(name)
    path = path_of(name, folder)
    restore = RestoreState(path, callbacks)
    fit(model, [*callbacks, restore], initial_epoch=epochs_trained(path), epochs=WHOLE)
    return model


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name in CASES:
        weights = train_on(name, folder).get_weights()
        np.savez(folder / f"weights{list(CASES).index(name)}.npz", *weights)
