"""CMA-ES draws from the distribution of the library, whatever the order in which trials end."""

import math
import sys

import cmaes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats

from kt_extras.samplers.cmaes import CMAES
from kt_extras.samplers.random import Random
from kt_extras.search import (
    Boolean,
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
from kt_extras.testing.problems import branin
from kt_extras.testing.samplers import check_point
from tests import strategies

CUBE = Space([Float(name, 0, 1) for name in "xyz"])
MIXED = Space(
    [
        Float("x", 0, 1),
        Int("n", 1, 9),
        Choice("act", ("relu", "tanh")),
        Float("late", 0, 1, conditions=(Condition("act", ("tanh",)),)),
    ]
)


def bowl(point):
    return sum((u - 0.3) ** 2 for u in point.values())


def finish_all(history, points, loss=bowl):
    for point in points:
        history.finish(history.start(point), State.COMPLETED, loss(point))
    return history


def search(space, loss, trials, *, sampler=None, seed=0):
    history = History(space)
    for number in range(trials):
        point = (sampler or CMAES()).suggest(history, space, trial_rng(seed, number))
        history.finish(history.start(point), State.COMPLETED, loss(point))
    return history


def suggestions(history, sampler=None, count=60):
    """Return many answers to the same question, on the unit cube."""
    draws = [
        (sampler or CMAES()).suggest(history, history.space, trial_rng(1, n)) for n in range(count)
    ]
    return np.array([history.space.encode(draw) for draw in draws])


@st.composite
def histories(draw):
    number = strategies.ints("number") | strategies.floats("number")
    history = History(Space([*draw(strategies.spaces(max_size=3)).dimensions, draw(number)]))
    for _ in range(draw(st.integers(0, 15))):
        trial = history.start(history.space.decode(draw(strategies.places(history.space))))
        if (state := draw(st.sampled_from(State))) != State.RUNNING:
            history.finish(trial, state, draw(strategies.losses))
    return history


@given(histories())
@hypothesis_settings(max_examples=30)
def test_every_suggestion_is_a_point_of_the_space(history):
    space = history.space
    if any(d.size > 1 and not d.categorical and not d.conditions for d in space.dimensions):
        check_point(CMAES().suggest(history, space, trial_rng(0, 0)), space)


def test_distribution_equals_the_librarys_after_the_same_generations():
    history, points = History(CUBE), np.random.default_rng(0).uniform(0.2, 0.8, (21, 3))
    finish_all(history, [CUBE.decode(row) for row in points])
    rng = trial_rng(0, 21)
    rng.random(3)  # for what the distribution is not about
    bounds, seed = np.array([[0.0, 1.0]] * 3), int(rng.integers(2**32))
    theirs = cmaes.CMA(np.full(3, 0.5), 1 / 6, bounds, seed=seed)
    for generation in (slice(0, 7), slice(7, 14), slice(14, 21)):
        told = zip(history.unit[generation], history.losses[generation], strict=True)
        theirs.tell(list(told))
    ours = CMAES().suggest(history, CUBE, trial_rng(0, 21))
    np.testing.assert_allclose(list(ours.values()), theirs.ask(), rtol=1e-9)


def test_first_suggestions_are_centred_in_the_space():
    first = suggestions(History(CUBE), CMAES(sigma=0.1), count=200)
    assert np.allclose(first.mean(axis=0), 0.5, atol=0.03)
    assert np.allclose(first.std(axis=0), 0.1, atol=0.02)


def test_suggestions_concentrate_where_losses_are_low():
    found = suggestions(search(CUBE, bowl, 105))
    assert np.abs(np.median(found, axis=0) - 0.3).max() < 0.02


def test_minimum_is_found_in_a_valley_across_the_axes():
    square = Space([Float("x", 0, 1), Float("y", 0, 1)])

    def valley(point):
        return 0.01 * (point["x"] + point["y"] - 1.4) ** 2 + (point["x"] - point["y"]) ** 2

    found = suggestions(search(square, valley, 90))
    assert np.corrcoef(found.T)[0, 1] > 0.8


def test_cmaes_is_better_than_random_search_on_branin():
    problem = branin()
    ours, random = (
        [search(problem.space, problem, 60, sampler=s, seed=n).losses.min() for n in range(7)]
        for s in (CMAES(), Random())
    )
    assert np.median(ours) < np.median(random)


def test_several_values_of_a_grid_remain_possible_after_convergence():
    space = Space([Int("m", 1, 20), Int("n", 1, 20)])
    history = search(space, lambda p: abs(p["m"] - 7) + abs(p["n"] - 13), 120)
    found = suggestions(history)
    for axis, value in enumerate((7, 13)):
        at = np.round(found[:, axis] * 20 + 0.5)
        assert np.mean(np.abs(at - value) <= 2) > 0.9
        assert len(set(at)) > 1


def test_minimum_is_found_in_a_space_of_one_number():
    line = Space([Float("x", 0, 1), Boolean("bias")])
    found = suggestions(search(line, lambda point: abs(point["x"] - 0.8), 60))
    assert abs(np.median(found[:, 0]) - 0.8) < 0.05


def test_choices_and_conditional_numbers_are_drawn_uniformly():
    history = search(MIXED, lambda point: point["x"], 40)
    found = suggestions(history, count=300)
    assert abs(np.mean(found[:, 2] < 0.5) - 0.5) < 0.1
    late = found[~np.isnan(found[:, 3]), 3]
    assert stats.kstest(late, stats.uniform().cdf).pvalue > 0.01


def test_suggestions_depend_on_the_order_of_losses_alone():
    points = [CUBE.decode(row) for row in np.random.default_rng(0).random((21, 3))]
    plain = finish_all(History(CUBE), points)
    steep = finish_all(History(CUBE), points, lambda point: math.exp(50 * bowl(point)))
    assert np.array_equal(suggestions(plain, count=5), suggestions(steep, count=5))


def test_running_trials_are_ignored():
    points = [CUBE.decode(row) for row in np.random.default_rng(0).random((14, 3))]
    alone, beside = finish_all(History(CUBE), points), History(CUBE)
    beside.start(points[0])
    assert not np.array_equal(suggestions(alone, count=5), suggestions(History(CUBE), count=5))
    finish_all(beside, points)
    assert np.array_equal(suggestions(alone, count=5), suggestions(beside, count=5))


def test_trials_without_a_value_on_an_axis_are_ignored():
    old = finish_all(History(Space(CUBE.dimensions[:2])), [{"x": 0.1, "y": 0.9}] * 20)
    moved = old.moved_to(CUBE)
    assert np.array_equal(suggestions(moved, count=5), suggestions(History(CUBE), count=5))


def test_search_of_two_workers_continues_unchanged_after_a_reload():
    def run(history, trials):
        while len(history) < trials:
            number = len(history)
            history.start(CMAES().suggest(history, MIXED, trial_rng(0, number)))
            if number >= 1:  # the other worker's trial ends
                end(history, number - 1)
        return list(history.points)

    def end(history, number):
        history.finish(number, State.COMPLETED, history.points[number]["x"])

    whole = run(History(MIXED), 30)
    cut = History(MIXED)
    for number, point in enumerate(whole[:17]):
        cut.start(point)
        if number < 16:
            end(cut, number)
    assert run(cut, 30) == whole


def test_search_converges_after_a_good_point_far_away():
    history = search(CUBE, bowl, 105)
    spread = suggestions(history).std(axis=0).max()
    history.finish(history.start({"x": 0.9, "y": 0.9, "z": 0.1}), State.COMPLETED, -1.0)
    near = [CUBE.decode(row) for row in suggestions(history, count=6)]
    after = suggestions(finish_all(history, near))
    assert np.abs(after.mean(axis=0) - 0.3).max() < 0.1
    assert after.std(axis=0).max() < 8 * spread


def test_an_axis_is_still_searched_when_all_trials_agree_on_it():
    rows = np.random.default_rng(0).random((7, 3))
    rows[:, 0] = 0.9
    history = finish_all(History(CUBE), [CUBE.decode(row) for row in rows])
    for number in range(7, 140):
        point = CMAES().suggest(history, CUBE, trial_rng(0, number))
        history.finish(history.start(point), State.COMPLETED, bowl(point))
    assert abs(np.median(suggestions(history)[:, 0]) - 0.3) < 0.1


def test_search_restarts_with_twice_the_population_after_convergence():
    rows = 0.3 + 1e-5 * np.random.default_rng(0).random((7, 3))
    history = finish_all(History(CUBE), [CUBE.decode(row) for row in rows])
    found = suggestions(history)
    assert found.std(axis=0).min() > 0.05
    more = finish_all(History(CUBE), [CUBE.decode(row) for row in [*rows, *found[:13]]])
    assert np.array_equal(suggestions(more, count=5), found[:5])  # 14 are needed


def test_suggestion_is_the_only_point_of_a_space_of_constants():
    for space, point in (
        (Space([]), {}),
        (Space([Fixed("x", 5), Int("n", 3, 3)]), {"x": 5, "n": 3}),
    ):
        assert CMAES().suggest(History(space), space, trial_rng(0, 0)) == point


def test_suggest_raises_for_a_space_without_a_number():
    space = Space([Choice("act", ("relu", "tanh")), Fixed("seed", 7)])
    with pytest.raises(ValueError, match=r"`space` must have a number .* got only \['act'\]; use"):
        CMAES().suggest(History(space), space, trial_rng(0, 0))


def test_error_names_the_extra_when_the_library_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(ModuleNotFoundError, match=r"run `pip install kt_extras\[cmaes\]`"):
        CMAES()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"population_size": 3},
            "`population_size` must be an integer from 4, got 3; None chooses",
        ),
        ({"sigma": 0.0}, "`sigma` must be above 0 and at most 1, got 0.0"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        CMAES(**arguments)
