"""Compare ASHA and BOHB, which stop most trials early, with TPE at the same number of epochs.

The number of epochs is the one that BOHB plans.  TPE trains every trial for 9 epochs; ASHA and BOHB
train many trials for 1 epoch, and the best of them for 3 and for 9.
"""

import tempfile

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kt_extras as kte

images, labels = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(images / 16, labels, test_size=500, random_state=0)
x, x_val, y, y_val = train_test_split(x, y, test_size=500, random_state=0)


def build(hp):
    """Return a network with one or two hidden layers; its learning rate may be much too large."""
    model = keras.Sequential([keras.Input((64,))])
    activation = hp.Choice("activation", ["relu", "tanh", "sigmoid"])
    for _ in range(hp.Int("layers", 1, 2)):
        units = hp.Int("units", 8, 128, sampling="log")
        model.add(keras.layers.Dense(units, activation))
        model.add(keras.layers.Dropout(hp.Float("dropout", 0.0, 0.6)))
    model.add(keras.layers.Dense(10, "softmax"))
    momentum = hp.Float("momentum", 0.5, 0.99, sampling="reverse_log")
    rate = hp.Float("learning_rate", 1e-4, 3.0, sampling="log")
    sgd = keras.optimizers.SGD(rate, momentum)
    model.compile(sgd, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


common = {"objective": "val_accuracy", "seed": 0, "directory": tempfile.mkdtemp()}
rungs = {"max_epochs": 9, "reduction_factor": 3, **common}
print("What BOHB plans:")
bohb = kte.BOHB(build, **rungs, project_name="bohb")
budget = sum(row["new_epochs"] for row in bohb.plan())
asha = kte.ASHA(build, **rungs, max_total_epochs=budget, project_name="asha")
tpe = kte.TPE(build, **common, max_trials=None, max_total_epochs=budget, project_name="tpe")
data = {"x": x, "y": y, "validation_data": (x_val, y_val), "batch_size": 64, "verbose": 0}
tpe.search(**data, epochs=9)
bohb.search(**data)
asha.search(**data)

print("\n      trials  epochs  reached 3  reached 9  validation  test")
for name, tuner in {"TPE": tpe, "BOHB": bohb, "ASHA": asha}.items():
    epochs = [row["epochs"] for row in tuner.results()]
    score = tuner.oracle.get_best_trials()[0].score
    _, test = tuner.get_best_models()[0].evaluate(x_test, y_test, verbose=0)
    reached = [sum(epoch >= rung for epoch in epochs) for rung in (3, 9)]
    print(f"{name:5} {len(epochs):6}  {sum(epochs):6}  {reached[0]:9}  {reached[1]:9}", end="")
    print(f"  {score:10.3f}  {test:.3f}")
