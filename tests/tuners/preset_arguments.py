"""Checks that the arguments of the presets have their effect, one argument at a time."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import keras
import keras_tuner
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras.search import Likely


class Row(NamedTuple):
    """One argument of a preset.

    Attributes:
        value: One that is not the default.
        read: Takes the tuner and returns the value from where it has its effect.
        expected: What `read` returns.  Defaults to `value`.
        warning: The type of the warning that the value leads to.  Defaults to None.
    """

    value: Any
    read: Callable[[kte.Tuner], Any]
    expected: Any = None
    warning: type[Warning] | None = None


class Refused(NamedTuple):
    """One argument of a preset whose effect is an error.

    Attributes:
        value: One that is refused where the argument has its effect.
        message: A pattern of the error's message.
    """

    value: Any
    message: str


class Empty(keras_tuner.HyperModel):
    """Builds a model without layers."""

    def build(self, hp):
        return keras.Sequential()


def accept(hp, model):
    return True


def declared(name):
    """Return a space of one hyperparameter."""
    hp = keras_tuner.HyperParameters()
    hp.Float(name, 0.0, 1.0)
    return hp


def check_argument(preset, name, row):
    """Build a preset with one argument that is not its default, and check the effect.

    Args:
        preset: The class of a tuner.
        name: The argument.
        row: Its value and where it has its effect.
    """

    class Untrained(preset):
        def run_trial(self, trial):
            return 0.0

    project = Path("untitled_project")
    project.mkdir()
    (project / "tuner0.json").touch()
    default = {"objective": "val_loss", "hyperparameters": declared("default")}
    given = {**default, name: row.value}
    if isinstance(row, Refused):
        with pytest.raises((TypeError, ValueError), match=row.message):
            Untrained(**given)
        return
    expected = row.value if row.expected is None else row.expected
    assert row.read(Untrained(**default)) != expected
    with nullcontext() if row.warning is None else pytest.warns(row.warning):
        tuner = Untrained(**given)
    assert row.read(tuner) == expected


def attribute(value, name):
    """Return the row of an argument that is an attribute of the tuner."""
    return Row(value, lambda tuner: getattr(tuner, name))


def of_oracle(value, name):
    """Return the row of an argument that is an attribute of the oracle."""
    return Row(value, lambda tuner: getattr(tuner.oracle, name))


def of_budget(value, name):
    """Return the row of an argument that is a limit of the search."""
    return Row(value, lambda tuner: getattr(tuner.oracle.budget, name))


PRUNER = of_oracle(kte.MedianPruner(3), "pruner")
SCHEDULER = of_oracle(kte.schedulers.SuccessiveHalving(9), "scheduler")
EXECUTIONS = attribute(2, "executions_per_trial")
ONE_EXECUTION = Refused(2, "`executions_per_trial` must be 1, got 2")
FOLDS = kte.CrossValidation(3)
NO_FOLDS = Refused(FOLDS, "`cross_validation` can't be used with")

# What all presets have.
COMMON = {
    "hypermodel": attribute(Empty(), "hypermodel"),
    "objective": of_oracle(keras_tuner.Objective("val_cost", "max"), "objective"),
    "seed": of_oracle(7, "seed"),
    "hyperparameters": Row(
        declared("x"), lambda tuner: [p.name for p in tuner.oracle.hyperparameters.space], ["x"]
    ),
    "allow_new_entries": of_oracle(False, "allow_new_entries"),
    "tune_new_entries": of_oracle(False, "tune_new_entries"),
    "max_retries_per_trial": of_oracle(2, "max_retries_per_trial"),
    "max_consecutive_failed_trials": of_oracle(5, "max_consecutive_failed_trials"),
    "max_time": of_budget(60, "max_time"),
    "max_total_epochs": of_budget(50, "max_total_epochs"),
    "target": of_budget(0.5, "target"),
    "max_trials_without_improvement": of_budget(4, "max_trials_without_improvement"),
    "max_failure_fraction": of_oracle(0.25, "max_failure_fraction"),
    "prior": Row({"default": 0.5}, lambda tuner: tuner.oracle.prior, {"default": Likely(0.5)}),
    "try_defaults": Row(True, lambda tuner: tuner.oracle._next_trial.try_defaults),
    "warm_start": Row(
        [({"default": 0.5}, 1.0)],
        lambda tuner: [past.points for past in tuner.oracle._past_read.values()],
        [({"default": 0.5},)],
    ),
    "objectives": Refused(["val_loss", "parameters"], "`objective` must not be given"),
    "constraints": Row(
        ["size <= 3"], lambda tuner: getattr(tuner.oracle.goals, "constraints", ())[:1] != (), True
    ),
    "weights": Refused({"val_loss": 1}, "`weights` needs several `objectives`"),
    "resume": Refused("must", "`resume` is 'must'"),
    "storage": Refused("nowhere", "`storage` must be a URL"),
    "keep_checkpoints": Row(3, lambda tuner: tuner._models._checkpoints.keep),
    "constraint": attribute(accept, "_constraint"),
    "directory": Row("elsewhere", lambda tuner: str(Path(tuner.directory).relative_to(Path.cwd()))),
    "project_name": attribute("digits", "project_name"),
    "overwrite": Row(True, lambda tuner: not Path(tuner.project_dir, "tuner0.json").exists()),
    "max_model_size": attribute(1000, "max_model_size"),
    "optimizer": attribute("sgd", "optimizer"),
    "loss": attribute("mae", "loss"),
    "metrics": attribute(["mse"], "metrics"),
    "distribution_strategy": attribute(
        tf.distribute.OneDeviceStrategy("/cpu:0"), "distribution_strategy"
    ),
    "reuse_models": Row(3, lambda tuner: tuner._pool.size),
    "trials_at_once": Row(1, lambda tuner: tuner._trials_at_once),
    "cross_validation": Row(FOLDS, lambda tuner: tuner._cross_validation),
    "tuner_id": attribute("worker7", "tuner_id"),
    "logger": Row("anything", lambda tuner: tuner.logger, warning=DeprecationWarning),
}
