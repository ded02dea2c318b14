"""Tuners whose trials last as long as a test needs, and say which process has run them."""

import os
import time
import uuid
from pathlib import Path

import keras
import keras_tuner
import numpy as np

import kt_extras as kte

COST = keras_tuner.Objective("cost", "min")
EPOCHS = 4


class _Slow:
    """Reports four epochs, each after some seconds, unless it has a fault."""

    def run_trial(self, trial, seconds, folder, fault=None):
        x = trial.hyperparameters.Float("x", -1.0, 1.0)
        hangs = fault == "hangs" and trial.trial_id == "0000" and not begun(folder)
        Path(folder, f"{trial.trial_id}.{os.getpid()}.{uuid.uuid4().hex}").touch()
        if fault == "all fail":
            raise KeyError("no such layer")
        if fault == "error" and trial.trial_id == "0001":
            raise keras_tuner.errors.FatalValueError("`width` must be even, got 3.")
        for epoch in range(EPOCHS):
            time.sleep(seconds)
            answer = self.oracle.update_trial(trial.trial_id, {"cost": x**2 + epoch}, step=epoch)
            if answer.status == "STOPPED":
                break
            if hangs:
                time.sleep(3600)
            while fault == "waits for a third" and len({pid for _, pid in begun(folder)}) < 3:
                time.sleep(0.05)
        return {"cost": x**2}


class Slow(_Slow, kte.Tuner):
    """A tuner of kt_extras."""


class SlowKerasTuner(_Slow, keras_tuner.Tuner):
    """A tuner of KerasTuner."""


def slow_tuner(folder, max_trials=6, **arguments):
    oracle = kte.SamplerOracle(
        kte.samplers.Random(), objective=COST, max_trials=max_trials, seed=0, **arguments
    )
    return Slow(oracle, directory=folder, project_name="slow")


def slow_keras_tuner(folder):
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(COST, max_trials=6, seed=0)
    return SlowKerasTuner(oracle, directory=folder, project_name="slow")


def squared_error(y, predicted):
    """Leave a file in the working directory whenever it is traced."""
    Path(f"traced.{os.getpid()}.{uuid.uuid4().hex}").touch()
    return keras.losses.mean_squared_error(y, predicted)


def build_model(hp):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(hp.Choice("units", [2, 20_000]), "relu"),
            keras.layers.Dense(1, kernel_initializer="zeros"),
        ]
    )
    rate = hp.Float("rate", 1e-6, 1e-5, sampling="log")
    model.compile(keras.optimizers.SGD(rate), squared_error)
    return model


def data():
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    return x, x[:, :1]


def begun(folder):
    """Return the trial and the process of every attempt."""
    return [tuple(path.name.split(".")[:2]) for path in Path(folder).iterdir()]


def actors(kind):
    """Return the processes of actors of a class that Ray has started for this process."""
    return [
        int(path.name)
        for path in Path("/proc").glob("[0-9]*")
        if _text_of(path / "cmdline").startswith(f"ray::{kind}") and _is_ours(int(path.name))
    ]


def _is_ours(pid):
    while pid > 1:
        if pid == os.getpid():
            return True
        stat = _text_of(Path(f"/proc/{pid}/stat"))
        pid = int(stat.rpartition(")")[2].split()[1]) if stat else 0
    return False


def _text_of(path):
    try:
        return path.read_text()
    except OSError:  # the process has ended
        return ""
