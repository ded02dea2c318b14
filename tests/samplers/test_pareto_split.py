"""The good trials with several objectives: by front, then by what they add to the hypervolume."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.samplers.pareto_split import contribution_weights, merits
from kt_extras.samplers.tpe import split_good_bad
from kt_extras.search import State
from kt_extras.search.pareto import non_dominated_fronts
from tests.samplers.several import history_of


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 3), st.integers(0, 20))
def test_exactly_the_good_trials_come_first(seed, n, m, n_good):
    rng = np.random.default_rng(seed)
    losses, violations = rng.integers(4, size=(n, m)), rng.choice([0.0, 0.0, 1.0, 2.0], size=n)
    keys, fronts = merits(losses, violations, n_good), non_dominated_fronts(losses, violations)
    assert np.floor(keys).tolist() == fronts.tolist()
    n_good = min(n_good, n)
    if 0 < n_good < n:
        ordered = np.sort(keys)
        assert ordered[n_good - 1] < ordered[n_good] or ordered[n_good] == ordered[-1]


def test_trials_spread_over_the_divided_front_are_good():
    losses = np.array([[0, 10.0], [0.1, 9.9], [0.2, 9.8], [5, 5], [9.9, 0.1], [10, 0]])
    chosen = np.flatnonzero(merits(losses, np.zeros(6), 3) == 0)
    assert len(chosen) == 3
    assert 3 in chosen
    assert min(chosen) < 3 < max(chosen)


def test_scale_of_an_objective_does_not_matter():
    rng = np.random.default_rng(0)
    losses = rng.random((30, 2))
    scaled = losses * [1e6, 1e-3] + [5.0, -7.0]
    assert merits(scaled, np.zeros(30), 6).tolist() == merits(losses, np.zeros(30), 6).tolist()
    weights = contribution_weights(losses, np.zeros(30))
    assert contribution_weights(scaled, np.zeros(30)) == pytest.approx(weights)


def test_weights_have_the_mean_1_and_are_largest_on_the_front():
    rng = np.random.default_rng(0)
    losses = rng.random((20, 2))
    weights, fronts = contribution_weights(losses, np.zeros(20)), non_dominated_fronts(losses)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[fronts == 0].max() == weights.max()
    assert (weights[fronts > 0] == weights.min()).all()


def test_feasible_completed_trials_are_good_before_all_others():
    point = {"x": 0.0, "y": 0.5, "z": 0.5}
    trials = [
        (point, (0.0, 0.0), State.PRUNED, 0.0),
        (point, (0.0, 0.0), State.COMPLETED, 1.0),
        (point, (0.0, 0.0), State.INFEASIBLE, 0.0),
        (point, (3.0, 3.0), State.COMPLETED, 0.0),
        (point, None, State.RUNNING, 0.0),
    ]
    history = history_of(trials)
    orders = [
        split_good_bad(history, np.arange(5), quantile=q)[0].tolist() for q in (0.2, 0.5, 0.7)
    ]
    assert orders == [[3], [3, 1], [3, 1, 0]]


def test_trials_that_are_all_alike_have_equal_weights():
    assert contribution_weights(np.ones((4, 2)), np.zeros(4)).tolist() == [1.0] * 4
    assert contribution_weights(np.empty((0, 2)), np.empty(0)).tolist() == []
