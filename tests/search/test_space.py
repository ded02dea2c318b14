import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras import search
from kt_extras.search import Boolean, Choice, Condition, Float, Int, Space, point_key
from tests.strategies import finite_spaces, places, spaces

A, B = Condition("branch", ("a",)), Condition("branch", ("b",))
BRANCH = Choice("branch", ("a", "b"))
TWINS = Space([BRANCH, Int("n", 1, 4, conditions=(A,)), Int("n", 100, 400, conditions=(B,))])
NESTED = Space(
    [
        BRANCH,
        Int("depth", 1, 3, conditions=(A,)),
        Boolean("bias", conditions=(Condition("depth", (2, 3)),)),
    ]
)


@given(data=st.data(), space=spaces())
def test_a_point_survives_the_way_to_the_cube_and_back(data, space):
    point = space.decode(data.draw(places(space)))
    unit = space.encode(point)
    again = space.decode(np.nan_to_num(unit))
    assert again.keys() == point.keys()
    np.testing.assert_allclose(space.encode(again), unit, atol=1e-6)


@given(data=st.data(), space=spaces())
def test_a_point_names_just_its_active_dimensions(data, space):
    point = space.decode(data.draw(places(space)))
    assert list(point) == [dimension.name for dimension in space.active(point)]
    assert np.isfinite(space.encode(point)).sum() == len(point)


@given(data=st.data(), space=spaces())
def test_the_declared_order_does_not_change_the_names_of_a_space(data, space):
    shuffled = Space(data.draw(st.permutations(space.dimensions)))
    assert sorted(shuffled.names) == sorted(space.names)
    for dimension in shuffled.dimensions:
        before = shuffled.names[: shuffled.names.index(dimension.name)]
        assert all(condition.parent in before for condition in dimension.conditions)


@given(space=finite_spaces())
def test_every_point_is_listed_once_and_there_are_at_most_size_of_them(space):
    keys = [point_key(point) for point in space.points()]
    assert len(set(keys)) == len(keys) <= space.size


@given(data=st.data(), space=finite_spaces())
def test_every_place_on_the_cube_is_a_listed_point(data, space):
    assert space.decode(data.draw(places(space))) in list(space.points())


@given(data=st.data(), space=spaces())
def test_completing_a_whole_point_changes_nothing(data, space):
    values = space.decode(data.draw(places(space)))
    point = space.complete(values, data.draw(places(space)))
    np.testing.assert_allclose(space.encode(point), space.encode(values), atol=1e-9)


def test_twins_hold_the_value_of_their_own_branch():
    assert TWINS.decode([0.2, 0.6, 0.9]) == {"branch": "a", "n": 3}
    assert TWINS.decode([0.8, 0.6, 0.999]) == {"branch": "b", "n": 400}


def test_only_the_active_twin_has_a_coordinate():
    assert np.isnan(TWINS.encode({"branch": "a", "n": 3})).tolist() == [False, False, True]
    assert np.isnan(TWINS.encode({"branch": "b", "n": 101})).tolist() == [False, True, False]


def test_of_twins_that_are_both_active_the_first_holds_the_value():
    both = Condition("branch", ("a", "b"))
    space = Space([BRANCH, Int("n", 1, 4, conditions=(A,)), Int("n", 100, 400, conditions=(both,))])
    assert space.decode([0.2, 0.0, 0.0]) == {"branch": "a", "n": 1}
    assert space.decode([0.8, 0.0, 0.0]) == {"branch": "b", "n": 100}


def test_a_condition_two_levels_down_needs_the_whole_chain():
    assert NESTED.decode([0.9, 0.9, 0.9]) == {"branch": "b"}
    assert NESTED.decode([0.1, 0.1, 0.9]) == {"branch": "a", "depth": 1}
    assert NESTED.decode([0.1, 0.9, 0.9]) == {"branch": "a", "depth": 3, "bias": True}


def test_a_conditional_space_has_fewer_points_than_its_size():
    assert NESTED.size == 12
    assert len(list(NESTED.points())) == 6


def test_children_may_be_declared_before_their_parents():
    child = Int("depth", 1, 3, conditions=(A,))
    assert Space([child, BRANCH]).names == ("branch", "depth")


def test_the_declared_order_stays_where_parents_allow_it():
    child = Int("depth", 1, 3, conditions=(A,))
    free = [Float("z", 0, 1), Float("y", 0, 1)]
    assert Space([free[0], child, free[1], BRANCH]).names == ("z", "y", "branch", "depth")


def test_a_space_without_dimensions_has_one_point():
    assert list(Space([]).points()) == [{}]
    assert Space([]).size == 1
    assert Space([]).decode([]) == {}


def test_spaces_of_equal_dimensions_are_equal():
    twin = Space(NESTED.dimensions)
    assert twin == NESTED
    assert hash(twin) == hash(NESTED)
    assert NESTED not in (TWINS, "NESTED")
    assert eval(repr(NESTED), vars(search)) == NESTED


def test_given_values_are_put_on_the_grid_and_the_rest_is_filled_in():
    space = Space([Float("x", 0, 1, step=0.25), Int("n", 1, 4)])
    assert space.complete({"x": 0.3}, [0.9, 0.9]) == {"x": 0.25, "n": 4}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"brunch": "a"}, "no hyperparameter 'brunch'; did you mean 'branch'"),
        ({"weight": 1}, r"no hyperparameter 'weight'; there are \['bias', 'branch', 'depth'\]"),
        ({"branch": "c"}, "'branch' cannot be 'c'"),
        ({"branch": "a", "depth": 9}, "'depth' cannot be 9"),
        ({"branch": "b", "depth": 2}, r"The values name \['depth'\], inactive"),
    ],
)
def test_values_that_the_space_cannot_have_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        NESTED.complete(values, [0.5, 0.5, 0.5])


def test_a_value_outside_its_range_counts_as_missing():
    space = Space([Float("x", 0, 1), Choice("act", ("relu", "tanh"))])
    unit = space.encode({"x": 7, "act": "gone"})
    assert np.isnan(unit[0])
    assert math.isnan(unit[1])


def test_the_endless_dimensions_are_named_when_there_is_no_list_of_points():
    with pytest.raises(ValueError, match=r"continuous dimensions \['rate'\]"):
        Space([BRANCH, Float("rate", 0, 1)]).points()


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ([BRANCH, BRANCH], r"declared twice under the same conditions: \['branch'\]"),
        ([Float("x", 0, 1, conditions=(A,))], "'x' depends on 'branch', which is not declared"),
        (
            [
                Boolean("x", conditions=(Condition("y", (True,)),)),
                Boolean("y", conditions=(Condition("x", (True,)),)),
            ],
            "form a circle",
        ),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(dimensions, message):
    with pytest.raises(ValueError, match=message):
        Space(dimensions)


def test_the_key_of_a_point_does_not_depend_on_the_order_of_its_values():
    assert point_key({"a": 1, "b": 2}) == point_key({"b": 2, "a": 1}) != point_key({"a": 1})
