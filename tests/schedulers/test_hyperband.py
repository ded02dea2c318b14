import numpy as np
import pytest

from kt_extras.schedulers import Hyperband
from kt_extras.schedulers.rungs import NEVER
from kt_extras.search import State
from tests.schedulers.test_successive_halving import by_number
from tests.schedulers.workers import simulate


def trained(history, bracket):
    """Return how many trials of a bracket reached each number of epochs, counted once each."""
    epochs = history.epochs[history.brackets == bracket]
    return dict(zip(*np.unique(epochs, return_counts=True), strict=True))


def test_the_brackets_are_those_of_the_papers_table():
    """Li et al. 2018, table 1: R = 81, eta = 3."""
    brackets = Hyperband(max_epochs=81, reduction_factor=3).brackets
    assert [bracket.sizes[0] for bracket in brackets] == [81, 34, 15, 8, 5]
    assert [bracket.levels[0] for bracket in brackets] == [1, 3, 9, 27, 81]
    assert brackets[0].sizes == (81, 27, 9, 3, 1)


@pytest.mark.parametrize("workers", [1, 3, 10])
def test_every_rung_gets_as_many_trials_as_planned(workers):
    hyperband = Hyperband(max_epochs=9)
    history, _ = simulate(hyperband, loss=by_number, workers=workers)
    for rung in hyperband.plan(None):
        epochs = history.epochs[history.brackets == rung.bracket]
        assert np.sum(epochs >= rung.epochs) == rung.trials


def test_the_best_of_each_rung_go_on():
    history, _ = simulate(Hyperband(max_epochs=9), loss=lambda n, _: -n)
    assert history.epochs[:9].tolist() == [1, 1, 1, 1, 1, 1, 3, 3, 9]


def test_a_failed_trial_is_replaced():
    history, _ = simulate(Hyperband(max_epochs=9), loss=by_number, fails={0, 4})
    living = history.states != State.INFEASIBLE
    assert np.sum(living & (history.brackets == 0)) == 9
    assert trained(history, 0) == {0: 2, 1: 6, 3: 2, 9: 1}


def test_iterations_repeat_all_brackets():
    once, _ = simulate(Hyperband(max_epochs=9), loss=by_number)
    twice, _ = simulate(Hyperband(max_epochs=9, iterations=2), loss=by_number)
    assert len(twice) == 2 * len(once)


def test_a_bracket_that_cannot_be_filled_halves_what_it_has():
    history, _ = simulate(Hyperband(max_epochs=9), loss=by_number, max_trials=5)
    assert trained(history, 0) == {1: 4, 9: 1}


@pytest.mark.parametrize("max_trials", [1, 4, 9, 12, 100])
def test_the_plan_is_what_max_trials_leaves_of_the_brackets(max_trials):
    hyperband = Hyperband(max_epochs=9)
    history, _ = simulate(hyperband, loss=by_number, max_trials=max_trials)
    plan = hyperband.plan(max_trials)
    assert sum(rung.new_epochs for rung in plan) == history.epochs.sum()
    for rung in plan:
        epochs = history.epochs[history.brackets == rung.bracket]
        assert np.sum(epochs >= rung.epochs) == rung.trials


def test_other_workers_begin_the_next_bracket_rather_than_wait():
    hyperband = Hyperband(max_epochs=9)
    _, steps = simulate(hyperband, loss=by_number, workers=10)
    assert steps[9].bracket == 1


def test_when_a_bracket_is_done_its_states_are_not_needed():
    hyperband = Hyperband(max_epochs=9)
    history, _ = simulate(hyperband, loss=by_number)
    assert set(hyperband.needed(history, max_trials=None)) == {NEVER}
    history.restart(int(np.flatnonzero(history.epochs == 9)[0]), kept=3)
    assert (hyperband.needed(history, max_trials=None)[:9] < NEVER).all()
