"""Models, data and helpers for the tests of searches that pause and resume trainings."""

import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import kt_extras as kte
from tests.tuners.processes import free_port, start

ROOT = str(Path(__file__).parents[2])
RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 4)).astype("float32")
Y = (X @ RNG.normal(size=(4, 1)) + 0.1 * RNG.normal(size=(48, 1))).astype("float32")
FIT = {"x": X[:32], "y": Y[:32], "validation_data": (X[32:], Y[32:]), "shuffle": False}


def build(hp):
    units = hp.Choice("units", [2, 4, 8], ordered=True)
    layers = [keras.layers.Dense(units, activation="tanh"), keras.layers.Dropout(0.1)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    rate = hp.Float("rate", 1e-3, 1.0, sampling="log")
    model.compile(keras.optimizers.SGD(rate, momentum=0.5), "mse")
    return model


def only_rate(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    rate = hp.Float("rate", 1e-3, 1.0, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


def asha(directory, **kwargs):
    settings = {"max_epochs": 4, "reduction_factor": 2, "max_trials": 5, "seed": 0, **kwargs}
    return kte.ASHA(build, "val_loss", directory=str(directory), **settings)


def pbt(directory, build=only_rate, **kwargs):
    settings = {"population_size": 4, "max_epochs": 6, "interval": 2, "seed": 0, **kwargs}
    return kte.PBT(build, "val_loss", directory=str(directory), **settings)


def searched(tuner, **kwargs):
    tuner.search(**FIT, verbose=0, **kwargs)
    return tuner


def curves(tuner):
    return {row["number"]: tuner.history(row["number"])["val_loss"] for row in tuner.results()}


def check_curves(tuner, whole):
    """Check that two searches have trained the same trials.

    Members that ran when a process died go on alone.  The program of several models, which they
    were in before, rounds in another way.
    """
    found, wanted = curves(tuner), curves(whole)
    assert found.keys() == wanted.keys()
    for number, curve in wanted.items():
        assert found[number] == pytest.approx(curve, rel=1e-5)


def check_best_models(tuner):
    """Check that the best models have the scores of their trials."""
    trials = tuner.oracle.get_best_trials(10)
    for model, trial in zip(tuner.get_best_models(10), trials, strict=True):
        loss = model.evaluate(*FIT["validation_data"], verbose=0)
        assert loss == pytest.approx(trial.score, rel=1e-5)


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.tuners import scheduled as t
tuner = getattr(t, sys.argv[3])(sys.argv[1])
print("ready", flush=True)
t.searched(tuner)
"""


def check_a_killed_search(kind, whole, directory):
    """Check that a search killed twice and resumed ends like one that was not killed.

    Args:
        kind: The name of the function that makes the tuner: `"asha"` or `"pbt"`.
        whole: A tuner of the same kind that has searched without an interruption.
        directory: Where the killed search writes.
    """
    chance = np.random.default_rng(0)
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(directory), ROOT, kind],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ROOT},
        )
        while process.stdout.readline().strip() not in {b"ready", b""}:
            pass
        time.sleep(chance.uniform(0.2, 2.5))
        process.kill()
        process.communicate()
    tuner = searched(globals()[kind](directory))
    check_curves(tuner, whole)
    assert [row["state"] for row in tuner.results()] == [row["state"] for row in whole.results()]
    check_best_models(tuner)


WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2] if len(sys.argv) > 2 else ".")
from tests.tuners import scheduled as t
tuner = t.KIND(sys.argv[1])
if tuner.tuner_id != "chief":
    Path(sys.argv[1], tuner.tuner_id).touch()
    while len(list(Path(sys.argv[1]).glob("worker*"))) < 2:
        time.sleep(0.1)
t.searched(tuner)
"""


def search_with_workers(kind, directory):
    """Search with a chief and two workers in processes of their own; return the loaded tuner.

    Args:
        kind: The name of the function that makes the tuner: `"asha"` or `"pbt"`.
        directory: Where the search writes.
    """
    port, script = free_port(), WORKER.replace("KIND", kind)
    processes = [start(who, port, directory, script) for who in ("chief", "worker0", "worker1")]
    try:
        outputs = [process.communicate(timeout=110)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    return globals()[kind](directory, resume="must")
