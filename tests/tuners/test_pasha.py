"""Searches by progressive halving, with real trainings."""

import inspect

import pytest

import kt_extras as kte
from tests.tuners.preset_arguments import (
    COMMON,
    NO_FOLDS,
    ONE_EXECUTION,
    PRUNER,
    Refused,
    Row,
    check_argument,
)
from tests.tuners.scheduled import build, curves, searched

SAMPLER = kte.samplers.GaussianProcess(n_startup_trials=3)
ROWS = {
    **COMMON,
    "constraints": Refused(["size <= 3"], "at one epoch alone"),
    "max_epochs": Row(9, lambda tuner: tuner.oracle.scheduler.max_epochs),
    "min_epochs": Row(3, lambda tuner: tuner.oracle.scheduler.min_epochs),
    "reduction_factor": Row(2, lambda tuner: tuner.oracle.scheduler.reduction_factor),
    "max_trials": Row(7, lambda tuner: tuner.oracle.max_trials),
    "sampler": Row(SAMPLER, lambda tuner: tuner.oracle.sampler.inner.inner),
    "pruner": PRUNER,
    "cross_validation": NO_FOLDS,
    "executions_per_trial": ONE_EXECUTION,
}


@pytest.mark.parametrize("name", ROWS)
def test_an_argument_has_its_effect_when_it_is_given(name):
    check_argument(kte.PASHA, name, ROWS[name])


def test_every_argument_has_a_row():
    assert set(ROWS) == set(inspect.signature(kte.PASHA).parameters) - {"unknown"}


@pytest.mark.slow
def test_a_search_resumes_what_it_has_paused_and_ends_within_the_open_rungs(tmp_path):
    settings = {"max_epochs": 16, "reduction_factor": 2, "max_trials": 4, "seed": 0}
    tuner = searched(kte.PASHA(build, "val_loss", directory=str(tmp_path), **settings))
    last = tuner.oracle.scheduler.open_part(tuner.oracle.history).max_epochs
    lengths = [len(curve) for curve in curves(tuner).values()]
    assert len(lengths) == 4
    assert max(lengths) == last
    assert tuner.oracle.get_best_trials()[0].score == min(
        min(curve) for curve in curves(tuner).values()
    )
