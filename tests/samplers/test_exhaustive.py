import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.exhaustive import Exhaustive
from kt_extras.samplers.random import Random
from kt_extras.samplers.sobol import Sobol
from kt_extras.samplers.tpe import TPE
from kt_extras.search import (
    Choice,
    Condition,
    Float,
    History,
    Int,
    Sampler,
    Space,
    SpaceExhausted,
    State,
    point_key,
    trial_rng,
)
from tests.strategies import finite_spaces

EIGHTEEN = Space([Choice("act", ("relu", "tanh", "elu")), Int("units", 1, 6)])
SVM, DEEP = Condition("model", ("svm",)), Condition("layers", (2, 3))
CONDITIONAL = Space(  # 3 points of the SVM, and 1 + 2 * 4 of the network, though its size is 72
    [
        Choice("model", ("mlp", "svm")),
        Int("c", 1, 3, conditions=(SVM,)),
        Int("layers", 1, 3, conditions=(Condition("model", ("mlp",)),)),
        Choice("drop", (0.0, 0.1, 0.2, 0.3), conditions=(DEEP,)),
    ]
)


@dataclass(frozen=True)
class Stuck:
    """Suggests the same point every time, as a sampler that has converged does."""

    def suggest(self, history, space, rng):
        return space.decode([0.0] * len(space))


def search(sampler, space, trials, seed=0):
    history = History(space)
    for trial in range(trials):
        number = history.start(sampler.suggest(history, space, trial_rng(seed, trial)))
        history.finish(number, State(1 + trial % 3), loss=float(trial))
    return history


def distinct_points(history):
    return {point_key(point) for point in history.points}


SAMPLERS = [
    Exhaustive(Stuck()),
    Exhaustive(Distinct(Random())),
    Exhaustive(Distinct(Sobol())),
    Exhaustive(Distinct(TPE())),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
@pytest.mark.parametrize(("space", "points"), [(EIGHTEEN, 18), (CONDITIONAL, 12)])
def test_each_point_of_a_finite_space_is_suggested_exactly_once(sampler, space, points):
    history = search(sampler, space, trials=points)
    assert len(distinct_points(history)) == points
    with pytest.raises(SpaceExhausted, match=f"All {points} points of the space have been tried"):
        sampler.suggest(history, space, trial_rng(0, points))


@given(space=finite_spaces(), seed=st.integers(0, 9))
def test_all_points_of_any_finite_space_are_suggested(space, seed):
    points = len(list(space.points()))
    history = search(Exhaustive(Stuck()), space, trials=points, seed=seed)
    assert len(distinct_points(history)) == points
    with pytest.raises(SpaceExhausted):
        search(Exhaustive(Stuck()), space, trials=points + 1, seed=seed)


def test_suggestion_is_that_of_the_inner_sampler_while_it_is_new():
    history = History(EIGHTEEN)
    for trial in range(5):
        point = Exhaustive(Random()).suggest(history, EIGHTEEN, trial_rng(0, trial))
        assert point == Random().suggest(history, EIGHTEEN, trial_rng(0, trial))


def test_random_remaining_point_replaces_a_repeated_one():
    firsts = [search(Exhaustive(Stuck()), EIGHTEEN, 2, seed).points[1] for seed in range(200)]
    assert len({point_key(point) for point in firsts}) == 17


def test_point_of_a_running_trial_counts_as_tried():
    history, sampler = History(EIGHTEEN), Exhaustive(Stuck())
    for trial in range(18):
        history.start(sampler.suggest(history, EIGHTEEN, trial_rng(0, trial)))
    assert len(distinct_points(history)) == 18


def test_limit_is_compared_with_the_points_of_a_conditional_space():
    sampler = Exhaustive(Stuck(), limit=12)
    assert CONDITIONAL.size > 12
    assert len(distinct_points(search(sampler, CONDITIONAL, trials=12))) == 12


@pytest.mark.parametrize(
    "space",
    [
        Space([Int("n", 1, 10**9)]),
        Space(
            [
                Choice("branch", ("a", "b")),
                Float("x", 0, 1, conditions=(Condition("branch", ("b",)),)),
            ]
        ),
        Space([Int(name, 1, 10) for name in "abcdefghij"]),
    ],
    ids=["one huge dimension", "a continuous branch", "many small dimensions"],
)
def test_no_point_is_repeated_in_a_space_that_cannot_be_listed(space):
    assert len(distinct_points(search(Exhaustive(Stuck(), limit=100), space, trials=60))) == 60


def test_listed_points_are_used_when_random_ones_were_all_tried():
    history = search(Exhaustive(Stuck(), limit=17), EIGHTEEN, trials=18)
    assert len(distinct_points(history)) == 18
    again = Exhaustive(Stuck(), limit=17).suggest(history, EIGHTEEN, trial_rng(0, 18))
    assert history.tried(again)


def test_points_are_listed_only_once_for_a_large_space():
    space = Space([Int(name, 1, 10) for name in "abcd"])
    search(Exhaustive(Stuck()), space, trials=2)
    began = time.perf_counter()
    search(Exhaustive(Stuck()), space, trials=2)
    assert time.perf_counter() - began < 0.5


def test_constructor_raises_for_a_limit_below_1():
    with pytest.raises(ValueError, match="`limit` must be an integer from 1, got 0"):
        Exhaustive(Random(), limit=0)


def test_wrappers_are_samplers():
    assert isinstance(Exhaustive(Distinct(Random())), Sampler)
