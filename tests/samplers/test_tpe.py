"""TPE learns from trials in all states, searches all branches, and is a pure function."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kt_extras.samplers.branches import branch_of, branches, next_branch, potential
from kt_extras.samplers.random import Random
from kt_extras.samplers.tpe import TPE, _thinned, split_good_bad
from kt_extras.search import (
    Choice,
    Condition,
    Fixed,
    Float,
    History,
    Int,
    Space,
    State,
    trial_rng,
)
from kt_extras.testing.problems import Problem, branin, conditional
from kt_extras.testing.samplers import check_point
from tests import strategies

LINE = Space([Float("x", 0, 1)])
AB = Choice("model", ("a", "b"))
IN_A, IN_B = (Condition("model", ("a",)),), (Condition("model", ("b",)),)
FORK = Space([AB, Float("x", 0, 1, conditions=IN_A), Float("y", 0, 1, conditions=IN_B)])
finished = st.sampled_from([State.COMPLETED, State.PRUNED, State.INFEASIBLE])


def history_of(space, trials):
    """Return a history of (point, state, loss, epochs)."""
    history = History(space)
    for point, state, loss, epochs in trials:
        number = history.start(point)
        for step in range(epochs):
            history.report(number, step, loss)
        if state != State.RUNNING:
            history.finish(number, state, loss)
    return history


def completed(space, pairs):
    return history_of(space, [(point, State.COMPLETED, loss, 0) for point, loss in pairs])


def search(problem, sampler, seed, trials):
    history = History(problem.space)
    for number in range(trials):
        point = sampler.suggest(history, problem.space, trial_rng(seed, number))
        history.finish(history.start(point), State.COMPLETED, problem(point))
    return history


def suggestions(history, *, sampler=None, count=60):
    sampler, space = sampler or TPE(), history.space
    return [sampler.suggest(history, space, trial_rng(0, number)) for number in range(count)]


def valley(space=LINE, trials=20):
    return completed(space, [({"x": x}, (x - 0.3) ** 2) for x in np.linspace(0, 1, trials)])


@st.composite
def histories(draw):
    space = draw(strategies.spaces())
    history = History(space)
    for number in range(draw(st.integers(0, 20))):
        history.start(space.decode(draw(strategies.places(space))))
        if (state := draw(st.sampled_from(State))) != State.RUNNING:
            history.finish(number, state, draw(strategies.losses))
    return history


@given(history=histories(), n_startup_trials=st.integers(1, 5), multivariate=st.booleans())
@hypothesis_settings(max_examples=40)
def test_every_suggestion_is_a_point_of_the_space(history, n_startup_trials, multivariate):
    sampler = TPE(n_startup_trials=n_startup_trials, multivariate=multivariate)
    check_point(sampler.suggest(history, history.space, trial_rng(0, 0)), history.space)


@given(
    states=st.lists(finished, min_size=1, max_size=12),
    losses=st.lists(st.floats(-9, 9), min_size=12, max_size=12),
    quantile=st.floats(0.01, 0.99),
)
def test_no_good_trial_is_worse_than_a_bad_one_of_the_same_state(states, losses, quantile):
    history = history_of(
        LINE, [({"x": 0.5}, s, loss, 1) for s, loss in zip(states, losses, strict=False)]
    )
    good, bad = split_good_bad(history, np.arange(len(states)), quantile=quantile)
    for state in (State.COMPLETED, State.PRUNED):
        best, rest = (history.losses[rows[history.states[rows] == state]] for rows in (good, bad))
        assert max(best, default=-math.inf) <= min(rest, default=math.inf)
    assert sorted([*good, *bad]) == list(range(len(states)))


def test_trials_rank_by_their_state_then_by_their_loss():
    kinds = [
        (State.INFEASIBLE, math.inf, 0),
        (State.PRUNED, 0.1, 2),
        (State.PRUNED, 0.5, 4),
        (State.RUNNING, 0.0, 5),
        (State.COMPLETED, 9.0, 5),
        (State.PRUNED, 0.4, 4),
        (State.COMPLETED, 8.0, 5),
    ]
    history = history_of(LINE, [({"x": 0.5}, *kind) for kind in kinds])
    good, bad = split_good_bad(history, np.arange(7), quantile=0.99)
    assert good.tolist() == [6, 4, 5, 2, 1]
    assert bad.tolist() == [0, 3]


def test_running_trials_do_not_count_for_the_number_of_good_ones():
    trials = [({"x": 0.5}, State.COMPLETED, 1.0, 0)] * 5
    history = history_of(LINE, trials + [({"x": 0.5}, State.RUNNING, 0.0, 0)] * 20)
    good, _ = split_good_bad(history, np.arange(25), quantile=0.2)
    assert len(good) == 1


def test_first_suggestions_cover_the_whole_space():
    xs = [point["x"] for point in suggestions(History(LINE), count=200)]
    assert np.histogram(xs, 4, (0, 1))[0].min() > 25


@pytest.mark.parametrize("ended", [0, 3])
def test_no_trial_counts_twice_when_over_five_hundred_run(ended):
    bad, running = np.arange(550), np.arange(550) >= ended
    assert _thinned(bad, running).tolist() == bad.tolist()
    assert len(set(_thinned(np.arange(999), np.arange(999) >= 600).tolist())) == 500 + 399


@pytest.mark.parametrize("trials", [20, 2000])  # with more than five hundred, bad ones are thinned
def test_suggestions_concentrate_where_losses_are_low(trials):
    xs = np.array([point["x"] for point in suggestions(valley(trials=trials))])
    assert np.median(np.abs(xs - 0.3)) < 0.1


@pytest.mark.parametrize("trials", [20, 2000])
def test_suggestions_are_further_from_a_running_trial(trials):
    history = valley(trials=trials)
    before = np.array([point["x"] for point in suggestions(history, count=60)])
    centre = float(np.median(before))
    for shift in (-0.01, 0.0, 0.01):
        history.start({"x": centre + shift})
    after = np.array([point["x"] for point in suggestions(history, count=60)])
    assert np.mean(np.abs(after - centre)) > 1.1 * np.mean(np.abs(before - centre))


@pytest.mark.parametrize("state", [State.INFEASIBLE, State.COMPLETED])
def test_suggestions_avoid_failures_when_all_trials_failed(state):
    history = history_of(LINE, [({"x": x}, state, math.inf, 0) for x in np.linspace(0.6, 1, 15)])
    xs = np.array([point["x"] for point in suggestions(history)])
    assert np.mean(xs < 0.5) > 0.8


def test_suggestions_concentrate_when_all_trials_were_pruned():
    xs = np.linspace(0, 1, 20)
    history = history_of(LINE, [({"x": x}, State.PRUNED, (x - 0.3) ** 2, 3) for x in xs])
    assert abs(np.median([point["x"] for point in suggestions(history)]) - 0.3) < 0.1


def test_interactions_are_learnt_with_joint_kernels():
    square = Space([Float("x", 0, 1), Float("y", 0, 1)])
    grid = [(x, y) for x in np.linspace(0, 1, 9) for y in np.linspace(0, 1, 9)]
    history = completed(square, [({"x": x, "y": y}, abs(x - y)) for x, y in grid])
    joint, independent = (
        np.mean([abs(p["x"] - p["y"]) for p in suggestions(history, sampler=sampler)])
        for sampler in (TPE(), TPE(multivariate=False))
    )
    assert joint < 0.8 * independent


def test_late_hyperparameter_is_learnt_from_the_trials_that_have_it():
    space = Space([Float("x", 0, 1), Float("late", 0, 1)])
    rng = np.random.default_rng(0)
    old = [({"x": x}, 1.0) for x in rng.random(20)]
    new = [({"x": x, "late": u}, (u - 0.8) ** 2) for x, u in rng.random((20, 2))]
    late = [point["late"] for point in suggestions(completed(space, old + new))]
    assert np.median(np.abs(np.array(late) - 0.8)) < 0.15


def test_every_point_of_a_small_space_is_tried_before_one_is_repeated():
    space = Space([Int("n", 1, 5), Choice("act", ("relu", "tanh")), Fixed("seed", 7)])
    history = History(space)
    for number in range(10):
        point = TPE().suggest(history, space, trial_rng(0, number))
        assert not history.tried(point)
        history.finish(history.start(point), State.COMPLETED, float(point["n"]))


def test_points_are_repeated_after_all_were_tried():
    space = Space([Choice("act", ("relu", "tanh"))])
    history = completed(space, [({"act": "relu"}, 1.0), ({"act": "tanh"}, 0.0)] * 8)
    check_point(TPE().suggest(history, space, trial_rng(0, 0)), space)


def test_searches_are_equal_with_the_same_seed():
    runs = [search(branin(), TPE(), seed=3, trials=25).losses.tolist() for _ in range(2)]
    assert runs[0] == runs[1]


def test_tpe_is_better_than_random_search_on_branin():
    found = {
        sampler: np.median([search(branin(), sampler, s, 50).losses.min() for s in range(5)])
        for sampler in (TPE(), TPE(multivariate=False), Random())
    }
    assert found[TPE()] < found[Random()]
    assert found[TPE(multivariate=False)] < found[Random()]


def test_search_leaves_the_plateau_of_a_cube():
    # A cube hardly changes in its middle.  With Scott's bandwidths 3 of these 10 searches leave it.
    space = Space([Float(name, -1, 1) for name in "abcd"])
    problem = Problem("cube", space, lambda point: _cube(**point), optimum=-3.0)
    found = [search(problem, TPE(), seed, 50).losses.min() for seed in range(40, 50)]
    assert sum(loss < -2.2 for loss in found) >= 6


def _cube(a, b, c, d):
    return a**3 - b**3 - c + abs(d)


def test_best_branch_is_found_though_it_is_worse_on_average():
    runs = [search(conditional(), TPE(), seed, 100) for seed in range(3)]
    assert sum(run.losses.min() < 0.099 for run in runs) >= 2


def test_every_branch_keeps_getting_trials():
    counts = np.zeros(2)
    problem = conditional()
    for point in search(problem, TPE(), 0, 60).points:
        counts[("mlp", "svm").index(point["model"])] += 1
    assert counts.min() >= 15


def test_other_trials_are_ignored_when_branches_have_nothing_in_common():
    a = [({"model": "a", "x": x}, x) for x in np.linspace(0, 1, 20)]
    b = [({"model": "b", "y": y}, 5 + abs(y - 0.7)) for y in np.linspace(0, 1, 20)]
    points = suggestions(completed(FORK, a + b), count=60)
    ys = [p["y"] for p in suggestions(completed(FORK, a * 3 + b), count=60) if "y" in p]
    assert all(("x" in p) == (p["model"] == "a") for p in points)
    assert abs(np.median(ys) - 0.7) < 0.15


def test_branches_are_the_combinations_of_the_values_of_parents():
    deep = Condition("depth", (2, 3))
    space = Space([AB, Int("depth", 1, 3, conditions=IN_A), Float("z", 0, 1, conditions=(deep,))])
    among = branches(space)
    points = [{"model": "b"}, {"model": "a", "depth": 1}]
    points += [{"model": "a", "depth": depth, "z": 0.5} for depth in (2, 3)]
    index = branch_of(np.array([space.encode(point) for point in points]), among)
    assert len(among) == 3
    assert index[2] == index[3]
    assert len(set(index.tolist())) == 3


def test_trial_is_in_no_branch_when_its_parent_is_unknown():
    assert branch_of(np.array([[math.nan, 0.5, math.nan]]), branches(FORK)).tolist() == [-1]


def test_parents_beyond_the_limit_do_not_divide_branches():
    parents = [Choice(f"p{i}", (0, 1)) for i in range(12)]
    children = [Float(f"x{i}", 0, 1, conditions=(Condition(f"p{i}", (1,)),)) for i in range(12)]
    space = Space([*parents, *children])
    assert len(branches(space)) == 64
    history = History(space)
    for number in range(15):
        point = TPE(n_startup_trials=3).suggest(history, space, trial_rng(0, number))
        check_point(point, space)
        history.finish(history.start(point), State.COMPLETED, sum(point.values()))


def test_potential_extrapolates_the_lowest_losses():
    assert potential(np.array([4.0, 1.0, 3.0, 2.0])) == 1.0 - (3.0 - 1.0)
    assert potential(np.array([2.0])) == 2.0
    assert potential(np.array([math.inf])) == math.inf
    assert potential(np.array([-1e308, 1e308])) == -math.inf


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
@hypothesis_settings(max_examples=30)
def test_numbers_of_trials_approach_their_fractions(potentials):
    counts = np.zeros(len(potentials), dtype=np.int64)
    for _ in range(120):
        counts[next_branch(counts, np.array(potentials))] += 1
    fractions = 1 / np.arange(1, len(potentials) + 1)
    expected = 120 * fractions / fractions.sum()
    assert np.abs(np.sort(counts)[::-1] - expected).max() <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_startup_trials": 0}, "`n_startup_trials` must be an integer from 1, got 0"),
        ({"candidates": 0}, "`candidates` must be an integer from 1, got 0"),
        ({"quantile": 1.0}, "`quantile` must lie strictly between 0 and 1, got 1.0"),
        ({"prior_weight": 0.0}, "`prior_weight` must be finite and above 0, got 0.0"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        TPE(**arguments)
