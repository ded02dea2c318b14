"""Search in two processes of this machine, which Ray starts: `pip install 'kt_extras[ray]'`."""

import tempfile

import keras
import numpy as np

import kt_extras as kte


def build_model(hp):
    """Return a network with one hidden layer."""
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(hp.Int("units", 4, 32, sampling="log"), "relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-1, sampling="log")), "mse")
    return model


if __name__ == "__main__":
    x = np.random.default_rng(0).normal(size=(512, 8))
    y = x[:, 0] * x[:, 1]
    tuner = kte.ASHA(
        build_model, "val_loss", max_epochs=9, max_trials=8, seed=0, directory=tempfile.mkdtemp()
    )
    tuner.search(x, y, validation_split=0.25, batch_size=32, workers=2)
    tuner.results_summary(3)
    print(
        f"The best of {len(tuner.results())} trials: {tuner.oracle.get_best_trials()[0].score:.3f}"
    )
