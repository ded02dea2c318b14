"""CMA-ES follows the library's own distribution, whatever order the trials end in."""

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


def next_ones(history, sampler=None, count=60):
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


def test_the_distribution_is_the_librarys_after_the_same_generations():
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


def test_the_first_suggestions_surround_the_middle():
    first = next_ones(History(CUBE), CMAES(sigma=0.1), count=200)
    assert np.allclose(first.mean(axis=0), 0.5, atol=0.03)
    assert np.allclose(first.std(axis=0), 0.1, atol=0.02)


def test_suggestions_gather_where_losses_are_low():
    found = next_ones(search(CUBE, bowl, 105))
    assert np.abs(np.median(found, axis=0) - 0.3).max() < 0.02


def test_a_valley_across_the_axes_is_followed():
    square = Space([Float("x", 0, 1), Float("y", 0, 1)])

    def valley(point):
        return 0.01 * (point["x"] + point["y"] - 1.4) ** 2 + (point["x"] - point["y"]) ** 2

    found = next_ones(search(square, valley, 90))
    assert np.corrcoef(found.T)[0, 1] > 0.8


def test_cmaes_is_better_than_random_search_on_branin():
    problem = branin()
    ours, random = (
        [search(problem.space, problem, 60, sampler=s, seed=n).losses.min() for n in range(7)]
        for s in (CMAES(), Random())
    )
    assert np.median(ours) < np.median(random)


def test_a_grid_is_never_narrowed_to_a_single_value():
    space = Space([Int("m", 1, 20), Int("n", 1, 20)])
    history = search(space, lambda p: abs(p["m"] - 7) + abs(p["n"] - 13), 120)
    found = next_ones(history)
    for axis, value in enumerate((7, 13)):
        at = np.round(found[:, axis] * 20 + 0.5)
        assert np.mean(np.abs(at - value) <= 2) > 0.9
        assert len(set(at)) > 1


def test_one_number_alone_is_searched_too():
    line = Space([Float("x", 0, 1), Boolean("bias")])
    found = next_ones(search(line, lambda point: abs(point["x"] - 0.8), 60))
    assert abs(np.median(found[:, 0]) - 0.8) < 0.05


def test_choices_and_what_depends_on_them_are_drawn_uniformly():
    history = search(MIXED, lambda point: point["x"], 40)
    found = next_ones(history, count=300)
    assert abs(np.mean(found[:, 2] < 0.5) - 0.5) < 0.1
    late = found[~np.isnan(found[:, 3]), 3]
    assert stats.kstest(late, stats.uniform().cdf).pvalue > 0.01


def test_losses_count_by_their_order_alone():
    points = [CUBE.decode(row) for row in np.random.default_rng(0).random((21, 3))]
    plain = finish_all(History(CUBE), points)
    steep = finish_all(History(CUBE), points, lambda point: math.exp(50 * bowl(point)))
    assert np.array_equal(next_ones(plain, count=5), next_ones(steep, count=5))


def test_running_trials_are_not_waited_for():
    points = [CUBE.decode(row) for row in np.random.default_rng(0).random((14, 3))]
    alone, beside = finish_all(History(CUBE), points), History(CUBE)
    beside.start(points[0])
    assert not np.array_equal(next_ones(alone, count=5), next_ones(History(CUBE), count=5))
    finish_all(beside, points)
    assert np.array_equal(next_ones(alone, count=5), next_ones(beside, count=5))


def test_trials_without_a_value_on_an_axis_are_left_out():
    old = finish_all(History(Space(CUBE.dimensions[:2])), [{"x": 0.1, "y": 0.9}] * 20)
    moved = old.moved_to(CUBE)
    assert np.array_equal(next_ones(moved, count=5), next_ones(History(CUBE), count=5))


def test_a_search_of_two_workers_goes_on_after_a_cut_as_it_would_have():
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


def test_a_lucky_point_from_elsewhere_does_not_throw_the_search_off():
    history = search(CUBE, bowl, 105)
    spread = next_ones(history).std(axis=0).max()
    history.finish(history.start({"x": 0.9, "y": 0.9, "z": 0.1}), State.COMPLETED, -1.0)
    near = [CUBE.decode(row) for row in next_ones(history, count=6)]
    after = next_ones(finish_all(history, near))
    assert np.abs(after.mean(axis=0) - 0.3).max() < 0.1
    assert after.std(axis=0).max() < 8 * spread


def test_trials_that_agree_on_one_axis_do_not_nail_it_down():
    rows = np.random.default_rng(0).random((7, 3))
    rows[:, 0] = 0.9
    history = finish_all(History(CUBE), [CUBE.decode(row) for row in rows])
    for number in range(7, 140):
        point = CMAES().suggest(history, CUBE, trial_rng(0, number))
        history.finish(history.start(point), State.COMPLETED, bowl(point))
    assert abs(np.median(next_ones(history)[:, 0]) - 0.3) < 0.1


def test_once_it_has_converged_the_search_begins_elsewhere_with_twice_as_many():
    rows = 0.3 + 1e-5 * np.random.default_rng(0).random((7, 3))
    history = finish_all(History(CUBE), [CUBE.decode(row) for row in rows])
    found = next_ones(history)
    assert found.std(axis=0).min() > 0.05
    more = finish_all(History(CUBE), [CUBE.decode(row) for row in [*rows, *found[:13]]])
    assert np.array_equal(next_ones(more, count=5), found[:5])  # 14 are needed


def test_a_space_with_nothing_to_search_has_its_one_point():
    for space, point in (
        (Space([]), {}),
        (Space([Fixed("x", 5), Int("n", 3, 3)]), {"x": 5, "n": 3}),
    ):
        assert CMAES().suggest(History(space), space, trial_rng(0, 0)) == point


def test_a_space_without_a_number_is_refused():
    space = Space([Choice("act", ("relu", "tanh")), Fixed("seed", 7)])
    with pytest.raises(ValueError, match=r"`space` must have a number .* got only \['act'\]; use"):
        CMAES().suggest(History(space), space, trial_rng(0, 0))


def test_without_the_library_the_error_names_the_extra(monkeypatch):
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
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CMAES(**arguments)
