"""The arguments of the tuner of Bayesian optimisation."""

import inspect

import pytest

import kt_extras as kte
from tests.tuners.preset_arguments import COMMON, EXECUTIONS, PRUNER, SCHEDULER, Row, check_argument

ROWS = {
    **COMMON,
    "max_trials": Row(7, lambda tuner: tuner.oracle.max_trials),
    "num_initial_points": Row(4, lambda tuner: tuner.oracle.sampler.inner.inner.n_startup_trials),
    "alpha": Row(0.1, lambda tuner: tuner.oracle.sampler.inner.inner.noise),
    "beta": Row(1.0, lambda tuner: tuner.oracle.sampler.inner.inner.exploration),
    "pruner": PRUNER,
    "scheduler": SCHEDULER,
    "executions_per_trial": EXECUTIONS,
}


@pytest.mark.parametrize("name", ROWS)
def test_an_argument_has_its_effect_when_it_is_given(name):
    check_argument(kte.BayesianOptimization, name, ROWS[name])


def test_every_argument_has_a_row():
    assert set(ROWS) == set(inspect.signature(kte.BayesianOptimization).parameters) - {"unknown"}
