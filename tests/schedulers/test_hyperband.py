import numpy as np
import pytest

from kt_extras.schedulers import Hyperband
from kt_extras.schedulers.rungs import NEVER
from kt_extras.search import State
from kt_extras.testing.schedulers import SimulatedSearch
from tests.schedulers.searches import by_number, history_of


def trained(history, bracket):
    """Return the number of trials of a bracket by the number of epochs that they trained."""
    epochs = history.epochs[history.brackets == bracket]
    return dict(zip(*np.unique(epochs, return_counts=True), strict=True))


def test_brackets_equal_those_of_the_table_of_the_paper():
    """Li et al. 2018, table 1: R = 81, eta = 3."""
    brackets = Hyperband(max_epochs=81, reduction_factor=3).brackets
    assert [bracket.sizes[0] for bracket in brackets] == [81, 34, 15, 8, 5]
    assert [bracket.levels[0] for bracket in brackets] == [1, 3, 9, 27, 81]
    assert brackets[0].sizes == (81, 27, 9, 3, 1)


@pytest.mark.parametrize("workers", [1, 3, 10])
def test_every_rung_that_is_rounded_up_gets_its_planned_number_of_trials(workers):
    hyperband = Hyperband(max_epochs=10, rounding="up")
    history = history_of(hyperband, loss=by_number, workers=workers)
    for rung in hyperband.plan(None):
        epochs = history.epochs[history.brackets == rung.bracket]
        assert np.sum(epochs >= rung.epochs) == rung.trials


def test_brackets_are_repeated_until_max_trials_without_iterations():
    once = Hyperband(max_epochs=9).plan(None)
    history = history_of(Hyperband(max_epochs=9, iterations=None), loss=by_number, max_trials=60)
    assert len(history) == 60
    assert history.brackets.max() > max(rung.bracket for rung in once)


def test_there_is_no_plan_without_iterations_and_max_trials():
    endless = Hyperband(max_epochs=9, iterations=None)
    assert list(endless.plan(None)) == []
    assert sum(rung.trials for rung in endless.plan(20) if rung.epochs == 1) == 9 + 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"iterations": 0}, "`iterations` must be an integer from 1, got 0; or pass None"),
        ({"rounding": "even"}, "`rounding` must be 'down' or 'up', got 'even'"),
        ({"rounding": "up", "min_epochs": 2}, "`min_epochs` must be 1 .* got 2"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Hyperband(max_epochs=9, **arguments)


@pytest.mark.parametrize("workers", [1, 3, 10])
def test_every_rung_gets_its_planned_number_of_trials(workers):
    hyperband = Hyperband(max_epochs=9)
    history = history_of(hyperband, loss=by_number, workers=workers)
    for rung in hyperband.plan(None):
        epochs = history.epochs[history.brackets == rung.bracket]
        assert np.sum(epochs >= rung.epochs) == rung.trials


def test_best_trials_of_each_rung_are_promoted():
    history = history_of(Hyperband(max_epochs=9), loss=lambda n, _: -n)
    assert history.epochs[:9].tolist() == [1, 1, 1, 1, 1, 1, 3, 3, 9]


def test_failed_trials_are_replaced():
    history = history_of(Hyperband(max_epochs=9), loss=by_number, fails={0: 1, 4: 1})
    feasible = history.states != State.INFEASIBLE
    assert np.sum(feasible & (history.brackets == 0)) == 9
    assert trained(history, 0) == {0: 2, 1: 6, 3: 2, 9: 1}


def test_all_brackets_are_repeated_with_two_iterations():
    once = history_of(Hyperband(max_epochs=9), loss=by_number)
    twice = history_of(Hyperband(max_epochs=9, iterations=2), loss=by_number)
    assert len(twice) == 2 * len(once)


def test_bracket_is_halved_from_fewer_trials_at_max_trials():
    history = history_of(Hyperband(max_epochs=9), loss=by_number, max_trials=5)
    assert trained(history, 0) == {1: 4, 9: 1}


@pytest.mark.parametrize("max_trials", [1, 4, 9, 12, 100])
def test_plan_equals_the_search_with_max_trials(max_trials):
    hyperband = Hyperband(max_epochs=9)
    history = history_of(hyperband, loss=by_number, max_trials=max_trials)
    plan = hyperband.plan(max_trials)
    assert sum(rung.new_epochs for rung in plan) == history.epochs.sum()
    for rung in plan:
        epochs = history.epochs[history.brackets == rung.bracket]
        assert np.sum(epochs >= rung.epochs) == rung.trials


def test_next_bracket_begins_while_other_workers_train_the_first():
    hyperband = Hyperband(max_epochs=9)
    steps = SimulatedSearch(hyperband, loss=by_number, workers=10).run()
    assert steps[9].bracket == 1


def test_states_are_not_needed_when_their_bracket_is_done():
    hyperband = Hyperband(max_epochs=9)
    history = history_of(hyperband, loss=by_number)
    assert set(hyperband.needed(history, max_trials=None)) == {NEVER}
    history.restart(int(np.flatnonzero(history.epochs == 9)[0]), kept=3)
    assert (hyperband.needed(history, max_trials=None)[:9] < NEVER).all()
