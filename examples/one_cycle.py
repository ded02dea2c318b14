"""Tune a one-cycle schedule, MixUp and weight averaging on 300 images of digits.

Keras 2 has no MixUp layer: there, the search runs without MixUp and prints a note.
"""

import tempfile

import keras
import keras_tuner
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kt_extras as kte

images, digits = load_digits(return_X_y=True)
images, labels = images.reshape(-1, 8, 8, 1).astype("float32") / 16, tf.one_hot(digits, 10).numpy()
x, x_test, y, y_test = train_test_split(images, labels, train_size=700, random_state=0)
x, x_val, y, y_val = train_test_split(x, y, train_size=300, random_state=0)
EPOCHS, BATCH, STEPS = 15, 30, 10
MIXING = ["none", "mixup"] if hasattr(keras.layers, "MixUp") else ["none"]
if len(MIXING) == 1:
    print(f"Keras {keras.__version__} has no MixUp layer: the search runs without MixUp.")


class Digits(keras_tuner.HyperModel):
    """A small convolutional network, and how it is trained."""

    def build(self, hp):
        """Return a network whose learning rate rises once and then falls to almost 0."""
        self.training(hp)  # declares the hyperparameters of `fit` before the first trial
        layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(32, 3, activation="relu")]
        layers += [keras.layers.BatchNormalization(), keras.layers.MaxPooling2D(2)]
        layers += [keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
        model, peak = keras.Sequential(layers), (1e-3, 1e-1)
        rate = kte.schedules.tunable(hp, STEPS, EPOCHS, learning_rate=peak, families=["one_cycle"])
        model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
        return model

    def training(self, hp):
        """Return the mixer, and the fraction of the epochs after which averaging starts."""
        return kte.imbalance.Mixer(hp, methods=MIXING), hp.Choice("average_from", [0.5, 0.75, 0.95])

    def fit(self, hp, model, x, y, callbacks, **options):
        """Train; once averaging has started, the averaged weights are validated and saved."""
        mixer, start = self.training(hp)
        data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=0).batch(BATCH)
        mean = kte.callbacks.StochasticWeightAveraging(start, data=x, validate=True)
        return model.fit(mixer.apply(data), callbacks=[mean, *callbacks], shuffle=False, **options)


tuner = kte.TPE(Digits(), "val_loss", max_trials=10, seed=0, directory=tempfile.mkdtemp())
tuner.search(x, y, validation_data=(x_val, y_val), epochs=EPOCHS, verbose=0)
ROW = "{score:8.3f} {learning_rate:5.3f} {cycle_rise:5.2f}  {mixing:7} {average_from}"
print("val_loss  peak  rise  mixing  averaged from")
for row in sorted(tuner.results(), key=lambda row: row["score"]):
    print(ROW.format(**row))
_, accuracy = tuner.get_best_models()[0].evaluate(x_test, y_test, verbose=0)
print(f"Accuracy on {len(y_test)} test digits: {accuracy:.3f}")
