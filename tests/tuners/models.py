"""Real data and small real models for the tests of the tuner."""

import keras
from sklearn.datasets import load_digits

_images, _labels = load_digits(return_X_y=True)
X, Y = _images[:256].astype("float32") / 16.0, _labels[:256]
XV, YV = _images[256:384].astype("float32") / 16.0, _labels[256:384]
VALIDATION = (XV, YV)


def build(hp):
    """A perceptron whose second layer is a hyperparameter with one of its own."""
    units = hp.Int("units", 4, 32)
    layers = [keras.layers.Input((64,)), keras.layers.Dense(units, "relu")]
    deep = hp.Boolean("deep")
    with hp.conditional_scope("deep", [True]):
        if deep:
            layers.append(keras.layers.Dense(hp.Choice("more", [4, 8, 16]), "relu"))
    model = keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])
    rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
    sgd = keras.optimizers.SGD(rate, momentum=0.9)  # is traced in half the time of Adam
    model.compile(sgd, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Subclassed(keras.Model):
    """A model that Keras cannot rebuild from its configuration alone."""

    def __init__(self, units):
        super().__init__()
        self.hidden = keras.layers.Dense(units, "relu")
        self.out = keras.layers.Dense(10, "softmax")

    def call(self, inputs):
        return self.out(self.hidden(inputs))


def build_subclassed(hp):
    model = Subclassed(hp.Int("units", 4, 32))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def build_two_outputs(hp):
    inputs = keras.Input((64,))
    hidden = keras.layers.Dense(hp.Int("units", 4, 32), "relu")(inputs)
    digit = keras.layers.Dense(10, "softmax", name="digit")(hidden)
    even = keras.layers.Dense(1, "sigmoid", name="even")(hidden)
    model = keras.Model(inputs, {"digit": digit, "even": even})
    model.compile(
        "adam",
        {"digit": "sparse_categorical_crossentropy", "even": "binary_crossentropy"},
        metrics={"digit": ["accuracy"], "even": ["accuracy"]},
    )
    return model


class TwoInputs(keras.Model):
    """A subclassed model that takes a dictionary."""

    def __init__(self, units):
        super().__init__()
        self.upper = keras.layers.Dense(units, "relu")
        self.lower = keras.layers.Dense(units, "tanh")
        self.out = keras.layers.Dense(10, "softmax")

    def call(self, inputs):
        return self.out(self.upper(inputs["upper"]) + self.lower(inputs["lower"]))


def build_dict_inputs(hp):
    model = TwoInputs(hp.Int("units", 4, 32))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def halves(images):
    """Return the upper and the lower half of each image, as `TwoInputs` takes them."""
    return {"upper": images[:, :32], "lower": images[:, 32:]}
