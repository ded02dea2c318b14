"""A process of a shared search: `python -m tests.oracles.shared_tuner URL DIRECTORY TUNER`."""

import os
import sys
import time
from pathlib import Path

import keras
import numpy as np

import kt_extras as kte

MAX_TRIALS = 8
PROCESSES = 2


def build(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    rate = hp.Float("learning_rate", 1e-3, 1.0, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy")
    return model


def make(url, directory, tuner):
    given = {"ASHA": {"max_epochs": 4}, "TPE": {}}[tuner]
    return getattr(kte, tuner)(
        build,
        "val_loss",
        max_trials=MAX_TRIALS,
        seed=1,
        directory=directory,
        project_name="shared",
        storage=url,
        **given,
    )


def wait_for_others(folder):
    """Return when all processes are ready: else the first one may do all the work."""
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < PROCESSES:
        time.sleep(0.02)


def main(url, directory, name):
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = (x.sum(1) > 0).astype("float32")
    epochs = {"epochs": 4} if name == "TPE" else {}
    tuner = make(url, directory, name)

    class Slow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            time.sleep(0.3)

    wait_for_others(Path(directory, "ready"))
    boards = [Slow(), keras.callbacks.TensorBoard(f"{directory}/logs")]
    tuner.search(x, y, validation_data=(x, y), verbose=0, callbacks=boards, **epochs)
    sys.stdout.write(f"{len(tuner.results())} {tuner.get_best_models()[0].count_params()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
