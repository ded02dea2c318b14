import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.schedulers import Resume, Start, SuccessiveHalving
from kt_extras.schedulers.rungs import NEVER, rungs
from kt_extras.search import History, State
from tests.schedulers.workers import SPACE, simulate


def by_number(number, epoch):
    """Trial 0 is the best; more epochs help all alike."""
    return number + 1 / epoch


def paused(*losses, epochs=1):
    history = History(SPACE)
    for loss in losses:
        number = history.start({"x": 0.5})
        for step in range(epochs):
            history.report(number, step, loss)
        history.finish(number, State.PAUSED, loss)
    return history


def test_the_rungs_are_those_of_the_paper():
    assert rungs(256, 1, 4) == (1, 4, 16, 64, 256)
    assert rungs(81, 1, 3) == (1, 3, 9, 27, 81)


def test_the_best_of_three_is_promoted_before_a_fourth_begins():
    halving = SuccessiveHalving(max_epochs=9)
    step = halving.next_step(paused(3.0, 1.0, 2.0), seed=0, may_start=True)
    assert step == Resume(1, 3)


def test_two_trials_are_too_few_to_promote_one():
    halving = SuccessiveHalving(max_epochs=9)
    assert halving.next_step(paused(3.0, 1.0), seed=0, may_start=True) == Start(1)


def test_the_highest_rung_comes_first():
    history = paused(5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
    for number in (0, 1, 2):
        for step in (1, 2):
            history.report(number, step, 4.0 - number)
    halving = SuccessiveHalving(max_epochs=9)
    assert halving.next_step(history, seed=0, may_start=True) == Resume(2, 9)


def test_when_no_more_trials_may_begin_the_best_one_is_trained_to_the_end():
    halving = SuccessiveHalving(max_epochs=27)
    history, _ = simulate(halving, loss=by_number, max_trials=4)
    assert history.epochs[0] == 27
    assert history.states[0] == State.COMPLETED


@pytest.mark.parametrize("workers", [1, 4])
def test_the_plan_is_the_least_that_is_trained(workers):
    halving = SuccessiveHalving(max_epochs=27)
    history, _ = simulate(halving, loss=by_number, max_trials=27, workers=workers)
    for rung in halving.plan(27):
        assert np.sum(history.epochs >= rung.epochs) >= rung.trials


@given(losses=st.lists(st.floats(0, 1), min_size=9, max_size=9, unique=True))
def test_with_one_worker_a_promoted_trial_was_among_the_best_third(losses):
    halving = SuccessiveHalving(max_epochs=9)
    _, steps = simulate(halving, loss=lambda n, _: losses[n], max_trials=9)
    begun = 0
    for step in steps:
        if isinstance(step, Start):
            begun += 1
        elif step.until == 3 and begun < 9:
            rank = sorted(losses[:begun]).index(losses[step.number])
            assert rank < begun // 3


def test_a_trial_that_would_be_resumed_at_once_does_not_pause():
    history = paused(3.0, 2.0)
    number = history.start({"x": 0.1})
    history.report(number, 0, 1.0)
    halving = SuccessiveHalving(max_epochs=9)
    assert halving.goes_on(history, number, seed=0, may_start=True) == 3


def test_stopping_lets_the_first_trial_go_on_and_prunes_the_worse():
    halving = SuccessiveHalving(max_epochs=9, mode="stopping")
    history, steps = simulate(halving, loss=by_number, max_trials=6)
    assert all(isinstance(step, Start) for step in steps)
    assert history.epochs.tolist() == [9, 1, 1, 1, 1, 1]
    assert history.states[1] == State.PRUNED


def test_the_state_of_a_trial_that_cannot_be_promoted_any_more_is_not_needed():
    halving = SuccessiveHalving(max_epochs=3)
    needed = halving.needed(paused(1.0, 2.0, 3.0, 4.0), max_trials=6)
    assert needed.tolist() == [1, 1, NEVER, NEVER]
    assert halving.needed(paused(1.0, 2.0, 3.0, 4.0), max_trials=None).tolist() == [1, 1, 1, 1]


def test_failed_trials_do_not_count_in_a_rung():
    history = paused(3.0, 1.0, 2.0)
    history.finish(0, State.INFEASIBLE, np.inf)
    halving = SuccessiveHalving(max_epochs=9)
    assert halving.next_step(history, seed=0, may_start=True) == Start(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_epochs": 0}, "`max_epochs` must be an integer from 1, got 0"),
        ({"max_epochs": 9, "min_epochs": 10}, "`min_epochs` must not be above `max_epochs`"),
        ({"max_epochs": 9, "reduction_factor": 1}, "`reduction_factor` must be an integer from 2"),
        ({"max_epochs": 9, "mode": "halting"}, "`mode` must be 'promotion' or 'stopping'"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SuccessiveHalving(**arguments)


class Foresight:
    """Knows how each trial would end, or that it is too early to say so."""

    def __init__(self, *ends):
        self.ends = np.array(ends) if ends else None

    def forecast(self, history, rng):
        return self.ends


def promoted(*ends, losses=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)):
    halving = SuccessiveHalving(max_epochs=9, forecaster=Foresight(*ends))
    history, numbers = paused(*losses), []
    while isinstance(step := halving.next_step(history, seed=0, may_start=True), Resume):
        numbers.append(step.number)
        for epoch in (1, 2):
            history.report(step.number, epoch, losses[step.number])
        if step.until == 9:
            break
    return numbers


def test_a_forecast_decides_between_those_whose_losses_are_low():
    assert promoted(9.0, 1.0, 0.5, 8.0, 0.0, 0.0) == [1, 2]


def test_a_forecast_does_not_lift_whose_loss_is_high():
    ends = 6.0, 5.0, 4.0, 3.0, 1.0, 2.0  # by the sum of places over all six trial 4 is the first
    assert promoted(*ends) == [0, 1]


def test_without_a_forecast_yet_losses_decide():
    assert promoted() == [0, 1]


def test_the_states_of_all_that_a_forecast_may_still_choose_are_needed():
    halving = SuccessiveHalving(max_epochs=9, forecaster=Foresight())
    needed = halving.needed(paused(1.0, 2.0, 3.0, 4.0, 5.0), max_trials=6)
    assert needed.tolist() == [1, 1, 1, 1, NEVER]


@given(losses=st.lists(st.floats(0, 1), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_what_is_promoted_is_needed(losses, seed):
    ends = np.random.default_rng(seed).random(len(losses))
    halving = SuccessiveHalving(max_epochs=9, forecaster=Foresight(*ends))
    history = paused(*losses)
    step = halving.next_step(history, seed=0, may_start=False)
    assert halving.needed(history, max_trials=len(losses))[step.number] <= 1
