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
def test_point_is_the_same_after_encode_and_decode(data, space):
    point = space.decode(data.draw(places(space)))
    unit = space.encode(point)
    again = space.decode(np.nan_to_num(unit))
    assert again.keys() == point.keys()
    np.testing.assert_allclose(space.encode(again), unit, atol=1e-6)


@given(data=st.data(), space=spaces())
def test_point_has_values_of_its_active_dimensions_alone(data, space):
    point = space.decode(data.draw(places(space)))
    assert list(point) == [dimension.name for dimension in space.active(point)]
    assert np.isfinite(space.encode(point)).sum() == len(point)


@given(data=st.data(), space=spaces())
def test_names_of_a_space_do_not_depend_on_the_declared_order(data, space):
    shuffled = Space(data.draw(st.permutations(space.dimensions)))
    assert sorted(shuffled.names) == sorted(space.names)
    for dimension in shuffled.dimensions:
        before = shuffled.names[: shuffled.names.index(dimension.name)]
        assert all(condition.parent in before for condition in dimension.conditions)


@given(space=finite_spaces())
def test_points_are_listed_once_and_are_at_most_size(space):
    keys = [point_key(point) for point in space.points()]
    assert len(set(keys)) == len(keys) <= space.size


@given(data=st.data(), space=finite_spaces())
def test_decoded_point_is_a_listed_one_for_all_coordinates(data, space):
    assert space.decode(data.draw(places(space))) in list(space.points())


@given(data=st.data(), space=spaces())
def test_complete_returns_a_complete_point_unchanged(data, space):
    values = space.decode(data.draw(places(space)))
    point = space.complete(values, data.draw(places(space)))
    np.testing.assert_allclose(space.encode(point), space.encode(values), atol=1e-9)


def test_dimensions_of_one_name_have_the_value_of_their_branch():
    assert TWINS.decode([0.2, 0.6, 0.9]) == {"branch": "a", "n": 3}
    assert TWINS.decode([0.8, 0.6, 0.999]) == {"branch": "b", "n": 400}


def test_only_the_active_dimension_of_one_name_has_a_coordinate():
    assert np.isnan(TWINS.encode({"branch": "a", "n": 3})).tolist() == [False, False, True]
    assert np.isnan(TWINS.encode({"branch": "b", "n": 101})).tolist() == [False, True, False]


def test_first_dimension_has_the_value_when_two_of_a_name_are_active():
    both = Condition("branch", ("a", "b"))
    space = Space([BRANCH, Int("n", 1, 4, conditions=(A,)), Int("n", 100, 400, conditions=(both,))])
    assert space.decode([0.2, 0.0, 0.0]) == {"branch": "a", "n": 1}
    assert space.decode([0.8, 0.0, 0.0]) == {"branch": "b", "n": 100}


def test_dimension_is_active_when_all_its_ancestors_are():
    assert NESTED.decode([0.9, 0.9, 0.9]) == {"branch": "b"}
    assert NESTED.decode([0.1, 0.1, 0.9]) == {"branch": "a", "depth": 1}
    assert NESTED.decode([0.1, 0.9, 0.9]) == {"branch": "a", "depth": 3, "bias": True}


def test_conditional_space_has_fewer_points_than_its_size():
    assert NESTED.size == 12
    assert len(list(NESTED.points())) == 6


def test_parents_come_first_when_declared_after_their_children():
    child = Int("depth", 1, 3, conditions=(A,))
    assert Space([child, BRANCH]).names == ("branch", "depth")


def test_declared_order_is_kept_where_parents_come_first():
    child = Int("depth", 1, 3, conditions=(A,))
    free = [Float("z", 0, 1), Float("y", 0, 1)]
    assert Space([free[0], child, free[1], BRANCH]).names == ("z", "y", "branch", "depth")


def test_space_without_dimensions_has_one_point():
    assert list(Space([]).points()) == [{}]
    assert Space([]).size == 1
    assert Space([]).decode([]) == {}


def test_spaces_are_equal_with_equal_dimensions():
    twin = Space(NESTED.dimensions)
    assert twin == NESTED
    assert hash(twin) == hash(NESTED)
    assert NESTED not in (TWINS, "NESTED")
    assert eval(repr(NESTED), vars(search)) == NESTED


def test_complete_rounds_given_values_and_adds_the_others():
    space = Space([Float("x", 0, 1, step=0.25), Int("n", 1, 4)])
    assert space.complete({"x": 0.3}, [0.9, 0.9]) == {"x": 0.25, "n": 4}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"brunch": "a"}, "no hyperparameter 'brunch'; did you mean 'branch'"),
        ({"weight": 1}, r"no hyperparameter 'weight'; there are \['bias', 'branch', 'depth'\]"),
        ({"branch": "c"}, "'branch' must be one of 'a', 'b', got 'c'"),
        ({"branch": "a", "depth": 9}, "'depth' must be 1 to 3, got 9"),
        ({"branch": "b", "depth": 2}, r"must name active hyperparameters, but \['depth'\] are not"),
    ],
)
def test_complete_raises_for_values_outside_the_space(values, message):
    with pytest.raises(ValueError, match=message):
        NESTED.complete(values, [0.5, 0.5, 0.5])


def test_coordinate_is_nan_when_a_value_is_outside_its_range():
    space = Space([Float("x", 0, 1), Choice("act", ("relu", "tanh"))])
    unit = space.encode({"x": 7, "act": "gone"})
    assert np.isnan(unit[0])
    assert math.isnan(unit[1])


def test_size_may_exceed_a_float():
    many = [Int(f"x{number}", 1, 1000) for number in range(110)]
    assert Space(many).size == 1000**110
    assert Space([*many, Float("rate", 0, 1)]).size == math.inf
    assert next(Space(many).points())["x0"] == 1


def test_points_raises_for_continuous_dimensions():
    with pytest.raises(ValueError, match=r"but \['rate'\] are continuous"):
        Space([BRANCH, Float("rate", 0, 1)]).points()


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ([BRANCH, BRANCH], r"once under the same conditions, but \['branch'\] are declared twice"),
        (
            [Float("x", 0, 1, conditions=(A,))],
            "must be declared, but 'branch', on which 'x' depends, is not",
        ),
        (
            [
                Boolean("x", conditions=(Condition("y", (True,)),)),
                Boolean("y", conditions=(Condition("x", (True,)),)),
            ],
            r"must not form a cycle, but those of \['x', 'y'\] do",
        ),
    ],
)
def test_constructor_raises_for_inconsistent_dimensions(dimensions, message):
    with pytest.raises(ValueError, match=message):
        Space(dimensions)


def test_point_key_does_not_depend_on_the_order_of_values():
    assert point_key({"a": 1, "b": 2}) == point_key({"b": 2, "a": 1}) != point_key({"a": 1})


@given(seed=st.integers(0, 10_000))
def test_encoding_all_points_is_encoding_each(seed):
    space = Space(
        [
            Choice("kind", ("a", "b")),
            Float("rate", 1e-3, 1.0, sampling="log", conditions=(Condition("kind", ("a",)),)),
            Int("n", 1, 9, conditions=(Condition("kind", ("a",)),)),
            Int("n", 1, 3, conditions=(Condition("kind", ("b",)),)),
        ]
    )
    rng = np.random.default_rng(seed)
    points = [space.decode(rng.random(4)) for _ in range(5)]
    points.append({"kind": "b", "n": 7, "rate": 0.5})
    np.testing.assert_array_equal(space.encode_all(points), [space.encode(p) for p in points])
