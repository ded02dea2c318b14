"""The arguments of the tuner that chooses its sampler."""

import inspect

import pytest

import kt_extras as kte
from tests.tuners.preset_arguments import COMMON, EXECUTIONS, PRUNER, SCHEDULER, Row, check_argument

ROWS = {
    **COMMON,
    "max_trials": Row(7, lambda tuner: tuner.oracle.max_trials),
    "sampler": Row(kte.samplers.TPE(5), lambda tuner: tuner.oracle.sampler.inner.inner),
    "pruner": PRUNER,
    "scheduler": SCHEDULER,
    "executions_per_trial": EXECUTIONS,
}


@pytest.mark.parametrize("name", ROWS)
def test_an_argument_has_its_effect_when_it_is_given(name):
    check_argument(kte.Search, name, ROWS[name])


def test_every_argument_has_a_row():
    assert set(ROWS) == set(inspect.signature(kte.Search).parameters) - {"unknown"}
