import numpy as np
import pytest

from kt_extras.samplers import Grid, SpaceExhausted
from kt_extras.search import Choice, Condition, Float, Int, Space, State, trial_rng
from tests.samplers.grids import searched


def test_the_largest_value_of_a_stepped_range_is_tried():
    history = searched(Space([Float("drop", 0.0, 0.5, step=0.1)]))
    assert [point["drop"] for point in history.points] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_hyperparameter_found_late_has_its_default_in_earlier_trials():
    act, units = Choice("act", ("relu", "elu")), Int("units", 1, 3, default=2)
    history = searched(Space([act]), max_trials=1).moved_to(Space([act, units]))
    again = Grid().suggest(history, history.space, trial_rng(0, 1))
    assert again == {"act": "relu", "units": 1}


def test_a_hyperparameter_found_in_a_branch_is_tried_in_that_branch():
    act, when = Choice("act", ("relu", "leaky")), Condition("act", ("leaky",))
    history = searched(Space([act]))
    found = history.moved_to(Space([act, Float("slope", 0, 1, step=0.5, conditions=(when,))]))
    suggested = Grid().suggest(found, found.space, trial_rng(0, 2))
    assert suggested == {"act": "leaky", "slope": 0.5}


@pytest.mark.parametrize("resolution", [None, 3])
def test_the_size_of_a_grid_is_known_beforehand(resolution):
    ranges = [Float("x", 0, 1, step=0.5, default=0.3), Float("rate", 1e-4, 1, sampling="log")]
    space = Space([*ranges, Int("units", 1, 3, default=2)])
    sampler = Grid(resolution=resolution)
    assert sampler.size(space) == len(searched(space, sampler=sampler))


def test_a_large_grid_is_not_listed():
    space = Space([Int(f"x{i}", 1, 10**6) for i in range(9)])
    assert [point["x8"] for point in searched(space, max_trials=3).points] == [1, 2, 3]


def test_resolution_spreads_values_from_end_to_end():
    space = Space([Int("units", 32, 512, step=32)])
    history = searched(space, sampler=Grid(resolution=4))
    assert [point["units"] for point in history.points] == [32, 192, 352, 512]


def valley(point):
    return (point["x"] - 0.3) ** 2


def test_each_round_halves_the_distance_to_the_neighbours_of_the_best():
    space = Space([Float("x", 0, 1)])
    history = searched(space, valley, Grid(refine=2, resolution=3))
    assert [point["x"] for point in history.points] == [0.0, 0.5, 1.0, 0.25, 0.75, 0.125, 0.375]


def test_refinement_is_on_the_scale_of_the_range():
    space = Space([Float("rate", 1e-4, 1.0, sampling="log")])
    history = searched(space, lambda p: abs(np.log10(p["rate"]) + 2), Grid(1, resolution=3))
    assert [p["rate"] for p in history.points] == pytest.approx([1e-4, 1e-2, 1, 1e-3, 1e-1])


def test_refinement_keeps_to_the_values_of_a_step():
    space = Space([Int("units", 0, 10, step=5), Int("layers", 1, 9)])
    history = searched(space, lambda p: abs(p["layers"] - 4), Grid(5, resolution=3))
    assert {point["units"] for point in history.points} == {0, 5, 10}
    assert history.points[int(np.argmin(history.losses))]["layers"] == 4


def test_refinement_keeps_the_best_choices():
    act = Choice("act", ("relu", "elu"))
    space = Space([act, Float("x", 0, 1, conditions=(Condition("act", ("elu",)),))])
    history = searched(space, lambda p: p.get("x", 9.0), Grid(1, resolution=3))
    assert list(history.points[4:]) == [{"act": "elu", "x": 0.25}]


def test_a_finer_grid_waits_until_the_coarse_one_has_ended():
    space, sampler = Space([Float("x", 0, 1)]), Grid(1, resolution=2)
    history = searched(space, valley, sampler, max_trials=1)
    last = history.start(sampler.suggest(history, space, trial_rng(0, 1)))
    with pytest.raises(SpaceExhausted):
        sampler.suggest(history, space, trial_rng(0, 2))
    history.finish(last, State.COMPLETED, 1.0)
    assert sampler.suggest(history, space, trial_rng(0, 2)) == {"x": 0.5}


def test_nothing_is_refined_when_all_trials_have_failed():
    history = searched(Space([Float("x", 0, 1)]), lambda _: np.inf, Grid(3, resolution=2))
    assert len(history) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"refine": -1}, "`refine` must be an integer from 0"), ({"resolution": 1}, "from 2, got 1")],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Grid(**arguments)
