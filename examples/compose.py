"""Combine a sampler of your own with built-in pruners, and try a known good point first.

A sampler is any object with a method `suggest`.
"""

import tempfile
from dataclasses import dataclass

import keras
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

import kt_extras as kte

x, y = load_breast_cancer(return_X_y=True)
x, x_val, y, y_val = train_test_split(scale(x), y, test_size=0.3, random_state=0)


@dataclass(frozen=True)
class NearTheBest:
    """Change the best point so far a little; until there is one, suggest Sobol points."""

    spread: float = 0.1

    def suggest(self, history, space, rng):
        """Return the point to try next."""
        if not (history.losses < float("inf")).any():
            return kte.samplers.Sobol().suggest(history, space, rng)
        best = history.points[history.losses.argmin()]
        unit = space.encode(best)  # every hyperparameter is between 0 and 1
        return space.decode((unit + rng.normal(0, self.spread, len(space))).clip(0, 1))


def build(hp):
    """Return a network with one hidden layer for two classes."""
    layers = [keras.layers.Dense(hp.Int("units", 4, 64, step=2, sampling="log"), "relu")]
    model = keras.Sequential([keras.Input((30,)), *layers, keras.layers.Dense(1, "sigmoid")])
    rate = hp.Float("learning_rate", 1e-4, 1.0, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


# Stop a trial that is worse than the median after 3 epochs, or whose loss is above 2.
median = kte.MedianPruner(n_startup_trials=3, n_warmup_steps=3)
pruner = kte.AnyOf(median, kte.ThresholdPruner(upper=2.0))
oracle = kte.SamplerOracle(NearTheBest(), pruner, objective="val_loss", max_trials=10, seed=0)
tuner = kte.Tuner(oracle, build, directory=tempfile.mkdtemp())
tuner.enqueue({"learning_rate": 0.01, "units": 16})
tuner.search(x, y, validation_data=(x_val, y_val), epochs=12)

for row in tuner.results():
    print(
        "{number:2} {state:9} {score:.4f} units={units:<2} rate={learning_rate:.4f}".format(**row)
    )
