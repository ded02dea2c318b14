"""Searches by BOHB, with real trainings."""

import inspect

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
from tests.tuners.scheduled import build, searched

ROWS = {
    **COMMON,
    "max_epochs": Row(9, lambda tuner: tuner.oracle.scheduler.max_epochs),
    "min_epochs": Row(3, lambda tuner: tuner.oracle.scheduler.min_epochs),
    "reduction_factor": Row(2, lambda tuner: tuner.oracle.scheduler.reduction_factor),
    "iterations": Row(2, lambda tuner: tuner.oracle.scheduler.iterations),
    "max_trials": Row(7, lambda tuner: tuner.oracle.max_trials),
    "sampler": Row(kte.samplers.Sobol(), lambda tuner: tuner.oracle.sampler.inner.inner),
    "pruner": PRUNER,
    "cross_validation": NO_FOLDS,
    "executions_per_trial": ONE_EXECUTION,
}


@pytest.mark.parametrize("name", ROWS)
def test_an_argument_has_its_effect_when_it_is_given(name):
    check_argument(kte.BOHB, name, ROWS[name])


def test_every_argument_has_a_row():
    assert set(ROWS) == set(inspect.signature(kte.BOHB).parameters) - {"unknown"}


@pytest.mark.slow
def test_a_search_trains_as_many_epochs_as_planned(tmp_path):
    tuner = kte.BOHB(
        build, "val_loss", max_epochs=4, reduction_factor=2, seed=0, directory=str(tmp_path)
    )
    planned = sum(row["new_epochs"] for row in tuner.plan())
    assert sum(row["epochs"] for row in searched(tuner).results()) == planned


def test_the_plan_has_no_more_trials_than_max_trials(tmp_path):
    tuner = kte.BOHB(build, "val_loss", max_epochs=9, max_trials=4, directory=str(tmp_path))
    rows = tuner.plan()
    assert [(row["epochs"], row["trials"]) for row in rows] == [(1, 4), (3, 1), (9, 1)]
