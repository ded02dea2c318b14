"""Search for a correction of class imbalance.  Needs `pip install kt_extras[examples]`.

One digit in ten is an eight, and the network separates the eights from the rest.  The search
chooses class weights, another loss, resampling or no correction, together with the other
hyperparameters.
"""

import tempfile

import keras
import keras_tuner
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kt_extras as kte

images, digits = load_digits(return_X_y=True)
eights = (digits == 8).astype(int)
x, x_test, y, y_test = train_test_split(images / 16, eights, test_size=0.4, random_state=0)
x, x_val, y, y_val = train_test_split(x, y, test_size=0.4, random_state=0)
print("The training data:", kte.imbalance.class_statistics(y), sep="\n")


class EightOrNot(keras_tuner.HyperModel):
    """A small network, and how it corrects the imbalance."""

    def build(self, hp):
        """Return a network with one hidden layer."""
        layers = [keras.layers.Dense(hp.Int("units", 4, 32), "relu")]
        layers.append(keras.layers.Dense(1, "sigmoid"))
        model = keras.Sequential([keras.Input((64,)), *layers])
        adam = keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log"))
        f1 = kte.metrics.F1Score(num_classes=2, average="binary")
        model.compile(adam, kte.imbalance.space(hp, y).loss, metrics=[f1])
        return model

    def fit(self, hp, model, *data, **arguments):
        """Train with class weights or on resampled data, if the trial has that correction."""
        return kte.imbalance.space(hp, y).fit(model, *data, **arguments)


objective = keras_tuner.Objective("val_f1_score", "max")
tuner = kte.TPE(EightOrNot(), objective, max_trials=10, seed=0, directory=tempfile.mkdtemp())
tuner.search(x, y, validation_data=(x_val, y_val), epochs=8, batch_size=64, verbose=0)

print("\nThe best trial of each correction, by F1 on validation data (never resampled):")
rows = sorted(tuner.results(), key=lambda row: row["score"])
for correction, row in {row["correction"]: row for row in rows}.items():
    how = row.get("resampling") or row.get("weight_scheme") or ""
    print(f"{row['score']:.3f}  {correction} {how}")
print("The best hyperparameters:", tuner.get_best_hyperparameters()[0].values)
_, f1 = tuner.get_best_models()[0].evaluate(x_test, y_test, verbose=0)
print(f"F1 on {len(y_test)} test digits: {f1:.3f}")
