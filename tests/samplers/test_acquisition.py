"""The search ends at the largest score, whatever the dimensions are."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from kt_extras.samplers.acquisition import Acquisition
from kt_extras.samplers.gp_columns import columns_of, masked, owner_of, snapped
from kt_extras.samplers.gp_regression import Regression, fitted, loss_prior
from kt_extras.search import Choice, Condition, Float, Int, Space

B = (Condition("model", ("b",)),)
SPACES = {
    "numeric": Space([Float("x", 0, 1), Float("y", 0, 1)]),
    "mixed": Space([Float("x", 0, 1), Int("n", 1, 9), Choice("act", ("relu", "tanh", "elu"))]),
    "conditional": Space([Choice("model", ("a", "b")), Float("x", 0, 1, conditions=B)]),
}


def acquisition_in(space, exploration=None, seed=0):
    rng = np.random.default_rng(seed)
    unit = masked(snapped(rng.random((30, len(space))), space), space)
    targets = np.sin(5 * np.nan_to_num(unit, nan=0.5)).sum(axis=1)
    targets = (targets - targets.mean()) / targets.std()
    inputs, trials = columns_of(unit, space), np.arange(30)
    prior = loss_prior(len(space))
    found = fitted(inputs, trials, targets, owner=owner_of(space), prior=prior)
    regression = Regression(inputs, trials, targets, found)
    return Acquisition(space, regression, exploration)


def test_improvement_is_on_the_predictions_of_the_same_length_scales():
    before = acquisition_in(SPACES["numeric"])
    after = before.with_shorter_lengths()
    assert after.incumbent != before.incumbent
    assert after.incumbent == Acquisition(after.space, after.regression).incumbent


@pytest.mark.parametrize("exploration", [None, 2.0])
def test_gradient_equals_finite_differences_of_the_score(exploration):
    acquisition = acquisition_in(SPACES["numeric"], exploration)
    for row in np.random.default_rng(1).random((8, 2)):
        value, gradient = acquisition._with_gradient(row)
        assert value == pytest.approx(acquisition.score(row[None])[0], rel=1e-6)
        expected = approx_fprime(row, lambda x: acquisition._with_gradient(x)[0], 1e-7)
        assert np.allclose(gradient, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("exploration", [None, 2.0])
def test_best_end_of_four_searches_is_no_worse_than_many_random_rows(name, exploration):
    space, rng = SPACES[name], np.random.default_rng(2)
    acquisition = acquisition_in(space, exploration)
    rows = snapped(rng.random((100, len(space))), space)
    starts = rows[np.argsort(-acquisition.score(rows))[:4]]
    ends = [acquisition.ascended(row) for row in starts]
    random = acquisition.score(snapped(rng.random((2000, len(space))), space))
    assert max(value for _, value in ends) >= random.max() - 1e-3


def test_search_along_the_gradient_ends_at_most_half_the_range_away():
    acquisition = acquisition_in(SPACES["numeric"], exploration=50.0)
    rows = np.random.default_rng(4).random((8, 2))
    moves = [acquisition.ascended(row)[0] - row for row in rows]
    assert 0.2 < np.abs(moves).max() <= 0.5


@pytest.mark.parametrize("name", SPACES)
def test_search_ends_on_the_grid_with_the_score_that_it_returns(name):
    space, rng = SPACES[name], np.random.default_rng(3)
    acquisition = acquisition_in(space)
    for row in snapped(rng.random((4, len(space))), space):
        end, value = acquisition.ascended(row)
        assert np.allclose(snapped(end[None], space)[0], end)
        assert value == pytest.approx(acquisition.score(end[None])[0])
        assert value >= acquisition.score(row[None])[0] - 0.5
