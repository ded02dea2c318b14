"""Stopped and failed trials inform about losses, and losses are compressed and standardised."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.samplers.final_losses import informative, standardised
from kt_extras.search import Float, History, Space, State

SPACE = Space([Float("x", 0, 1)])


def history_of(*trials):
    """Return a history of trials, each a state and the losses of its epochs."""
    history = History(SPACE)
    for state, losses in trials:
        number = history.start({"x": 0.5})
        for step, loss in enumerate(losses):
            history.report(number, step, loss)
        if state != State.RUNNING:
            history.finish(number, state, min(losses, default=math.inf))
    return history


COMPLETED = [(State.COMPLETED, [9.0, 3.0]), (State.COMPLETED, [5.0, 1.0])]


@pytest.mark.parametrize(
    ("trial", "loss"),
    [
        ((State.PRUNED, [7.0]), 2.0),  # between the two after one epoch
        ((State.PAUSED, [99.0]), 3.0),
        ((State.PRUNED, [0.5]), 1.0),
        ((State.PRUNED, []), math.inf),
        ((State.INFEASIBLE, [0.1]), math.inf),
        ((State.PRUNED, [7.0, 6.0, 5.0]), 5.0),  # no other is as long
        ((State.PRUNED, [7.0, 6.0, 0.0]), 2.0),  # no better than the median
    ],
)
def test_stopped_trial_counts_as_those_that_were_as_good(trial, loss):
    trials, losses = informative(history_of(*COMPLETED, trial))
    assert trials.tolist() == [0, 1, 2]
    assert losses[2] == loss


def test_completed_trials_without_a_curve_are_not_compared_with():
    history = history_of(*COMPLETED, (State.PRUNED, [7.0]))
    history.finish(history.start({"x": 0.5}), State.COMPLETED, 1.5)
    assert informative(history)[1].tolist() == [3.0, 1.0, 2.0, 1.5]
    history = history_of((State.PRUNED, [7.0]))
    history.finish(history.start({"x": 0.5}), State.COMPLETED, 1.5)
    assert informative(history)[1].tolist() == [7.0, 1.5]


def test_stopped_trials_keep_their_losses_while_none_is_completed():
    history = history_of((State.PRUNED, [3.0]), (State.PAUSED, [2.0]), (State.RUNNING, [1.0]))
    trials, losses = informative(history)
    assert trials.tolist() == [0, 1]
    assert losses.tolist() == [3.0, 2.0]


@given(losses=st.lists(st.floats(allow_nan=False), min_size=1, max_size=30))
def test_standardised_losses_are_finite_and_in_order(losses):
    losses = np.array([abs(x) if math.isinf(x) else x for x in losses])
    found = standardised(losses)
    assert np.isfinite(found).all()
    order = np.argsort(losses, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


def test_standardised_losses_have_mean_0_and_variance_1():
    found = standardised(np.random.default_rng(0).lognormal(0, 3, 50))
    assert found.mean() == pytest.approx(0, abs=1e-12)
    assert found.std() == pytest.approx(1)


def test_losses_beyond_the_worst_that_matters_count_alike():
    found = standardised(np.array([0.0, 1.0, 2.0, 5.0, 1e300, math.inf]))
    assert found[4] == found[5] > found[3] or found[3] == found[4] == found[5]


def test_losses_count_alike_where_their_distance_from_the_best_overflows():
    found = standardised(np.array([0.0, 1e-12, 1e-12, 1e300, math.inf]))
    assert found[0] < found[1] == found[2] < found[3] == found[4]


@pytest.mark.parametrize("losses", [[2.0] * 5, [math.inf] * 3, [2.0, 2.0, math.inf], [1.0]])
def test_equal_losses_say_nothing(losses):
    found = standardised(np.array(losses))
    assert len({float(x) for x, loss in zip(found, losses, strict=True) if loss == 2.0}) <= 1
    assert np.isfinite(found).all()


def test_better_half_is_told_apart_where_most_losses_equal_the_best():
    found = standardised(np.array([0.0] * 8 + [1.0, 2.0]))
    assert found[0] < found[8] < found[9] or found[0] < found[8] == found[9]
