import pytest
from hypothesis import given
from hypothesis.strategies import booleans, dictionaries, floats, integers, lists, sampled_from

from kt_extras.oracles.failure_traits import CLEAR, traits


def texts(these, others):
    return [trait.text for trait in traits(these, others)]


def column(name, *values):
    return [{name: value} for value in values]


def test_a_value_is_a_trait_when_only_failures_have_it():
    (trait,) = traits(column("optimizer", *["lion"] * 5), column("optimizer", *["adam", "sgd"] * 6))
    assert (trait.text, trait.here, trait.there) == ("optimizer='lion'", 5, 0)
    assert trait.contrast == 1.0


@pytest.mark.parametrize(
    ("these", "others", "text"),
    [
        ([64, 96, 128], [8, 16, 63], "x>=64"),
        ([0.1, 0.25], [0.5, 0.7], "x<=0.25"),
        ([5, 6], [1, 2, 9, 10], "5<=x<=6"),
        ([3, 3], [1, 2, 4, 5], "x=3"),
        ([True, True], [False, False], "x=True"),
        ([None], ["a"], "x=None"),
    ],
)
def test_a_trait_is_a_range_for_numbers_and_a_value_otherwise(these, others, text):
    assert texts(column("x", *these), column("x", *others)) == [text]


def test_a_trait_is_found_when_one_failure_does_not_have_it():
    assert texts(column("x", 90, 80, 70, 2), column("x", 1, 3, 4, 5, 6)) == ["x>=70"]


def test_a_trait_is_found_when_some_trials_lack_the_hyperparameter():
    these = [{"act": "relu", "slope": 0.5}, {"act": "relu", "slope": 0.6}]
    assert texts(these, [{"act": "tanh"}, {"act": "relu", "slope": 0.1}])[0] == "slope>=0.5"


def test_values_that_both_sets_have_are_not_traits():
    assert texts(column("x", 1, 2, 3), column("x", 1, 2, 3)) == []


def test_there_are_no_traits_when_one_of_the_sets_is_empty():
    assert traits(column("x", 1, 1), []) == []
    assert traits([], column("x", 1)) == []


POINTS = lists(
    dictionaries(
        sampled_from("abc"),
        sampled_from(["relu", "tanh"]) | booleans() | integers(-3, 3) | floats(-1, 1),
    ),
    max_size=8,
)


@given(these=POINTS, others=POINTS)
def test_traits_are_sorted_by_contrast_and_none_is_below_the_minimum(these, others):
    found = traits(these, others)
    shares = [trait.here / len(these) - trait.there / len(others) for trait in found]
    assert [trait.contrast for trait in found] == shares == sorted(shares, reverse=True)
    assert all(share >= CLEAR for share in shares)
