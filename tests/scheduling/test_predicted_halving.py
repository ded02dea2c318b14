"""What is promoted is what is predicted to end best, and no more of it than a rung may send on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kt_extras.scheduling import Resume, Scheduler, Start
from kt_extras.scheduling.predicted_halving import PredictedHalving
from kt_extras.search import History, State
from tests.scheduling.workers import SPACE, simulate
from tests.search.test_curve_model import slow_and_fast


def by_number(number, epoch):
    """Trial 0 is the best; more epochs help all alike."""
    return number + 1 / epoch


def paused(*losses):
    history = History(SPACE)
    for loss in losses:
        number = history.start({"x": 0.5})
        history.report(number, 0, loss)
        history.finish(number, State.PAUSED, loss)
    return history


def test_it_is_a_scheduler():
    assert isinstance(PredictedHalving(max_epochs=9), Scheduler)


def test_before_there_is_a_model_the_best_of_three_is_promoted():
    halving = PredictedHalving(max_epochs=9)
    assert halving.next_step(paused(3.0, 1.0, 2.0), seed=0, may_start=True) == Resume(1, 3)
    assert halving.next_step(paused(3.0, 1.0), seed=0, may_start=True) == Start(1)


def test_a_slow_starter_is_promoted_once_its_like_have_shown_what_they_can():
    history = slow_and_fast()  # 14 of 40 trials were sent on, 6 fewer than a half
    halving = PredictedHalving(max_epochs=9, reduction_factor=2)
    step = halving.next_step(history, seed=0, may_start=True)
    assert isinstance(step, Resume)
    assert history.points[step.number]["x"] > 0.8
    assert history.best_by(1)[step.number] > np.median(history.best_by(1))


@given(
    losses=st.lists(st.floats(0, 1), min_size=12, max_size=12, unique=True),
    workers=st.sampled_from([1, 3]),
)
@hypothesis_settings(max_examples=10, deadline=None)
def test_a_rung_sends_on_a_third_and_at_least_one(losses, workers):
    halving = PredictedHalving(max_epochs=9, startup_trials=6)
    history, _ = simulate(halving, loss=lambda n, e: losses[n] / e, max_trials=12, workers=workers)
    assert [int(np.sum(history.epochs >= level)) for level in halving.levels] == [12, 4, 1]


@pytest.mark.parametrize("workers", [1, 4])
def test_the_plan_is_what_is_trained(workers):
    halving = PredictedHalving(max_epochs=9)
    history, _ = simulate(halving, loss=by_number, max_trials=12, workers=workers)
    for rung in halving.plan(12):
        assert np.sum(history.epochs >= rung.epochs) == rung.trials


def test_the_search_ends_with_a_trained_model_though_trials_fail():
    halving = PredictedHalving(max_epochs=9)
    history, _ = simulate(halving, loss=by_number, max_trials=6, fails=(0, 3))
    assert State.COMPLETED in history.states
    assert history.epochs.max() == 9


def test_the_same_past_gives_the_same_step():
    history = slow_and_fast()
    halving = PredictedHalving(max_epochs=9, reduction_factor=2)
    steps = {repr(halving.next_step(history, seed=3, may_start=True)) for _ in range(3)}
    assert len(steps) == 1


def test_a_trial_that_would_be_resumed_at_once_does_not_pause():
    history = paused(3.0, 2.0)
    number = history.start({"x": 0.1})
    history.report(number, 0, 1.0)
    halving = PredictedHalving(max_epochs=9)
    assert halving.goes_on(history, number, seed=0, may_start=True) == 3


def test_a_trial_that_ended_by_itself_takes_no_place_in_a_rung():
    history = paused(1.0, 2.0, 3.0)
    history.finish(0, State.COMPLETED, 1.0)
    step = PredictedHalving(max_epochs=9).next_step(history, seed=0, may_start=True)
    assert step == Resume(1, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_epochs": 0}, "`max_epochs` must be an integer from 1, got 0"),
        ({"max_epochs": 9, "reduction_factor": 1}, "`reduction_factor` must be an integer from 2"),
        ({"max_epochs": 9, "startup_trials": 0}, "`startup_trials` must be an integer from 1"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PredictedHalving(**arguments)
