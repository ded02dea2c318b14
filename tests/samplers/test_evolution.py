"""Evolution breeds from the best of the latest trials, and is a pure function."""

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


def told(trials, space=SQUARE):
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
    """Return for each child the trial that it shares a coordinate with; -1 if with none."""
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
def test_the_population_is_the_last_that_have_ended(states, size):
    history = told([({"x": 0.5, "y": 0.5}, state, 1.0) for state in states])
    expected = [i for i, state in enumerate(states) if state != State.RUNNING][-size:]
    assert population(history, size).tolist() == expected


def test_the_first_trials_are_the_startup_samplers():
    sampler = Evolution(8, startup_sampler=Sobol(seed=3))
    points = [search(branin(), s, 0, 8).points for s in (sampler, Sobol(seed=3))]
    assert points[0] == points[1]


def test_the_best_is_a_parent_as_often_as_the_size_of_the_tournament_says():
    history = told(diagonal([3.0, 1.0, 4.0, 2.0]))
    found = parents(history, Evolution(4, 2, crossover_probability=0.0), count=2000)
    # Both of two draws miss the best with (3/4)**2; both hit the worst with (1/4)**2.
    assert np.mean(found == 1) == pytest.approx(1 - (3 / 4) ** 2, abs=0.03)
    assert np.mean(found == 2) == pytest.approx((1 / 4) ** 2, abs=0.02)
    assert -1 not in found


def test_the_oldest_die_however_good_they_are():
    history = told(diagonal([0.0] * 4 + [5.0, 6.0, 7.0, 8.0]))
    assert set(parents(history, Evolution(4))) == {4, 5, 6, 7}


def test_a_pruned_or_paused_trial_may_be_a_parent_and_a_failed_one_never_is():
    states = (State.PRUNED, State.COMPLETED, State.INFEASIBLE, State.PAUSED)
    losses = (1.0, 9.0, math.inf, 2.0)
    trials = [(p, s, x) for (p, _, _), s, x in zip(diagonal(losses), states, losses, strict=True)]
    assert set(parents(told(trials), Evolution(4, 2))) == {0, 1, 3}


def test_running_trials_are_not_waited_for():
    running = diagonal([0.0] * 3, state=State.RUNNING)
    history = told(diagonal([1.0, 2.0, 3.0, 4.0]) + [(p, s, 0.0) for p, s, _ in running])
    assert set(parents(history, Evolution(4, 1))) == {0, 1, 2, 3}


def test_a_population_that_has_failed_altogether_is_replaced():
    history = told(diagonal([math.inf] * 12, state=State.INFEASIBLE))
    points = children(history, Evolution(4), count=20)
    assert points == children(history, Random(), count=20)


def test_one_that_works_among_failures_is_found():
    history = told([*diagonal([math.inf] * 19), ({"x": 0.33, "y": 0.44}, State.COMPLETED, 1.0)])
    assert set(parents(history, Evolution(20, 1), count=50)) == {19}


def test_crossover_puts_together_what_two_parents_have():
    space = Space([Choice(f"c{i}", tuple("pqr")) for i in range(10)])
    points = [dict.fromkeys(space.names, value) for value in "pq"]
    history = told([(point, State.COMPLETED, 1.0) for point in points], space)
    alone, together = (
        [list(child.values()).count("p") in range(2, 9) for child in children(history, sampler)]
        for sampler in (Evolution(2, 1, 0.0), Evolution(2, 1, 1.0))
    )
    assert not any(alone)  # one mutation leaves 9 or 10 of one kind
    assert 0.4 < np.mean(together) < 0.6  # half of the couples have one parent twice


def test_the_same_seed_gives_the_same_search():
    runs = [search(branin(), Evolution(), 3, 40).losses.tolist() for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_search_of_two_workers_goes_on_after_a_cut_as_it_would_have():
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


def test_everything_in_a_small_space_is_tried():
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
        ({"mutations": "a"}, "`mutations` must be at least 1, got 'a'"),
        ({"scales": 0.1}, "`scales` must be two numbers above 0"),
        ({"scales": ("a", "b")}, "`scales` must be two numbers above 0"),
        ({"mutations": 0.5}, "`mutations` must be at least 1, got 0.5"),
        ({"scales": (0.0, 0.1)}, "`scales` must be two numbers above 0"),
        ({"scales": (0.2, 0.1)}, r"the smaller one first, got \(0.2, 0.1\)"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Evolution(**arguments)
