"""Resume a search that was killed: it ends with the same results as without the kill.

The script starts itself as a child process, kills the child during its fourth trial, and then
finishes the search.
"""

import subprocess
import sys
import tempfile

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kt_extras as kte

x, x_val, y, y_val = train_test_split(*load_digits(return_X_y=True), random_state=0)


def build(hp):
    """Return a network with one hidden layer."""
    layers = [keras.Input((64,)), keras.layers.Rescaling(1 / 16)]
    layers += [keras.layers.Dense(hp.Int("units", 8, 128, sampling="log"), "relu")]
    model = keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])
    adam = keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1e-1, sampling="log"))
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def search(directory):
    """Start a search, or resume the one in the directory."""
    tuner = kte.TPE(build, "val_accuracy", max_trials=8, seed=0, directory=directory)
    tuner.search(x, y, validation_data=(x_val, y_val), epochs=5)
    return tuner


if len(sys.argv) > 1:
    search(sys.argv[1])
else:
    directory = tempfile.mkdtemp()
    command = [sys.executable, "-u", __file__, directory]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            print("the child:", line, end="")
            if line.startswith("trial 3/8"):
                child.kill()
    print("The child was killed.  The search resumes:")
    for row in search(directory).results():
        print("{number} {state} {score:.4f} {learning_rate:.5f}".format(**row))
