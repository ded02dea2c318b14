"""Priors of the user as densities on the unit interval."""

import numpy as np
import pytest
from scipy import stats

from kt_extras.search import Boolean, Choice, Float, Int, Likely
from kt_extras.search.priors import checked_priors, density

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
    assert at(Int("layers", 1, 4), 2)(layers) == 3.0


def test_a_function_weights_values_in_the_scale_of_the_search():
    pieces = density(RATE, lambda rate: float(rate < 1e-3))
    assert pieces[0] == pytest.approx(3.0, rel=0.01)  # a third of the range, as it is searched
    assert pieces[-1] == 0.0


def test_a_distribution_of_scipy_is_a_density_of_values():
    same = density(RATE, stats.loguniform(1e-4, 1e-1))
    assert same == pytest.approx(np.ones(len(same)), rel=0.01)
    uniform = density(RATE, stats.uniform(1e-4, 1e-1))
    assert uniform[-1] / uniform[0] == pytest.approx(1000, rel=0.05)


def test_a_prior_of_other_values_says_nothing():
    assert density(DIMENSIONS[-1], Likely("gelu")).tolist() == [1.0, 1.0, 1.0]


def test_plain_values_are_likely_ones_and_the_rest_is_kept():
    given = {"a": 1e-3, "b": "relu", "c": {"x": 1}, "d": abs, "e": stats.norm(0, 1)}
    found = checked_priors(given)
    assert (found["a"], found["b"]) == (Likely(1e-3), Likely("relu"))
    assert (found["c"], found["d"], found["e"]) == (given["c"], given["d"], given["e"])
    assert checked_priors(None) == {}
