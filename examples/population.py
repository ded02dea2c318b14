"""Find a learning rate schedule by population-based training, and replay it in a plain `fit`.

Eight networks are trained on digits, with random labels for a third of them: a large learning rate
is good at first, a small one later.  Every 2 epochs the worst networks copy the weights of the best
and continue with another learning rate.
"""

import tempfile

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kt_extras as kte

images, labels = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(images / 16, labels, test_size=500, random_state=0)
x, x_val, y, y_val = train_test_split(x, y, test_size=400, random_state=0)
rng = np.random.default_rng(0)
y = np.where(rng.random(len(y)) < 1 / 3, rng.integers(10, size=len(y)), y)


def build(hp):
    """Return a network with one hidden layer."""
    layers = [keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((64,)), *layers])
    sgd = keras.optimizers.SGD(hp.Float("learning_rate", 1e-2, 1.0, sampling="log"))
    model.compile(sgd, "sparse_categorical_crossentropy")
    return model


settings = {"max_epochs": 20, "interval": 2, "seed": 0, "directory": tempfile.mkdtemp()}
factors = (0.4, 1.5)  # the default, (0.8, 1.2), changes too little in 20 epochs
tuner = kte.PBT(build, "val_loss", population_size=8, perturbation_factors=factors, **settings)
data = {"x": x, "y": y, "validation_data": (x_val, y_val), "batch_size": 16, "verbose": 0}
tuner.search(**data)

print("Exploits:")
for row in tuner.lineage():
    before, after = (row[when]["learning_rate"] for when in ("before", "after"))
    print("after epoch {epoch:2}  member {member} copied {parent}".format(**row), end="")
    print(f"   learning rate {before:.4f} -> {after:.4f}")

schedule = tuner.schedule()
rates = schedule.column("learning_rate")
print(f"\nThe learning rates of the {schedule.epochs} epochs that led to the best weights:")
print(*(f"{rate:.3f}" for rate in rates))

hp = tuner.get_best_hyperparameters()[0]
print("\nLoss on test digits after a plain `fit` of as many epochs with")
ways = {"the schedule": schedule.callbacks(), "its first rate": [], "its last": []}
for (way, callbacks), rate in zip(ways.items(), (rates[0], rates[0], rates[-1]), strict=True):
    hp.values["learning_rate"] = rate
    model = build(hp)
    model.fit(**data, epochs=schedule.epochs, callbacks=callbacks)
    print(f"{way:15} {model.evaluate(x_test, y_test, verbose=0):.3f}")
