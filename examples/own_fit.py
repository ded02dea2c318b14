"""Tune the batch size and the patience of a callback, which are not part of the model.

A `HyperModel` may override `fit`.  `callbacks` may be a function that is called for each trial: for
callbacks that depend on hyperparameters, and for callbacks that cannot be copied.
"""

import tempfile

import keras
import keras_tuner
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kt_extras as kte

x, x_val, y, y_val = train_test_split(*load_digits(return_X_y=True), random_state=0)


class Digits(keras_tuner.HyperModel):
    """A small dense network with its own `fit`."""

    def declare_hyperparameters(self, hp):
        """Declare the hyperparameters that `build` does not use, before the first trial."""
        hp.Int("batch_size", 16, 256, step=2, sampling="log")
        hp.Int("patience", 1, 4)

    def build(self, hp):
        """Return a compiled model."""
        layers = [keras.Input((64,)), keras.layers.Rescaling(1 / 16)]
        layers += [keras.layers.Dense(hp.Int("units", 16, 128, step=2, sampling="log"), "relu")]
        model = keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])
        adam = keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1e-1, sampling="log"))
        model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        """Train the model; pass on `kwargs`, whose callbacks report to the search."""
        return model.fit(*args, batch_size=hp.get("batch_size"), verbose=0, **kwargs)


def callbacks(hp, trial):
    """Return new callbacks for a trial."""
    return [
        keras.callbacks.ReduceLROnPlateau("val_loss", patience=hp.get("patience")),
        keras.callbacks.CSVLogger(f"{folder}/{trial.trial_id}.csv"),
    ]


folder = tempfile.mkdtemp()
tuner = kte.TPE(Digits(), "val_accuracy", max_trials=8, seed=0, directory=folder)
tuner.search(x, y, validation_data=(x_val, y_val), epochs=10, callbacks=callbacks)
best = max(tuner.results(), key=lambda row: row["score"])
print(f"\nTrial {best['number']} is the best, with a validation accuracy of {best['score']:.3f}:")
print({name: best[name] for name in ("units", "learning_rate", "batch_size", "patience")})
