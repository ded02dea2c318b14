"""A small model, and data that it can learn."""

import keras
import numpy as np

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def two_layers(**layer):
    """Return a model whose layers are called `body` and `head`, the same every time."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(2, name="body", **layer), keras.layers.Dense(1, name="head")]
    return keras.Sequential([keras.layers.Input((3,)), *layers])


def train(model, epochs=1):
    """Train on four batches an epoch, always the same; return the last loss."""
    return model.fit(X, Y, 4, epochs, verbose=0, shuffle=False).history["loss"][-1]


def weights(model, layer):
    """Return all weights of a layer as one vector."""
    return np.concatenate([w.ravel() for w in model.get_layer(layer).get_weights()])
