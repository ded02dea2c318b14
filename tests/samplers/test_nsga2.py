"""NSGA-II suggests children of the trials that are best by front and crowding distance."""

import numpy as np
import pytest

from kt_extras.samplers import NSGA2, TPE, Random
from kt_extras.search import Float, History, Space, State, trial_rng
from kt_extras.testing.problems import branin
from kt_extras.testing.samplers import check_point, toy_spaces
from tests.samplers.several import TWO, finish, history_of, search, volume

SQUARE = Space([Float("x", 0, 1), Float("y", 0, 1)])


def at(number, n=8):
    return {"x": (number + 0.5) / n, "y": (number + 0.5) / n}


def parents(history, sampler, count=300):
    """Return for each child the trials with which it has a coordinate in common."""
    found = set()
    for number in range(count):
        child = sampler.suggest(history, SQUARE, trial_rng(0, number))
        for row, point in enumerate(history.points):
            if child["x"] == point["x"] or child["y"] == point["y"]:
                found.add(row)
    return found


def trials_with(losses, states=None, violations=None):
    states = states or [State.COMPLETED] * len(losses)
    violations = violations or [0.0] * len(losses)
    points = [at(number) for number in range(len(losses))]
    return history_of(zip(points, losses, states, violations, strict=True), SQUARE)


def test_parents_are_of_the_first_fronts():
    history = trials_with([(5, 5), (0, 3), (1, 1), (3, 0), (6, 6), (7, 7)])
    assert parents(history, NSGA2(3, crossover_probability=0.0)) == {1, 2, 3}


def test_crowded_trials_of_the_last_front_are_left_out():
    history = trials_with([(0, 10), (4.9, 5.1), (5, 5), (5.1, 4.9), (10, 0), (2, 8)])
    assert 2 not in parents(history, NSGA2(5, crossover_probability=0.0))


def test_feasible_trials_are_parents_before_infeasible_ones():
    history = trials_with([(0, 0), (5, 5), (6, 4), (1, 1)], violations=[2.0, 0.0, 0.0, 1.0])
    assert parents(history, NSGA2(3, crossover_probability=0.0)) == {1, 2, 3}


def test_running_and_failed_trials_are_no_parents():
    states = [State.RUNNING, State.INFEASIBLE, State.PRUNED, State.COMPLETED, State.PAUSED]
    history = trials_with([(0, 0), (0, 0), (1, 2), (2, 1), (1.5, 1.5)], states)
    assert parents(history, NSGA2(4, crossover_probability=0.0)) == {2, 3, 4}


def test_winner_of_a_tournament_is_the_better_of_two():
    history = trials_with([(0, 0), (1, 1), (2, 2), (3, 3)])
    sampler = NSGA2(4, crossover_probability=0.0, mutations=1.0)
    children = [sampler.suggest(history, SQUARE, trial_rng(0, n)) for n in range(600)]
    of_best = [at(0)["x"] == c["x"] or at(0)["y"] == c["y"] for c in children]
    of_worst = [at(3)["x"] == c["x"] or at(3)["y"] == c["y"] for c in children]
    assert np.mean(of_best) == pytest.approx(1 - (3 / 4) ** 2, abs=0.07)
    assert np.mean(of_worst) == pytest.approx((1 / 4) ** 2, abs=0.05)


def test_first_trials_are_those_of_the_startup_sampler():
    points = [search(sampler, 3, 8).points for sampler in (NSGA2(8), Random())]
    assert list(points[0]) == list(points[1])


@pytest.mark.parametrize("sampler", [NSGA2(4), TPE(n_startup_trials=4)], ids=["NSGA2", "TPE"])
@pytest.mark.parametrize("space", toy_spaces().values(), ids=toy_spaces().keys())
def test_suggestions_are_valid_with_several_objectives(sampler, space):
    history, rng = History(space, goals=TWO), np.random.default_rng(0)
    for number in range(16):
        point = sampler.suggest(history.ranked(), space, trial_rng(0, number))
        check_point(point, space)
        state = State(number % 5)
        history.start(point)
        if state != State.RUNNING:
            violation = float(number % 3 == 0)
            finish(history, number, rng.integers(4, size=2).tolist(), state, violation)


@pytest.mark.parametrize("sampler", [NSGA2(), TPE()], ids=["NSGA2", "TPE"])
def test_hypervolume_is_larger_than_that_of_random_search(sampler):
    ours, random = ([volume(search(s, seed, 60)) for seed in range(3)] for s in (sampler, Random()))
    assert np.median(ours) > np.median(random)
    assert sum(a > b for a, b in zip(ours, random, strict=True)) >= 2


@pytest.mark.parametrize("sampler", [NSGA2(), TPE()], ids=["NSGA2", "TPE"])
def test_later_trials_are_feasible_more_often_than_the_first(sampler):
    history = search(sampler, 0, 60, violation=lambda p: max(0.0, 0.8 - p["y"]))
    feasible = history.violations == 0
    assert feasible[30:].mean() > feasible[:20].mean() + 0.2


def test_points_of_both_ends_of_the_front_are_found():
    for sampler in (NSGA2(), TPE()):
        targets = search(sampler, 1, 80).targets
        assert targets[:, 0].min() < 0.1
        assert targets[:, 1].min() < 0.1


def test_search_with_one_objective_is_better_than_random_search():
    def lowest(sampler, seed):
        problem = branin()
        history = History(problem.space)
        for number in range(60):
            point = sampler.suggest(history, problem.space, trial_rng(seed, number))
            history.finish(history.start(point), State.COMPLETED, problem(point))
        return history.losses.min()

    ours, random = ([lowest(s, seed) for seed in range(7)] for s in (NSGA2(), Random()))
    assert np.median(ours) < np.median(random)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population_size": 1}, "`population_size` must be an integer from 2, got 1"),
        ({"crossover_probability": 1.5}, "`crossover_probability` must lie between 0 and 1"),
        ({"mutations": 0.5}, "`mutations` must be finite and at least 1, got 0.5"),
        ({"startup_sampler": 3}, "`startup_sampler`"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        NSGA2(**arguments)
