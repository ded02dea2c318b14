"""Mixtures are densities, and equal reference results of SciPy and by hand."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kt_extras.samplers.parzen import Mixture, log_kernels, log_normal_mass
from kt_extras.search import Boolean, Choice, Float, Int

GRIDS = [
    Int("n", 1, 7),
    Int("n", 1, 100, sampling="log"),
    Float("x", 0.0, 1.0, step=0.25),
    Choice("c", (1, 2, 4), ordered=True),
    Choice("c", ("a", "b", "c", "d")),
    Boolean("b"),
]
REAL = Float("x", 0.0, 1.0)
bandwidths = st.floats(0.03, 1.0)


def coordinates(dimension):
    return np.array([dimension.to_unit(value) for value in dimension.values()])


def kernels(dimension, x, centres, bandwidth):
    return log_kernels(dimension, x, centres, np.full(len(centres), bandwidth))


def widths(dimension, unit):
    lower, upper = dimension.cells(unit)
    return upper - lower


@given(centre=st.floats(0, 1), bandwidth=bandwidths, x=st.floats(0, 1))
def test_kernel_on_a_real_axis_is_the_truncated_normal(centre, bandwidth, x):
    ends = (0 - centre) / bandwidth, (1 - centre) / bandwidth
    expected = scipy.stats.truncnorm.logpdf(x, *ends, loc=centre, scale=bandwidth)
    found = kernels(REAL, np.array([x]), np.array([centre]), bandwidth)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


@given(bandwidth=bandwidths, pick=st.floats(0, 1))
@pytest.mark.parametrize("dimension", GRIDS, ids=repr)
def test_masses_of_the_cells_of_a_grid_sum_to_one(dimension, bandwidth, pick):
    unit = coordinates(dimension)
    centre = unit[[min(int(pick * len(unit)), len(unit) - 1)]]
    mass = np.exp(kernels(dimension, unit, centre, bandwidth))[:, 0] * widths(dimension, unit)
    assert mass.sum() == pytest.approx(1.0)


@given(bandwidth=bandwidths)
def test_mass_of_a_cell_is_the_integral_of_the_truncated_normal(bandwidth):
    dimension = Int("n", 1, 5)
    centre, unit = 0.3, coordinates(dimension)
    law = scipy.stats.truncnorm(
        -centre / bandwidth, (1 - centre) / bandwidth, loc=centre, scale=bandwidth
    )
    found = np.exp(kernels(dimension, unit, np.array([centre]), bandwidth))[:, 0] / 5
    np.testing.assert_allclose(found, np.diff(law.cdf(np.linspace(0, 1, 6))), atol=1e-12)


def test_density_on_a_fine_grid_equals_that_on_a_real_axis():
    x, centres = np.linspace(0, 1, 9), np.array([0.2, 0.7])
    fine = kernels(Int("n", 0, 10**6), x, centres, 0.1)
    np.testing.assert_allclose(fine, kernels(REAL, x, centres, 0.1), atol=1e-4)


def test_category_keeps_the_mass_that_is_not_spread():
    dimension = Choice("c", ("a", "b", "c", "d"))
    at_a, at_b = kernels(dimension, np.array([0.125, 0.375]), np.array([0.125]), 0.2)[:, 0]
    assert math.exp(at_a) == pytest.approx(4 * (0.8 + 0.2 / 4))
    assert math.exp(at_b) == pytest.approx(4 * 0.2 / 4)


@pytest.mark.parametrize("dimension", [REAL, *GRIDS], ids=repr)
def test_kernel_is_uniform_where_a_coordinate_is_nan(dimension):
    nan = np.array([math.nan])
    some = np.array([0.5])
    assert kernels(dimension, some, nan, 0.1).tolist() == [[0.0]]
    assert kernels(dimension, nan, some, 0.1).tolist() == [[0.0]]


@pytest.mark.parametrize("dimension", [REAL, *GRIDS], ids=repr)
def test_each_kernel_has_its_own_bandwidth(dimension):
    unit = coordinates(dimension) if math.isfinite(dimension.size) else np.linspace(0, 1, 5)
    centres, bandwidths = unit[[0, 0, -1]], np.array([0.1, 0.4, 0.4])
    together = log_kernels(dimension, unit, centres, bandwidths)
    for column, (centre, bandwidth) in enumerate(zip(centres, bandwidths, strict=True)):
        alone = kernels(dimension, unit, np.array([centre]), bandwidth)[:, 0]
        np.testing.assert_allclose(together[:, column], alone, atol=1e-12)


@given(lower=st.floats(-30, 30), width=st.floats(1e-3, 30))
def test_mass_of_an_interval_equals_that_of_scipy(lower, width):
    found = log_normal_mass(np.array(lower), np.array(lower + width))
    density = scipy.stats.truncnorm.logpdf(lower, lower, lower + width)
    assert found == pytest.approx(scipy.stats.norm.logpdf(lower) - density, rel=1e-6, abs=1e-9)


@given(
    unit=arrays(float, (6, 3), elements=st.floats(0, 1) | st.just(math.nan)),
    order=st.permutations(range(3)),
)
def test_density_does_not_depend_on_the_order_of_the_columns(unit, order):
    dimensions = [REAL, Int("n", 1, 9), Choice("c", ("a", "b", "c"))]
    places = np.random.default_rng(0).random((4, 3))
    straight = Mixture.fit(unit, np.ones(6), dimensions)
    turned = Mixture.fit(unit[:, order], np.ones(6), [dimensions[i] for i in order])
    np.testing.assert_allclose(
        turned.log_density(places[:, order]), straight.log_density(places), atol=1e-9
    )


@given(
    unit=arrays(float, (5, 2), elements=st.floats(0, 1, exclude_max=True) | st.just(math.nan)),
    by_neighbours=st.booleans(),
)
def test_mixture_integrates_to_one(unit, by_neighbours):
    dimensions = [Int("n", 1, 6), Choice("c", ("a", "b", "c"))]
    mixture = Mixture.fit(unit, np.arange(1.0, 6.0), dimensions, by_neighbours=by_neighbours)
    first, second = np.meshgrid(*(coordinates(d) for d in dimensions))
    places = np.column_stack([first.ravel(), second.ravel()])
    assert np.exp(mixture.log_density(places)).mean() == pytest.approx(1.0)


def test_mixture_without_observations_is_the_uniform_prior():
    mixture = Mixture.fit(np.empty((0, 2)), np.empty(0), [REAL, Boolean("b")])
    places = np.random.default_rng(0).random((5, 2))
    np.testing.assert_allclose(mixture.log_density(places), 0.0, atol=1e-12)


def test_joint_density_of_two_kernels_equals_that_by_hand():
    # Two kernels of the category, weights 1 and 1, and the prior: 3 rows, lambda = 1 / (1 + 3 / 2).
    dimension = Boolean("b")
    mixture = Mixture.fit(np.array([[0.25], [0.25]]), np.ones(2), [dimension])
    own = 2 * (0.6 + 0.4 / 2)
    expected = (2 * own + 1) / 3
    assert np.exp(mixture.log_density(np.array([[0.25]])))[0] == pytest.approx(expected)


@pytest.mark.parametrize("by_neighbours", [False, True])
@pytest.mark.parametrize("dimension", [REAL, *GRIDS], ids=repr)
def test_samples_follow_the_density(dimension, by_neighbours):
    places = (0.3, 0.3, 0.45, 0.9)
    unit = np.array([[dimension.to_unit(dimension.from_unit(u))] for u in places])
    mixture = Mixture.fit(unit, np.ones(4), [dimension], by_neighbours=by_neighbours)
    drawn = mixture.sample(4000, np.random.default_rng(0))[:, 0]
    edges = np.linspace(0, 1, 7) if math.isinf(dimension.size) else _edges(dimension)
    observed = np.histogram(drawn, edges)[0]
    fine = np.linspace(0, 1, 6001)[:-1] + 1 / 12000
    density = np.exp(mixture.log_density(fine[:, None]))
    expected = np.histogram(fine, edges, weights=density)[0]
    expected *= 4000 / expected.sum()
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-3


def _edges(dimension):
    lower, upper = dimension.cells(coordinates(dimension))
    return np.append(lower, upper[-1])


def test_bandwidth_is_positive_when_all_points_are_equal():
    for by_neighbours in (False, True):
        mixture = Mixture.fit(
            np.full((500, 1), 0.5), np.ones(500), [REAL], by_neighbours=by_neighbours
        )
        assert mixture.bandwidths.min() >= 0.03


def test_scott_bandwidths_of_all_kernels_are_equal():
    mixture = Mixture.fit(np.array([[0.1], [0.2], [0.9]]), np.ones(3), [REAL])
    assert mixture.bandwidths.shape == (1, 1)


def test_bandwidth_is_the_distance_to_the_further_neighbour():
    # Four kernels and the prior: none is narrower than 1 / (5 + 1); one unknown, and the prior: 1.
    unit = np.array([[0.9], [0.1], [math.nan], [0.15], [0.4]])
    mixture = Mixture.fit(unit, np.ones(5), [REAL], by_neighbours=True)
    np.testing.assert_allclose(mixture.bandwidths[:, 0], [0.5, 1 / 6, 1, 0.25, 0.5, 1])


def test_bandwidths_are_scotts_when_that_is_less_than_the_least_distance():
    unit = np.linspace(0.50, 0.52, 9)[:, None]
    scott, neighbours = (
        Mixture.fit(unit, np.ones(9), [REAL], by_neighbours=rule).bandwidths
        for rule in (False, True)
    )
    assert scott[0, 0] < 1 / 11
    np.testing.assert_allclose(neighbours[:9], scott[0, 0])


def test_bandwidth_of_a_single_kernel_is_the_whole_range():
    mixture = Mixture.fit(np.array([[0.2]]), np.ones(1), [REAL], by_neighbours=True)
    assert mixture.bandwidths.tolist() == [[1.0], [1.0]]


def test_bandwidth_of_a_grid_is_at_least_half_a_cell():
    mixture = Mixture.fit(np.full((90, 1), 0.5), np.ones(90), [Int("n", 1, 3)], by_neighbours=True)
    assert mixture.bandwidths[0, 0] == pytest.approx(1 / 6)


def test_category_is_spread_alike_by_either_rule():
    unit = np.array([[0.1], [0.6], [0.6]])
    both = [
        Mixture.fit(unit, np.ones(3), [Choice("c", ("a", "b"))], by_neighbours=rule)
        for rule in (False, True)
    ]
    np.testing.assert_array_equal(np.unique(both[0].bandwidths), np.unique(both[1].bandwidths))


def test_holes_are_equally_wide_by_either_rule():
    unit = np.array([[0.1, 0.4], [0.2, 0.5], [0.3, 0.1]])
    both = [
        Mixture.fit(unit, np.ones(3), [REAL, REAL], by_neighbours=rule).narrower(unit)
        for rule in (False, True)
    ]
    np.testing.assert_array_equal(both[0].bandwidths, both[1].bandwidths)
    assert (both[0].bandwidths < 1).all()
