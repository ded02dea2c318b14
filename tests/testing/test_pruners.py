"""The contract of pruners has teeth: each broken pruner fails the law that it breaks."""

import numpy as np
import pytest

from kt_extras.pruners import MedianPruner
from kt_extras.testing import PrunerContract

BEST = "test_a_trial_as_good_as_the_best_rival_is_never_stopped"
FIRST = "test_nothing_is_stopped_before_its_first_report"
ALONE = "test_a_trial_without_rivals_gets_an_answer"
BOOL = "test_every_answer_is_true_or_false"
FINITE = "test_no_loss_is_worse_than_one_that_is_not_finite"
DIVERGED = "test_a_curve_without_one_finite_loss_is_worse_than_any"
MONOTONE = "test_a_worse_loss_never_saves_a_trial"
ORDER = "test_the_order_of_the_rivals_does_not_matter"
STATE = "test_a_pruner_keeps_no_state"
UNCHANGED = "test_the_curves_are_not_changed"


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


class BlindToInfinity:
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
    (BlindToInfinity, FINITE),
    (BlindToInfinity, DIVERGED),
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


@pytest.mark.parametrize(("pruner", "law"), BROKEN)
def test_a_broken_pruner_fails_the_law_that_it_breaks(pruner, law):
    with pytest.raises((AssertionError, ValueError)):
        getattr(contract_of(pruner), law)()


def test_every_law_is_broken_by_some_pruner():
    laws = {name for name in dir(PrunerContract) if name.startswith("test_")}
    assert {law for _, law in BROKEN} == laws


def test_a_rule_that_is_not_monotone_may_say_so():
    getattr(contract_of(StopsWhatIsNearTheBest, monotone=False), MONOTONE)()


def test_the_scenes_are_hard_enough_for_the_median_rule_to_stop_some_and_spare_some():
    answers = []

    class Recorded:
        def should_stop(self, curve, rivals):
            answers.append(MedianPruner().should_stop(curve, rivals))
            return answers[-1]

    getattr(contract_of(Recorded), BOOL)()
    assert 0.1 < np.mean(answers) < 0.9


def test_a_contract_that_makes_nothing_says_what_to_override():
    with pytest.raises(NotImplementedError, match="`make` must return the pruner"):
        PrunerContract().make()
