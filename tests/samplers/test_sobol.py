"""The Sobol sampler suggests the points of one scrambled sequence, in order."""

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


def test_points_are_those_of_scipy_in_order():
    expected = qmc.Sobol(2, scramble=True, seed=5).random(8)
    np.testing.assert_allclose(walk(Sobol(seed=5), SQUARE, 8).unit, expected, atol=1e-9)


def test_sequence_continues_after_a_reload():
    whole = walk(Sobol(seed=1), SQUARE, 6)
    resumed = History(SQUARE)
    for point in list(whole.points)[:5]:
        resumed.start(point)
    assert Sobol(seed=1).suggest(resumed, SQUARE, trial_rng(9, 9)) == whole.points[5]


def test_sixteen_points_lie_in_all_cells_of_a_four_by_four_grid():
    cells = np.floor(walk(Sobol(seed=2), SQUARE, 16).unit * 4)
    assert len({tuple(cell) for cell in cells}) == 16


def test_sequences_differ_with_different_seeds():
    first, second = (walk(Sobol(seed=s), SQUARE, 1).points[0] for s in (0, 1))
    assert first != second


def test_only_active_hyperparameters_get_values():
    svm = (Condition("model", ("svm",)),)
    space = Space([Choice("model", ("mlp", "svm")), Int("c", 1, 9, conditions=svm)])
    assert all(("c" in p) == (p["model"] == "svm") for p in walk(Sobol(seed=0), space, 8).points)


def test_point_is_empty_in_a_space_without_dimensions():
    empty = Space([])
    assert Sobol(seed=0).suggest(History(empty), empty, trial_rng(0, 0)) == {}


def test_constructor_raises_for_a_negative_seed():
    with pytest.raises(ValueError, match="`seed` must be an integer from 0, got -1"):
        Sobol(seed=-1)
