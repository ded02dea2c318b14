import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from kt_extras.search import Boolean, Choice, Condition, Fixed, Float, Int
from tests.strategies import dimensions, floats, ints, units

COORDINATES = (np.arange(1000) + 0.5) / 1000


@given(dimension=dimensions(), u=units)
def test_value_is_the_same_after_to_unit_and_from_unit(dimension, u):
    value = dimension.from_unit(u)
    again = dimension.from_unit(dimension.to_unit(value))
    assert again == (value if math.isfinite(dimension.size) else pytest.approx(value, abs=1e-6))


@given(dimension=dimensions(), u=units)
def test_value_of_every_coordinate_is_in_the_dimension(dimension, u):
    assert dimension.contains(dimension.from_unit(u))


@given(dimension=dimensions(), u=units)
def test_coordinates_stay_on_the_unit_interval(dimension, u):
    assert 0 <= dimension.to_unit(dimension.from_unit(u)) <= 1


@given(dimension=floats() | ints(), u=units, v=units)
def test_values_do_not_decrease_with_the_coordinate(dimension, u, v):
    assert dimension.from_unit(min(u, v)) <= dimension.from_unit(max(u, v))


@given(dimension=floats() | ints())
def test_ends_of_a_range_are_values_without_a_step(dimension):
    if dimension.step is None:
        ends = dimension.from_unit(0.0), dimension.from_unit(1.0)
        assert ends == pytest.approx((dimension.low, dimension.high), rel=1e-9, abs=1e-9)


@given(dimension=ints(), u=units)
def test_coordinate_is_in_the_cell_of_its_value(dimension, u):
    lower, upper = dimension.cells(np.array([u]))
    assert lower[0] - 1e-9 <= u <= upper[0] + 1e-9
    assert lower[0] < dimension.to_unit(dimension.from_unit(u)) < upper[0]


@given(dimension=ints())
def test_cells_of_all_values_cover_the_interval(dimension):
    middles = np.array([dimension.to_unit(value) for value in dimension.values()])
    lower, upper = dimension.cells(middles)
    assert np.sum(upper - lower) == pytest.approx(1)
    assert len(dimension.values()) == dimension.size


@given(dimension=ints())
def test_values_of_an_int_are_ascending_integers(dimension):
    values = dimension.values()
    assert all(type(value) is int for value in values)
    assert all(a < b for a, b in itertools.pairwise(values))


@pytest.mark.parametrize(
    ("low", "high", "step", "last"),
    [(0, 1, 0.2, 1.0), (0, 0.5, 0.1, 0.5), (0, 1, 0.1, 1.0), (0, 0.3, 0.1, 0.3), (0, 1, 0.3, 0.9)],
)
def test_last_value_of_a_stepped_float_is_a_multiple_of_the_step(low, high, step, last):
    values = Float("x", low, high, step=step).values()
    assert values[0] == low
    assert values[-1] == last
    assert len(values) == round(last / step) + 1


def test_values_of_a_stepped_float_are_rounded():
    assert Float("x", 0, 1, step=0.2).values() == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        (Int("x", 8, 64, step=2, sampling="log"), (8, 16, 32, 64)),
        (Int("x", 1, 100, step=10, sampling="log"), (1, 10, 100)),
        (Int("x", 1, 10, step=4), (1, 5, 9)),
        (Int("x", 10**15 + 7, 10**15 + 9), (10**15 + 7, 10**15 + 8, 10**15 + 9)),
        (Int("x", 2**62, 2**62 + 2, step=2), (2**62, 2**62 + 2)),
        (Float("x", 1e-4, 1e-1, step=10, sampling="log"), (1e-4, 1e-3, 1e-2, 1e-1)),
        (Float("x", 0.1, 0.9, step=2, sampling="reverse_log"), (0.2, 0.6, 0.8, 0.9)),
        (Float("x", 2 / 3, 2 / 3), (2 / 3,)),
        (Boolean("x"), (False, True)),
        (Fixed("x", "adam"), ("adam",)),
        (Choice("x", (64, 16, 32), ordered=True), (16, 32, 64)),
        (Choice("x", (64, 16, 32)), (64, 16, 32)),
    ],
)
def test_values_equal_those_listed_by_hand(dimension, values):
    assert dimension.values() == values
    assert dimension.size == len(values)


@pytest.mark.parametrize(
    ("dimension", "given_value", "nearest"),
    [
        (Float("x", 0, 1, step=0.2), 0.49, 0.4),
        (Float("x", 0, 1, step=0.2), 0.51, 0.6),
        (Float("x", 0, 1, step=0.2), 7, 1.0),
        (Int("x", 8, 64, step=2, sampling="log"), 20, 16),
        (Int("x", 8, 64, step=2, sampling="log"), 25, 32),
        (Int("x", 1, 10, step=4), 8, 9),
        (Int("x", 1, 10), -3, 1),
        (Int("x", 2**62, 2**62 + 9), 2**62 + 5, 2**62 + 5),
    ],
)
def test_to_unit_rounds_to_the_nearest_value_of_the_grid(dimension, given_value, nearest):
    assert dimension.from_unit(dimension.to_unit(given_value)) == nearest


def test_log_sampling_is_log_uniform():
    dimension = Float("x", 1e-4, 1e-1, sampling="log")
    drawn = [dimension.from_unit(u) for u in COORDINATES]
    expected = stats.loguniform(1e-4, 1e-1).ppf(COORDINATES)
    np.testing.assert_allclose(drawn, expected, rtol=1e-9)


def test_reverse_log_sampling_is_log_sampling_from_the_other_end():
    log = Float("x", 0.001, 0.1, sampling="log")
    reverse = Float("x", 0.001, 0.1, sampling="reverse_log")
    for u in COORDINATES:
        assert reverse.from_unit(u) == pytest.approx(0.101 - log.from_unit(1 - u))


def test_cell_of_an_integer_is_within_one_half_on_a_log_scale():
    lower, upper = Int("x", 1, 3, sampling="log").cells(np.array([0.0, 0.6, 1.0]))
    edges = np.log(np.array([0.5, 1.5, 2.5, 3.5]) / 0.5) / np.log(7)
    np.testing.assert_allclose(np.append(lower, upper[-1]), edges, atol=1e-12)


def test_values_raises_for_a_continuous_dimension():
    dimension = Float("rate", 0, 1)
    assert dimension.size == math.inf
    with pytest.raises(ValueError, match="`step` of 'rate' must be set"):
        dimension.values()


def test_to_unit_is_nan_for_an_option_that_was_removed():
    assert math.isnan(Choice("x", ("a", "b")).to_unit("c"))


@pytest.mark.parametrize("value", ["0.5", None, True, math.nan, 1.5])
def test_float_contains_only_numbers_in_its_range(value):
    assert not Float("x", 0, 1).contains(value)
    assert Float("x", 0, 1).contains(np.float64(1.0))


def test_int_contains_only_integers():
    assert Int("x", 1, 4).contains(2.0)
    assert not Int("x", 1, 4).contains(2.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 2, "high": 1}, "`low` of 'x' must not exceed `high`, both finite, got 2 and 1"),
        ({"low": 0, "high": math.inf}, "must not exceed `high`, both finite, got 0 and inf"),
        ({"low": 0, "high": 1, "sampling": "loguniform"}, "`sampling` of 'x' must be one of"),
        ({"low": 0, "high": 1, "sampling": "log"}, "`low` of 'x' must be positive"),
        ({"low": 0, "high": 1, "step": 0}, "`step` of 'x' must be above 0"),
        ({"low": 1, "high": 9, "step": 1, "sampling": "log"}, "`step` of 'x' must be above 1"),
    ],
)
@pytest.mark.parametrize("kind", [Float, Int])
def test_constructor_raises_for_an_invalid_range(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind("x", **arguments)


@pytest.mark.parametrize(
    ("low", "high", "sampling", "message"),
    [
        (1e-300, 1e300, "log", "cannot hold the ratio, got 1e-300 and 1e[+]300"),
        (-1e308, 1e308, "linear", "cannot hold the difference, got -1e[+]308 and 1e[+]308"),
    ],
)
def test_constructor_raises_for_a_range_beyond_floats(low, high, sampling, message):
    with pytest.raises(ValueError, match=message):
        Float("x", low, high, sampling=sampling)


def test_constructor_raises_without_options():
    with pytest.raises(ValueError, match="`options` of 'x' must have at least one value"):
        Choice("x", ())


def test_condition_does_not_hold_when_the_parent_is_inactive():
    condition = Condition("parent", (1, 2))
    assert condition.holds({"parent": 2})
    assert not condition.holds({"parent": 3})
    assert not condition.holds({})


def test_cells_of_all_options_have_the_same_width():
    lower, upper = Choice("x", ("a", "b", "c", "d")).cells(np.array([0.1, 0.25, 1.0]))
    assert lower.tolist() == [0.0, 0.25, 0.75]
    assert upper.tolist() == [0.25, 0.5, 1.0]


def test_cell_of_a_continuous_value_has_no_width():
    u = np.array([0.1, 0.9])
    lower, upper = Float("x", 0, 1).cells(u)
    assert lower.tolist() == upper.tolist() == u.tolist()


def test_choice_contains_only_its_options():
    assert Choice("x", ("a", "b")).contains("a")
    assert not Choice("x", ("a", "b")).contains("c")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Float("x", 1, 3), Float("x", 1, 3, default=2)),
        (Int("x", 1, 3), Int("x", 1, 3, default=2)),
        (Choice("x", (1, 2)), Choice("x", (1, 2), default=2)),
        (Boolean("x"), Boolean("x", default=True)),
    ],
)
def test_a_default_is_the_first_value_and_does_not_count_in_comparisons(one, other):
    assert (one == other, hash(one) == hash(other)) == (True, True)
    assert one.default == (one.low if isinstance(one, Float) else one.values()[0])
    assert other.default != one.default


def test_options_may_be_a_list():
    assert Choice("act", ["relu", "tanh"]) == Choice("act", ("relu", "tanh"))
    assert hash(Choice("act", ["relu", "tanh"])) == hash(Choice("act", ("relu", "tanh")))
