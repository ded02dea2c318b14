"""Priors of the user as densities on the unit interval."""

import numpy as np
import pytest
from scipy import stats

from kt_extras.search import Boolean, Choice, Float, Int, Likely, Space
from kt_extras.search.priors import check_priors_fit, checked_priors, density

RATE = Float("rate", 1e-4, 1e-1, sampling="log")
DIMENSIONS = [
    RATE,
    Float("x", -1.0, 3.0),
    Float("step", 0.0, 0.3, step=0.1),
    Float("constant", 2.0, 2.0),
    Int("units", 8, 512, sampling="log"),
    Int("layers", 1, 4),
    Int("many", 1, 5000),
    Float("momentum", 0.5, 0.999, sampling="reverse_log"),
    Choice("batch", (16, 32, 64), ordered=True),
    Choice("act", ("relu", "tanh", "elu")),
]


def at(dimension, value):
    """Return the piece of the density in which a value lies."""
    return lambda pieces: pieces[int(dimension.to_unit(value) * len(pieces))]


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda dimension: dimension.name)
def test_a_likely_value_has_the_highest_density(dimension):
    value = dimension.from_unit(0.7)
    pieces = density(dimension, Likely(value))
    assert pieces.mean() == pytest.approx(1.0)
    assert at(dimension, value)(pieces) == pytest.approx(pieces.max(), rel=1e-4)


def test_confidence_is_the_mass_within_a_tenth_of_the_range():
    pieces = density(RATE, Likely(RATE.from_unit(0.5), confidence=0.8))
    middle = (np.arange(len(pieces)) + 0.5) / len(pieces)
    assert pieces[abs(middle - 0.5) < 0.1].sum() / len(pieces) == pytest.approx(0.8, abs=0.005)


def test_confidence_in_an_option_goes_beyond_its_share():
    assert density(DIMENSIONS[-1], Likely("tanh", 0.4)).tolist() == pytest.approx([0.6, 1.8, 0.6])


def test_weights_of_values_may_be_partial():
    assert density(Boolean("on"), {True: 2}).tolist() == [0.0, 2.0]
    layers = density(Int("layers", 1, 4), {2: 3, 3: 1})
    assert at(Int("layers", 1, 4), 2)(layers) == pytest.approx(3.0)


@pytest.mark.parametrize("dimension", DIMENSIONS[:-1], ids=lambda dimension: dimension.name)
def test_weights_of_two_values_are_their_probabilities(dimension):
    low, high = dimension.from_unit(0.05), dimension.from_unit(0.95)
    pieces = density(dimension, {low: 0.8, high: 0.2} if low != high else {low: 1.0})
    half = int(dimension.to_unit(high) * len(pieces) + dimension.to_unit(low) * len(pieces)) // 2
    assert pieces[:half].sum() / len(pieces) == pytest.approx(0.8 if low != high else 0.5)
    assert at(dimension, low)(pieces) > 0.0


def test_a_function_weights_values_in_the_scale_of_the_search():
    pieces = density(RATE, lambda rate: float(rate < 1e-3))
    assert pieces[0] == pytest.approx(3.0, rel=0.01)  # a third of the range, as it is searched
    assert pieces[-1] == 0.0


def test_a_distribution_of_scipy_is_a_density_of_values():
    same = density(RATE, stats.loguniform(1e-4, 1e-1))
    assert same == pytest.approx(np.ones(len(same)), rel=0.01)
    uniform = density(RATE, stats.uniform(1e-4, 1e-1))
    assert uniform[-1] / uniform[0] == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize(
    "dimension",
    [
        Int("units", 8, 512, sampling="log"),
        Int("units", 8, 512, step=2, sampling="log"),
        Float("units", 8.0, 512.0, step=2.0, sampling="log"),
    ],
    ids=repr,
)
def test_a_loguniform_distribution_is_uniform_on_a_log_scale(dimension):
    pieces = density(dimension, stats.loguniform(8, 512))
    assert pieces[: len(pieces) // 2].mean() == pytest.approx(1.0, abs=0.02)


def test_a_uniform_distribution_follows_a_reverse_log_scale():
    units = Int("units", 8, 512, sampling="reverse_log")
    pieces = density(units, stats.uniform(0, 600))
    share = pieces[: int(units.to_unit(260) * len(pieces))].mean() * units.to_unit(260)
    assert share == pytest.approx(0.5, abs=0.01)


def test_a_name_that_differs_in_its_number_may_be_declared_later():
    space = Space([Int("layers", 1, 3), Int("units_0", 8, 64)])
    check_priors_fit(checked_priors({"units_2": 32}), space, may_grow=True)
    with pytest.raises(ValueError, match="did you mean 'units_0'"):
        check_priors_fit(checked_priors({"unit_0": 32}), space, may_grow=True)
    with pytest.raises(ValueError, match="no hyperparameter 'units_2'; there are"):
        check_priors_fit(checked_priors({"units_2": 32}), space, may_grow=False)


def test_a_prior_of_other_values_says_nothing():
    assert density(DIMENSIONS[-1], Likely("gelu")).tolist() == [1.0, 1.0, 1.0]


def test_plain_values_are_likely_ones_and_the_rest_is_kept():
    given = {"a": 1e-3, "b": "relu", "c": {"x": 1}, "d": abs, "e": stats.norm(0, 1)}
    found = checked_priors(given)
    assert (found["a"], found["b"]) == (Likely(1e-3), Likely("relu"))
    assert (found["c"], found["d"], found["e"]) == (given["c"], given["d"], given["e"])
    assert checked_priors(None) == {}
