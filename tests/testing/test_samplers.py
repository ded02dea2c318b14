"""The contract of samplers has teeth: each broken sampler fails the law that it breaks."""

import itertools
import math
import random

import numpy as np
import pytest

from kt_extras.samplers.random import Random
from kt_extras.search import Float, Int, Space, SpaceExhausted, State
from kt_extras.testing import SamplerContract
from kt_extras.testing.samplers import check_point, toy_histories, toy_spaces

VALID = "test_suggestions_are_valid_whatever_was_seen"
SEARCH = "test_a_whole_search_is_valid"
SAME = "test_the_same_generator_gives_the_same_suggestion"
UNCHANGED = "test_suggesting_does_not_change_the_history"
OWN = "test_changing_a_suggestion_does_not_change_the_next_one"
GLOBAL = "test_global_generators_are_left_alone"
ADDED = "test_hyperparameters_may_be_added_later"
REMOVED = "test_options_may_be_removed_and_ranges_narrowed_later"


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


class GivesUpTooEarly(Random):
    def suggest(self, history, space, rng):
        if len(history) > 9:
            raise SpaceExhausted
        return super().suggest(history, space, rng)


class NeedsASuccess(Random):
    def suggest(self, history, space, rng):
        if len(history):
            assert np.isfinite(history.losses).any()
        return super().suggest(history, space, rng)


class WithAMemory(Random):
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
        return space.decode(np.random.random(len(space)))  # noqa: NPY002 - that is what is broken


class Forgetful(Random):
    def suggest(self, history, space, rng):
        history.losses[:] = 0.0
        return super().suggest(history, space, rng)


class StartsTheTrialItself(Random):
    def suggest(self, history, space, rng):
        point = super().suggest(history, space, rng)
        history.start(point)
        return point


class KeepsHold:
    def __init__(self):
        self.given = {}

    def suggest(self, history, space, rng):
        return self.given.setdefault((id(history), space), Random().suggest(history, space, rng))


class StuckInTheOldSpace(Random):
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
    (GivesUpTooEarly, VALID),
    (GivesUpTooEarly, SEARCH),
    (NeedsASuccess, VALID),
    (WithAMemory, SAME),
    (Unseeded, SAME),
    (FromNumPysGlobalGenerator, SAME),
    (FromNumPysGlobalGenerator, GLOBAL),
    (FromTheGlobalGenerator, GLOBAL),
    (Forgetful, UNCHANGED),
    (StartsTheTrialItself, UNCHANGED),
    (KeepsHold, OWN),
    (StuckInTheOldSpace, ADDED),
    (StuckInTheOldSpace, REMOVED),
]


def contract_of(sampler):
    contract = SamplerContract()
    contract.make = sampler
    return contract


@pytest.mark.parametrize(("sampler", "law"), BROKEN)
def test_a_broken_sampler_fails_the_law_that_it_breaks(sampler, law):
    with pytest.raises(AssertionError):
        getattr(contract_of(sampler), law)()


def test_every_law_is_broken_by_some_sampler():
    laws = {name for name in dir(SamplerContract) if name.startswith("test_")}
    assert {law for _, law in BROKEN} == laws


def test_a_contract_that_makes_nothing_says_what_to_override():
    with pytest.raises(NotImplementedError, match="`make` must return the sampler"):
        SamplerContract().make()


def test_a_sampler_may_choose_the_spaces_that_it_serves():
    class Contract(SamplerContract):
        def make(self):
            return OutOfRange()

        def spaces(self):
            return {"whole numbers": Space([Int("n", 1, 9)])}

    getattr(Contract(), VALID)()


@pytest.mark.parametrize("value", [1.5, "0.5", None, np.float64(0.5)])
def test_a_point_is_checked_for_its_range_and_its_type(value):
    with pytest.raises(AssertionError):
        check_point({"x": value}, Space([Float("x", 0, 1)]))


def test_the_toy_histories_hold_every_state_and_every_kind_of_loss():
    histories = [history for _, history in toy_histories(toy_spaces()["mixed"])]
    assert {state for history in histories for state in history.states} == set(State)
    losses = np.concatenate([history.losses for history in histories])
    assert {math.inf, 1e300, -1e300} <= set(losses)
