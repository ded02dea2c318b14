"""The contract of pruners finds broken pruners: each fails the test of its requirement."""

import numpy as np
import pytest

from kt_extras.pruners import MedianPruner
from kt_extras.testing import PrunerContract

BEST = "test_trial_is_not_stopped_when_as_good_as_the_best_rival"
FIRST = "test_trial_is_not_stopped_before_its_first_report"
ALONE = "test_answer_is_a_bool_without_rivals"
BOOL = "test_answer_is_a_bool_with_rivals"
FINITE = "test_trial_is_still_stopped_with_an_infinite_loss"
DIVERGED = "test_trial_is_still_stopped_without_a_finite_loss"
MONOTONE = "test_trial_is_still_stopped_with_a_larger_loss"
ORDER = "test_answer_does_not_depend_on_the_order_of_rivals"
STATE = "test_answers_are_the_same_when_asked_again"
UNCHANGED = "test_curves_are_unchanged_after_an_answer"


class StopsEverything:
    def should_stop(self, curve, rivals):
        return True


class StopsTies:
    def should_stop(self, curve, rivals):
        return len(rivals) > 0 and curve.best >= rivals.best


class LooksAtTheLastLossOnly:
    def should_stop(self, curve, rivals):
        return bool(len(curve.losses) and curve.losses[-1] > rivals.best)


class NeedsRivals:
    def should_stop(self, curve, rivals):
        return curve.best > max(rival.best for rival in rivals)


class AnswersInNumPy:
    def should_stop(self, curve, rivals):
        return np.bool_(curve.best > rivals.best)


class IgnoresInfinity:
    def should_stop(self, curve, rivals):
        finite = curve.losses[np.isfinite(curve.losses)]
        return bool(len(finite) > 0 and finite[-1] > rivals.best < finite.min())


class StopsWhatIsNearTheBest:
    def should_stop(self, curve, rivals):
        return bool(0 < curve.best - rivals.best < 1)


class ComparesWithTheFirstRival:
    def should_stop(self, curve, rivals):
        return len(rivals) > 0 and curve.best > rivals[0].best


class StopsEverySecondTime:
    def __init__(self):
        self.calls = 0

    def should_stop(self, curve, rivals):
        self.calls += 1
        return self.calls % 2 == 0 and curve.best > rivals.best


class FillsTheGaps:
    def should_stop(self, curve, rivals):
        curve.losses[np.isnan(curve.losses)] = 0.0
        return False


class SortsTheRivals:
    def should_stop(self, curve, rivals):
        for rival in rivals:
            rival.losses.sort()
        return False


BROKEN = [
    (StopsEverything, BEST),
    (StopsEverything, FIRST),
    (StopsTies, BEST),
    (LooksAtTheLastLossOnly, BEST),
    (NeedsRivals, ALONE),
    (AnswersInNumPy, BOOL),
    (IgnoresInfinity, FINITE),
    (IgnoresInfinity, DIVERGED),
    (StopsWhatIsNearTheBest, MONOTONE),
    (ComparesWithTheFirstRival, ORDER),
    (StopsEverySecondTime, STATE),
    (FillsTheGaps, UNCHANGED),
    (SortsTheRivals, UNCHANGED),
]


def contract_of(pruner, monotone=True):
    contract = PrunerContract()
    contract.make, contract.monotone = pruner, monotone
    return contract


@pytest.mark.parametrize(("pruner", "requirement"), BROKEN)
def test_contract_fails_for_a_broken_pruner(pruner, requirement):
    with pytest.raises((AssertionError, ValueError)):
        getattr(contract_of(pruner), requirement)()


def test_every_requirement_has_a_broken_pruner():
    requirements = {name for name in dir(PrunerContract) if name.startswith("test_")}
    assert {requirement for _, requirement in BROKEN} == requirements


def test_larger_losses_are_not_tested_when_not_monotone():
    getattr(contract_of(StopsWhatIsNearTheBest, monotone=False), MONOTONE)()


def test_median_pruner_stops_some_trials_of_the_cases_but_not_all():
    answers = []

    class Recorded:
        def should_stop(self, curve, rivals):
            answers.append(MedianPruner().should_stop(curve, rivals))
            return answers[-1]

    getattr(contract_of(Recorded), BOOL)()
    assert 0.1 < np.mean(answers) < 0.9


def test_make_raises_unless_it_is_overridden():
    with pytest.raises(NotImplementedError, match="`make` must return the pruner"):
        PrunerContract().make()
