"""Tuners whose trials last as long as a test needs, and say which process has run them."""

import os
import re
import time
import uuid
from pathlib import Path

import keras
import keras_tuner
import numpy as np

import kt_extras as kte

COST = keras_tuner.Objective("cost", "min")
EPOCHS = 4


class Slow(kte.Tuner):
    """Reports four epochs, each after some seconds."""

    def run_trial(self, trial, seconds, folder, fault=None):
        x = trial.hyperparameters.Float("x", -1.0, 1.0)
        Path(folder, f"{trial.trial_id}.{os.getpid()}.{uuid.uuid4().hex}").touch()
        if fault == "error" and trial.trial_id == "0001":
            raise keras_tuner.errors.FatalValueError("`width` must be even, got 3.")
        for epoch in range(EPOCHS):
            time.sleep(seconds)
            answer = self.oracle.update_trial(trial.trial_id, {"cost": x**2 + epoch}, step=epoch)
            if answer.status == "STOPPED":
                break
        return {"cost": x**2}


def slow_tuner(folder, max_trials=6, **arguments):
    oracle = kte.SamplerOracle(
        kte.samplers.Random(), objective=COST, max_trials=max_trials, seed=0, **arguments
    )
    return Slow(oracle, directory=folder, project_name="slow")


def build_model(hp):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(hp.Int("units", 2, 3), "relu"),
            keras.layers.Dense(1),
        ]
    )
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


def data():
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    return x, x[:, :1]


def begun(folder):
    """Return the trial and the process of every attempt."""
    return [tuple(path.name.split(".")[:2]) for path in Path(folder).iterdir()]


def pid_of_oracle(project):
    """Return the process that writes to a project, as its lock says."""
    lock = Path(project).with_name(f".{Path(project).name}.lock")
    found = re.match(r"process (\d+) ", lock.read_text()) if lock.exists() else None
    return int(found[1]) if found else None
