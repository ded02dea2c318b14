import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.schedulers import Resume, Start, SuccessiveHalving
from kt_extras.schedulers.rungs import NEVER, rungs
from kt_extras.search import History, State
from kt_extras.testing.schedulers import SPACE, SimulatedSearch
from tests.schedulers.searches import by_number, history_of


def paused(*losses, epochs=1):
    history = History(SPACE)
    for loss in losses:
        number = history.start({"x": 0.5})
        for step in range(epochs):
            history.report(number, step, loss)
        history.finish(number, State.PAUSED, loss)
    return history


def test_rungs_equal_those_of_the_paper():
    assert rungs(256, 1, 4) == (1, 4, 16, 64, 256)
    assert rungs(81, 1, 3) == (1, 3, 9, 27, 81)


def test_best_of_three_is_promoted_before_a_fourth_starts():
    halving = SuccessiveHalving(max_epochs=9)
    step = halving.next_step(paused(3.0, 1.0, 2.0), seed=0, may_start=True)
    assert step == Resume(1, 3)


def test_trial_starts_when_two_are_too_few_to_promote_one():
    halving = SuccessiveHalving(max_epochs=9)
    assert halving.next_step(paused(3.0, 1.0), seed=0, may_start=True) == Start(1)


def test_promotion_is_from_the_highest_rung_first():
    history = paused(5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
    for number in (0, 1, 2):
        for step in (1, 2):
            history.report(number, step, 4.0 - number)
    halving = SuccessiveHalving(max_epochs=9)
    assert halving.next_step(history, seed=0, may_start=True) == Resume(2, 9)


def test_best_trial_trains_to_the_end_when_no_more_may_start():
    halving = SuccessiveHalving(max_epochs=27)
    history = history_of(halving, loss=by_number, max_trials=4)
    assert history.epochs[0] == 27
    assert history.states[0] == State.COMPLETED


@pytest.mark.parametrize("workers", [1, 4])
def test_rungs_get_at_least_their_planned_number_of_trials(workers):
    halving = SuccessiveHalving(max_epochs=27)
    history = history_of(halving, loss=by_number, max_trials=27, workers=workers)
    for rung in halving.plan(27):
        assert np.sum(history.epochs >= rung.epochs) >= rung.trials


@given(losses=st.lists(st.floats(0, 1), min_size=9, max_size=9, unique=True))
def test_promoted_trial_is_among_the_best_third_with_one_worker(losses):
    halving = SuccessiveHalving(max_epochs=9)
    steps = SimulatedSearch(halving, loss=lambda n, _: losses[n], max_trials=9).run()
    begun = 0
    for step in steps:
        if isinstance(step, Start):
            begun += 1
        elif step.until == 3 and begun < 9:
            rank = sorted(losses[:begun]).index(losses[step.number])
            assert rank < begun // 3


def test_trial_does_not_pause_when_it_would_be_resumed_at_once():
    history = paused(3.0, 2.0)
    number = history.start({"x": 0.1})
    history.report(number, 0, 1.0)
    halving = SuccessiveHalving(max_epochs=9)
    assert halving.goes_on(history, number, seed=0, may_start=True) == 3


def test_worse_trials_are_pruned_when_stopping():
    halving = SuccessiveHalving(max_epochs=9, mode="stopping")
    search = SimulatedSearch(halving, loss=by_number, max_trials=6)
    steps = search.run()
    history = search.history
    assert all(isinstance(step, Start) for step in steps)
    assert history.epochs.tolist() == [9, 1, 1, 1, 1, 1]
    assert history.states[1] == State.PRUNED


def test_every_rung_halves_again_when_stopping():
    halving = SuccessiveHalving(max_epochs=27, mode="stopping")
    history = history_of(halving, loss=lambda n, epoch: -n + 1 / epoch, max_trials=27)
    assert history.epochs.tolist() == [27] * 27  # each is the best so far
    losses = np.random.default_rng(0).permutation(81)
    history = history_of(halving, loss=lambda n, epoch: losses[n] + 1 / epoch, max_trials=81)
    planned = sum(rung.new_epochs for rung in halving.plan(81))
    assert planned / 1.5 < history.epochs.sum() < planned * 1.5


def test_trials_pruned_in_a_lower_rung_do_not_count():
    history = paused(3.0, 4.0, epochs=3)
    for _ in range(4):
        number = history.start({"x": 0.5})
        history.report(number, 0, 9.0)
        history.finish(number, State.PRUNED, 9.0)
    halving = SuccessiveHalving(max_epochs=9)
    assert halving.next_step(history, seed=0, may_start=True) == Start(1)
    history.report(2, 1, 9.0)  # pruned on its way to the second rung
    assert halving.next_step(history, seed=0, may_start=True) == Resume(0, 9)


def test_state_is_not_needed_when_its_trial_cannot_be_promoted():
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
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        SuccessiveHalving(**arguments)


class Given:
    """Predicts the given losses at the end of training, or nothing."""

    def __init__(self, *ends):
        self.ends = np.array(ends) if ends else None

    def forecast(self, history, rng):
        return self.ends


def promoted(*ends, losses=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)):
    halving = SuccessiveHalving(max_epochs=9, forecaster=Given(*ends))
    history, numbers = paused(*losses), []
    while isinstance(step := halving.next_step(history, seed=0, may_start=True), Resume):
        numbers.append(step.number)
        for epoch in (1, 2):
            history.report(step.number, epoch, losses[step.number])
        if step.until == 9:
            break
    return numbers


def test_forecast_decides_between_trials_with_low_losses():
    assert promoted(9.0, 1.0, 0.5, 8.0, 0.0, 0.0) == [1, 2]


def test_forecast_does_not_promote_a_trial_with_a_high_loss():
    ends = 6.0, 5.0, 4.0, 3.0, 1.0, 2.0  # with all six trials ranked, trial 4 would be the first
    assert promoted(*ends) == [0, 1]


def test_losses_decide_without_a_forecast():
    assert promoted() == [0, 1]


def test_states_are_needed_when_a_forecast_may_promote_the_trials():
    halving = SuccessiveHalving(max_epochs=9, forecaster=Given())
    needed = halving.needed(paused(1.0, 2.0, 3.0, 4.0, 5.0), max_trials=6)
    assert needed.tolist() == [1, 1, 1, 1, NEVER]


@given(losses=st.lists(st.floats(0, 1), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_state_is_needed_when_its_trial_is_promoted(losses, seed):
    ends = np.random.default_rng(seed).random(len(losses))
    halving = SuccessiveHalving(max_epochs=9, forecaster=Given(*ends))
    history = paused(*losses)
    step = halving.next_step(history, seed=0, may_start=False)
    assert halving.needed(history, max_trials=len(losses))[step.number] <= 1
