"""Which sampler makes a suggestion."""

import numpy as np
import pytest

from kt_extras.samplers import TPE, Auto, BayesianOptimization, GaussianProcess
from kt_extras.search import Float, History, Space, State


def history_of(trials, dimensions=2, state=State.COMPLETED):
    history = History(Space([Float(f"x{i}", 0, 1) for i in range(dimensions)]))
    rng = np.random.default_rng(0)
    for _ in range(trials):
        number = history.start(history.space.decode(rng.random(dimensions)))
        history.report(number, 0, float(rng.random()))
        history.finish(number, state, float(rng.random()))
    return history


def chosen(history):
    return Auto().chosen(history, history.space)


@pytest.mark.parametrize("trials", [0, 1, 12, 13])
def test_a_gaussian_process_suggests_two_times_of_three(trials):
    assert chosen(history_of(trials)) == BayesianOptimization(10)


@pytest.mark.parametrize("trials", [2, 14])
def test_tpe_suggests_the_third_time(trials):
    assert chosen(history_of(trials)) == TPE(10)


def test_tpe_suggests_always_in_a_space_of_many_dimensions():
    assert chosen(history_of(12, dimensions=31)) == TPE(10)


def test_curves_are_learnt_from_when_trials_are_paused():
    assert chosen(history_of(14, state=State.PAUSED)) == GaussianProcess(10)


def test_few_startup_trials_are_refused():
    with pytest.raises(ValueError, match="`n_startup_trials` must be an integer from 1"):
        Auto(n_startup_trials=0)
