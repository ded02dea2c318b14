"""The contract of samplers finds broken samplers: each fails the test of its requirement."""

import itertools
import math
import random

import numpy as np
import pytest

from kt_extras.samplers.random import Random
from kt_extras.search import Float, Int, Space, SpaceExhausted, State
from kt_extras.testing import SamplerContract
from kt_extras.testing.samplers import check_point, toy_histories, toy_spaces

VALID = "test_suggestions_are_valid_after_any_history"
SEARCH = "test_suggestions_are_valid_throughout_a_search"
SAME = "test_suggestions_are_equal_with_equal_generators"
UNCHANGED = "test_history_is_unchanged_after_a_suggestion"
OWN = "test_next_suggestion_is_the_same_after_one_is_changed"
GLOBAL = "test_global_generators_are_not_used"
ADDED = "test_suggestions_are_valid_after_hyperparameters_are_added"
REMOVED = "test_suggestions_are_valid_after_the_space_is_narrowed"


class OutOfRange(Random):
    def suggest(self, history, space, rng):
        point = super().suggest(history, space, rng)
        return {name: v + 0.5 if isinstance(v, float) else v for name, v in point.items()}


class OffTheGrid(Random):
    def suggest(self, history, space, rng):
        point = super().suggest(history, space, rng)
        return {**point, "drop": 0.3} if "drop" in point else point


class WithInactive(Random):
    def suggest(self, history, space, rng):
        return {d.name: d.from_unit(rng.random()) for d in space.dimensions}


class Incomplete(Random):
    def suggest(self, history, space, rng):
        return dict(list(super().suggest(history, space, rng).items())[1:])


class InNumPyTypes(Random):
    def suggest(self, history, space, rng):
        point = super().suggest(history, space, rng)
        return {name: np.int64(v) if type(v) is int else v for name, v in point.items()}


class ExhaustedTooEarly(Random):
    def suggest(self, history, space, rng):
        if len(history) > 9:
            raise SpaceExhausted
        return super().suggest(history, space, rng)


class NeedsASuccess(Random):
    def suggest(self, history, space, rng):
        if len(history):
            assert np.isfinite(history.losses).any()
        return super().suggest(history, space, rng)


class CountsItsCalls(Random):
    calls = itertools.count()

    def suggest(self, history, space, rng):
        rng = np.random.default_rng(next(self.calls))
        return super().suggest(history, space, rng)


class Unseeded(Random):
    def suggest(self, history, space, rng):
        return super().suggest(history, space, np.random.default_rng())


class FromTheGlobalGenerator(Random):
    def suggest(self, history, space, rng):
        random.random()
        return super().suggest(history, space, rng)


class FromNumPysGlobalGenerator(Random):
    def suggest(self, history, space, rng):
        return space.decode(np.random.random(len(space)))  # noqa: NPY002 - the fault of this sampler


class OverwritesLosses(Random):
    def suggest(self, history, space, rng):
        history.losses[:] = 0.0
        return super().suggest(history, space, rng)


class StartsTheTrialItself(Random):
    def suggest(self, history, space, rng):
        point = super().suggest(history, space, rng)
        history.start(point)
        return point


class KeepsItsPoints:
    def __init__(self):
        self.given = {}

    def suggest(self, history, space, rng):
        return self.given.setdefault((id(history), space), Random().suggest(history, space, rng))


class StaysInTheOldSpace(Random):
    def suggest(self, history, space, rng):
        finished = [o.point for o in history if o.state == State.COMPLETED]
        return dict(finished[0]) if finished else super().suggest(history, space, rng)


BROKEN = [
    (OutOfRange, VALID),
    (OutOfRange, SEARCH),
    (OffTheGrid, VALID),
    (WithInactive, VALID),
    (Incomplete, VALID),
    (InNumPyTypes, VALID),
    (ExhaustedTooEarly, VALID),
    (ExhaustedTooEarly, SEARCH),
    (NeedsASuccess, VALID),
    (CountsItsCalls, SAME),
    (Unseeded, SAME),
    (FromNumPysGlobalGenerator, SAME),
    (FromNumPysGlobalGenerator, GLOBAL),
    (FromTheGlobalGenerator, GLOBAL),
    (OverwritesLosses, UNCHANGED),
    (StartsTheTrialItself, UNCHANGED),
    (KeepsItsPoints, OWN),
    (StaysInTheOldSpace, ADDED),
    (StaysInTheOldSpace, REMOVED),
]


def contract_of(sampler):
    contract = SamplerContract()
    contract.make = sampler
    return contract


@pytest.mark.parametrize(("sampler", "requirement"), BROKEN)
def test_contract_fails_for_a_broken_sampler(sampler, requirement):
    with pytest.raises(AssertionError):
        getattr(contract_of(sampler), requirement)()


def test_every_requirement_has_a_broken_sampler():
    requirements = {name for name in dir(SamplerContract) if name.startswith("test_")}
    assert {requirement for _, requirement in BROKEN} == requirements


def test_make_raises_unless_it_is_overridden():
    with pytest.raises(NotImplementedError, match="`make` must return the sampler"):
        SamplerContract().make()


def test_only_given_spaces_are_tested_when_spaces_is_overridden():
    class Contract(SamplerContract):
        def make(self):
            return OutOfRange()

        def spaces(self):
            return {"whole numbers": Space([Int("n", 1, 9)])}

    getattr(Contract(), VALID)()


@pytest.mark.parametrize("value", [1.5, "0.5", None, np.float64(0.5)])
def test_check_point_raises_for_a_wrong_range_or_type(value):
    with pytest.raises(AssertionError):
        check_point({"x": value}, Space([Float("x", 0, 1)]))


def test_toy_histories_have_all_states_and_kinds_of_losses():
    histories = [history for _, history in toy_histories(toy_spaces()["mixed"])]
    assert {state for history in histories for state in history.states} == set(State)
    losses = np.concatenate([history.losses for history in histories])
    assert {math.inf, 1e300, -1e300} <= set(losses)
