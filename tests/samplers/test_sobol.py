"""The Sobol sampler walks one scrambled sequence, whatever happens between its steps."""

import numpy as np
import pytest
from scipy.stats import qmc

from kt_extras.samplers.sobol import Sobol
from kt_extras.search import Choice, Condition, Float, History, Int, Space, trial_rng

SQUARE = Space([Float("x", 0, 1), Float("y", 0, 1)])


def walk(sampler, space, trials):
    history = History(space)
    for number in range(trials):
        history.start(sampler.suggest(history, space, trial_rng(0, number)))
    return history


def test_the_points_are_those_of_scipy_in_order():
    expected = qmc.Sobol(2, scramble=True, seed=5).random(8)
    np.testing.assert_allclose(walk(Sobol(seed=5), SQUARE, 8).unit, expected, atol=1e-9)


def test_a_resumed_search_goes_on_in_the_same_sequence():
    whole = walk(Sobol(seed=1), SQUARE, 6)
    resumed = History(SQUARE)
    for point in list(whole.points)[:5]:
        resumed.start(point)
    assert Sobol(seed=1).suggest(resumed, SQUARE, trial_rng(9, 9)) == whole.points[5]


def test_sixteen_points_fill_every_cell_of_a_four_by_four_board():
    cells = np.floor(walk(Sobol(seed=2), SQUARE, 16).unit * 4)
    assert len({tuple(cell) for cell in cells}) == 16


def test_seeds_give_different_sequences():
    first, second = (walk(Sobol(seed=s), SQUARE, 1).points[0] for s in (0, 1))
    assert first != second


def test_only_active_hyperparameters_get_values():
    svm = (Condition("model", ("svm",)),)
    space = Space([Choice("model", ("mlp", "svm")), Int("c", 1, 9, conditions=svm)])
    assert all(("c" in p) == (p["model"] == "svm") for p in walk(Sobol(seed=0), space, 8).points)


def test_a_space_without_dimensions_has_one_empty_point():
    empty = Space([])
    assert Sobol(seed=0).suggest(History(empty), empty, trial_rng(0, 0)) == {}


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="`seed` must be an integer from 0, got -1"):
        Sobol(seed=-1)
