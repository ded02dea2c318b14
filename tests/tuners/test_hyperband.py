"""The arguments of the tuner of Hyperband, and its searches."""

import inspect

import keras
import pytest

import kt_extras as kte
from tests.tuners.preset_arguments import (
    COMMON,
    NO_FOLDS,
    ONE_EXECUTION,
    PRUNER,
    Row,
    check_argument,
)
from tests.tuners.scheduled import FIT, build, searched

ROWS = {
    **COMMON,
    "max_epochs": Row(9, lambda tuner: tuner.oracle.scheduler.max_epochs),
    "factor": Row(2, lambda tuner: tuner.oracle.scheduler.reduction_factor),
    "hyperband_iterations": Row(2, lambda tuner: tuner.oracle.scheduler.iterations),
    "max_trials": Row(7, lambda tuner: tuner.oracle.max_trials),
    "sampler": Row(kte.samplers.Sobol(), lambda tuner: tuner.oracle.sampler.inner.inner),
    "pruner": PRUNER,
    "cross_validation": NO_FOLDS,
    "executions_per_trial": ONE_EXECUTION,
}


@pytest.mark.parametrize("name", ROWS)
def test_an_argument_has_its_effect_when_it_is_given(name):
    check_argument(kte.Hyperband, name, ROWS[name])


def test_every_argument_has_a_row():
    assert set(ROWS) == set(inspect.signature(kte.Hyperband).parameters) - {"unknown"}


def tuner_of(directory, **kwargs):
    return kte.Hyperband(build, "val_loss", 4, 2, seed=0, directory=str(directory), **kwargs)


@pytest.mark.slow
def test_epochs_of_search_are_left_aside_and_that_is_said_once(tmp_path, capsys):
    tuner, plain = tuner_of(tmp_path / "given"), tuner_of(tmp_path / "not_given")
    stop = keras.callbacks.EarlyStopping("val_loss", patience=5)
    tuner.search(**FIT, epochs=50, initial_epoch=1, callbacks=[stop], verbose=1)
    said = capsys.readouterr().out
    assert said.count("`epochs` of `search` is left aside, as in KerasTuner: `max_epochs`") == 1
    assert said.count("`initial_epoch` of `search` is left aside") == 1
    searched(plain)
    assert [row["score"] for row in tuner.results()] == [row["score"] for row in plain.results()]
    planned = sum(row["new_epochs"] for row in tuner.plan())
    assert sum(row["epochs"] for row in tuner.results()) == planned


class TunesBatches(kte.Hyperband):
    """The way in which KerasTuner's guides tune the size of batches and the epochs."""

    def run_trial(self, trial, *args, **kwargs):
        kwargs["batch_size"] = trial.hyperparameters.Int("batch_size", 8, 32, step=8)
        kwargs["epochs"] = trial.hyperparameters.Int("epochs", 10, 30)
        return super().run_trial(trial, *args, **kwargs)


@pytest.mark.slow
def test_a_run_trial_that_sets_epochs_trains_for_those_of_the_rungs(tmp_path):
    tuner = TunesBatches(build, "val_loss", 4, 2, seed=0, max_trials=3, directory=str(tmp_path))
    searched(tuner)
    assert {row["epochs"] for row in tuner.results()} <= {1, 2, 4}
    assert all(row["state"] == "completed" or row["epochs"] < 4 for row in tuner.results())


@pytest.mark.slow
def test_early_stopping_ends_trials_at_any_rung(tmp_path):
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, min_delta=1e9)
    tuner = searched(tuner_of(tmp_path), callbacks=[stop], epochs=9)
    assert max(row["epochs"] for row in tuner.results()) == 3  # one after the pause at 2
    assert {row["state"] for row in tuner.results()} <= {"completed", "paused"}
