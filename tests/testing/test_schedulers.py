"""The contract of schedulers finds broken schedulers: each fails the test of its requirement."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from kt_extras.schedulers import Population, Resume, Start, SuccessiveHalving
from kt_extras.schedulers.rungs import NEVER
from kt_extras.search import State
from kt_extras.testing import SchedulerContract

ENDS = "test_search_ends"
MAY_START = "test_no_trial_starts_when_may_start_is_false"
FIRST = "test_every_trial_starts_at_the_first_rung_of_its_bracket"
PAUSED = "test_only_paused_trials_are_resumed"
PARENT = "test_parent_has_trained_at_least_as_long_as_its_child"
BUDGET = "test_budget_is_above_trained_epochs_and_at_most_max_epochs"
BEYOND = "test_goes_on_returns_at_most_max_epochs"
UNCHANGED = "test_history_is_unchanged_after_each_call"
SEED = "test_steps_are_equal_with_equal_seeds"
TWICE = "test_step_is_the_same_when_asked_again"
NEEDED = "test_resumed_state_was_needed_at_every_step_before"
SHAPE = "test_needed_has_one_integer_for_each_trial"
SUMS = "test_epochs_and_trials_of_a_plan_are_consistent"
AT_MOST = "test_plan_starts_at_most_max_trials"


class Halving(SuccessiveHalving):
    def __init__(self):
        super().__init__(max_epochs=9)


class AlwaysStarts(Halving):
    def next_step(self, history, *, seed, may_start):
        return super().next_step(history, seed=seed, may_start=True)


class StartsAtTheLastRung(Halving):
    def next_step(self, history, *, seed, may_start):
        step = super().next_step(history, seed=seed, may_start=may_start)
        return replace(step, until=9) if isinstance(step, Start) else step


class ResumesWhatHasEnded(Halving):
    def next_step(self, history, *, seed, may_start):
        ended = np.flatnonzero(history.states == State.INFEASIBLE)
        if len(ended):
            return Resume(int(ended[0]), 9)
        return super().next_step(history, seed=seed, may_start=may_start)


class TakesOverFromItself(Population):
    def __init__(self):
        super().__init__(population_size=4, max_epochs=4)

    def next_step(self, history, *, seed, may_start):
        step = super().next_step(history, seed=seed, may_start=may_start)
        return replace(step, parent=step.number) if isinstance(step, Resume) else step


class TrainsTooLong(Halving):
    def next_step(self, history, *, seed, may_start):
        step = super().next_step(history, seed=seed, may_start=may_start)
        return replace(step, until=10) if isinstance(step, Resume) else step


class PromotesTooFar(Halving):
    def goes_on(self, history, number, *, seed, may_start):
        return 10


class StartsTheTrialItself(Halving):
    def next_step(self, history, *, seed, may_start):
        step = super().next_step(history, seed=seed, may_start=may_start)
        if isinstance(step, Start) and len(history) < 3:
            history.start({"x": 0.5, "y": 0.5})
        return step


class CountsItsCalls(Halving):
    calls = itertools.count()

    def next_step(self, history, *, seed, may_start):
        step = super().next_step(history, seed=seed, may_start=may_start)
        bracket = next(self.calls)
        return replace(step, bracket=bracket) if isinstance(step, Start) else step


class NeedsNothing(Halving):
    def needed(self, history, *, max_trials):
        return np.full(len(history), NEVER)


class NeedsFractions(Halving):
    def needed(self, history, *, max_trials):
        return super().needed(history, max_trials=max_trials) / 2


class PlansTooManyEpochs(Halving):
    def plan(self, max_trials):
        rungs = super().plan(max_trials)
        return [replace(rung, new_epochs=rung.new_epochs + 1) for rung in rungs]


class PlansTooManyTrials(Halving):
    def plan(self, max_trials):
        return super().plan(None if max_trials is None else max_trials + 1)


BROKEN = [
    (AlwaysStarts, ENDS),
    (AlwaysStarts, MAY_START),
    (StartsAtTheLastRung, FIRST),
    (ResumesWhatHasEnded, PAUSED),
    (TakesOverFromItself, PARENT),
    (TrainsTooLong, BUDGET),
    (PromotesTooFar, BEYOND),
    (StartsTheTrialItself, UNCHANGED),
    (CountsItsCalls, SEED),
    (CountsItsCalls, TWICE),
    (NeedsNothing, NEEDED),
    (NeedsFractions, SHAPE),
    (PlansTooManyEpochs, SUMS),
    (PlansTooManyTrials, AT_MOST),
]


def contract_of(scheduler):
    contract = SchedulerContract()
    contract.make = scheduler
    contract.needs_states_after_failures = False  # as successive halving, which is broken here
    return contract


@pytest.mark.parametrize(("scheduler", "requirement"), BROKEN)
def test_contract_fails_for_a_broken_scheduler(scheduler, requirement):
    with pytest.raises(AssertionError):
        getattr(contract_of(scheduler), requirement)()


@pytest.mark.parametrize("requirement", sorted({requirement for _, requirement in BROKEN}))
def test_contract_passes_for_the_scheduler_before_it_is_broken(requirement):
    getattr(contract_of(Halving), requirement)()


def test_every_requirement_has_a_broken_scheduler():
    requirements = {name for name in dir(SchedulerContract) if name.startswith("test_")}
    assert {requirement for _, requirement in BROKEN} == requirements


def test_make_raises_unless_it_is_overridden():
    with pytest.raises(NotImplementedError, match="`make` must return the scheduler"):
        SchedulerContract().make()
