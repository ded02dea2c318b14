"""Evolution suggests children of the best of the latest trials, and is a pure function."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kt_extras.samplers.evolution import Evolution, population
from kt_extras.samplers.exhaustive import Exhaustive
from kt_extras.samplers.random import Random
from kt_extras.samplers.sobol import Sobol
from kt_extras.search import Choice, Float, History, Int, Space, State, trial_rng
from kt_extras.testing.problems import Problem, branin, hartmann6
from kt_extras.testing.samplers import check_point
from tests import strategies

SQUARE = Space([Float("x", 0, 1), Float("y", 0, 1)])


def history_of(trials, space=SQUARE):
    """Return a history of (point, state, loss)."""
    history = History(space)
    for point, state, loss in trials:
        number = history.start(point)
        if state != State.RUNNING:
            history.finish(number, state, loss)
    return history


def diagonal(losses, *, state=State.COMPLETED):
    """Return trials at (0, 0), (1/n, 1/n), ... with these losses."""
    n = len(losses)
    return [({"x": i / n, "y": i / n}, state, loss) for i, loss in enumerate(losses)]


def children(history, sampler, count=400):
    return [sampler.suggest(history, history.space, trial_rng(0, n)) for n in range(count)]


def parents(history, sampler, count=400):
    """Return for each child the trial with which it has a coordinate in common; -1 for none."""
    points = [(p["x"], p["y"]) for p in history.points]
    found = []
    for child in children(history, sampler, count):
        shared = [i for i, (x, y) in enumerate(points) if child["x"] == x or child["y"] == y]
        found.append(shared[0] if shared else -1)
    return np.array(found)


def search(problem, sampler, seed, trials):
    history = History(problem.space)
    for number in range(trials):
        point = sampler.suggest(history, problem.space, trial_rng(seed, number))
        history.finish(history.start(point), State.COMPLETED, problem(point))
    return history


def kinds():
    """Return a problem with a hyperparameter of every kind: all should be at their third value."""
    space = Space(
        [
            Choice("act", tuple("abcdef")),
            Choice("batch", (8, 16, 32, 64, 128, 256), ordered=True),
            Int("units", 1, 100),
            Float("rate", 1e-5, 1e-1, sampling="log"),
        ]
    )

    def loss(point):
        away = [abs(point["units"] - 60) / 20, abs(math.log10(point["rate"]) + 3)]
        return (point["act"] != "c") + abs(math.log2(point["batch"] / 32)) + sum(away)

    return Problem("kinds", space, loss, optimum=0.0)


@st.composite
def histories(draw):
    space = draw(strategies.spaces())
    history = History(space)
    for number in range(draw(st.integers(0, 12))):
        history.start(space.decode(draw(strategies.places(space))))
        if (state := draw(st.sampled_from(State))) != State.RUNNING:
            history.finish(number, state, draw(strategies.losses))
    return history


@given(history=histories(), size=st.integers(2, 8), crossover=st.floats(0, 1))
@hypothesis_settings(max_examples=40)
def test_every_suggestion_is_a_point_of_the_space(history, size, crossover):
    sampler = Evolution(size, crossover_probability=crossover, mutations=1.5)
    check_point(sampler.suggest(history, history.space, trial_rng(0, 0)), history.space)


@given(st.lists(st.sampled_from(State), max_size=12), st.integers(2, 8))
def test_population_is_the_last_trials_that_have_ended(states, size):
    history = history_of([({"x": 0.5, "y": 0.5}, state, 1.0) for state in states])
    expected = [i for i, state in enumerate(states) if state != State.RUNNING][-size:]
    assert population(history, size).tolist() == expected


def test_first_suggestions_are_those_of_the_startup_sampler():
    sampler = Evolution(8, startup_sampler=Sobol(seed=3))
    points = [search(branin(), s, 0, 8).points for s in (sampler, Sobol(seed=3))]
    assert points[0] == points[1]


def test_frequency_of_parents_follows_from_the_tournament_size():
    history = history_of(diagonal([3.0, 1.0, 4.0, 2.0]))
    found = parents(history, Evolution(4, 2, crossover_probability=0.0), count=2000)
    # Both of two draws miss the best with (3/4)**2; both hit the worst with (1/4)**2.
    assert np.mean(found == 1) == pytest.approx(1 - (3 / 4) ** 2, abs=0.03)
    assert np.mean(found == 2) == pytest.approx((1 / 4) ** 2, abs=0.02)
    assert -1 not in found


def test_oldest_trials_leave_the_population_even_if_best():
    history = history_of(diagonal([0.0] * 4 + [5.0, 6.0, 7.0, 8.0]))
    assert set(parents(history, Evolution(4))) == {4, 5, 6, 7}


def test_pruned_and_paused_trials_are_parents_and_failed_ones_are_not():
    states = (State.PRUNED, State.COMPLETED, State.INFEASIBLE, State.PAUSED)
    losses = (1.0, 9.0, math.inf, 2.0)
    trials = [(p, s, x) for (p, _, _), s, x in zip(diagonal(losses), states, losses, strict=True)]
    assert set(parents(history_of(trials), Evolution(4, 2))) == {0, 1, 3}


def test_running_trials_are_ignored():
    running = diagonal([0.0] * 3, state=State.RUNNING)
    history = history_of(diagonal([1.0, 2.0, 3.0, 4.0]) + [(p, s, 0.0) for p, s, _ in running])
    assert set(parents(history, Evolution(4, 1))) == {0, 1, 2, 3}


def test_startup_sampler_is_asked_when_the_whole_population_failed():
    history = history_of(diagonal([math.inf] * 12, state=State.INFEASIBLE))
    points = children(history, Evolution(4), count=20)
    assert points == children(history, Random(), count=20)


def test_parent_is_the_only_member_that_did_not_fail():
    history = history_of(
        [*diagonal([math.inf] * 19), ({"x": 0.33, "y": 0.44}, State.COMPLETED, 1.0)]
    )
    assert set(parents(history, Evolution(20, 1), count=50)) == {19}


def test_child_combines_coordinates_of_two_parents_after_crossover():
    space = Space([Choice(f"c{i}", tuple("pqr")) for i in range(10)])
    points = [dict.fromkeys(space.names, value) for value in "pq"]
    history = history_of([(point, State.COMPLETED, 1.0) for point in points], space)
    alone, together = (
        [list(child.values()).count("p") in range(2, 9) for child in children(history, sampler)]
        for sampler in (Evolution(2, 1, 0.0), Evolution(2, 1, 1.0))
    )
    assert not any(alone)  # one mutation leaves 9 or 10 of one kind
    assert 0.4 < np.mean(together) < 0.6  # half of the couples have one parent twice


def test_searches_are_equal_with_the_same_seed():
    runs = [search(branin(), Evolution(), 3, 40).losses.tolist() for _ in range(2)]
    assert runs[0] == runs[1]


def test_search_of_two_workers_continues_unchanged_after_a_reload():
    def run(history, trials):
        while len(history) < trials:
            number = len(history)
            history.start(Evolution(6).suggest(history, SQUARE, trial_rng(0, number)))
            if number >= 1:  # the other worker's trial ends
                point = history.points[number - 1]
                history.finish(number - 1, State.COMPLETED, point["x"] + point["y"])
        return list(history.points)

    whole = run(History(SQUARE), 30)
    cut = History(SQUARE)
    for number, point in enumerate(whole[:17]):
        cut.start(point)
        if number < 16:
            cut.finish(number, State.COMPLETED, point["x"] + point["y"])
    assert run(cut, 30) == whole


def test_every_point_of_a_small_space_is_tried():
    space = Space([Int("n", 1, 5), Choice("act", ("relu", "tanh"))])
    problem = Problem("small", space, lambda point: float(point["n"]), optimum=1.0)
    points = search(problem, Exhaustive(Evolution(4)), 0, 10).points
    assert len({tuple(point.items()) for point in points}) == 10


@pytest.mark.parametrize("problem", [branin(), hartmann6(), kinds()], ids=lambda p: p.name)
def test_evolution_is_better_than_random_search(problem):
    ours, random = (
        [search(problem, sampler, seed, 80).losses.min() for seed in range(9)]
        for sampler in (Evolution(), Random())
    )
    assert np.median(ours) < np.median(random)
    assert sum(a < b for a, b in zip(ours, random, strict=True)) >= 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population_size": 1}, "`population_size` must be an integer from 2, got 1"),
        ({"population_size": "a"}, "`population_size` must be an integer from 2, got 'a'"),
        ({"population_size": 4.5}, "`population_size` must be an integer from 2, got 4.5"),
        ({"tournament_size": 0}, "`tournament_size` must be an integer between 1 and .*, 20, got"),
        ({"tournament_size": "a"}, "`tournament_size` must be an integer between 1 .* got 'a'"),
        ({"tournament_size": 21}, "got 21"),
        ({"crossover_probability": 1.1}, "`crossover_probability` must lie between 0 and 1"),
        ({"crossover_probability": "a"}, "`crossover_probability` must lie between 0 and 1"),
        ({"mutations": "a"}, "`mutations` must be finite and at least 1, got 'a'"),
        ({"scales": 0.1}, "`scales` must be two numbers above 0"),
        ({"scales": ("a", "b")}, "`scales` must be two numbers above 0"),
        ({"mutations": 0.5}, "`mutations` must be finite and at least 1, got 0.5"),
        ({"scales": (0.0, 0.1)}, "`scales` must be two numbers above 0"),
        ({"scales": (0.2, 0.1)}, r"the smaller one first, got \(0.2, 0.1\)"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        Evolution(**arguments)
