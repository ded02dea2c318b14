import pickle

import pytest
from hypothesis import given

from kt_extras.pruners import AnyOf, MedianPruner, PatientPruner, Pruner, ThresholdPruner
from tests.strategies import curve, rivals

RULES = (MedianPruner(1), ThresholdPruner(upper=3.0))


@given(curve=curve, rivals=rivals)
def test_a_trial_is_stopped_exactly_if_one_of_the_rules_stops_it(curve, rivals):
    answers = [rule.should_stop(curve, rivals) for rule in RULES]
    assert AnyOf(*RULES).should_stop(curve, rivals) == any(answers)


def test_it_is_shown_as_it_is_written():
    assert repr(AnyOf(PatientPruner(patience=2))) == (
        "AnyOf(PatientPruner(inner=None, patience=2, min_delta=0.0))"
    )


def test_equal_rules_make_equal_pruners():
    assert AnyOf(*RULES) == AnyOf(*RULES) != AnyOf(*reversed(RULES))
    assert len({AnyOf(*RULES), AnyOf(*RULES)}) == 1


@pytest.mark.parametrize("pruner", [AnyOf(*RULES), PatientPruner(RULES[0]), *RULES], ids=repr)
def test_every_pruner_can_be_sent_to_another_process_and_cannot_be_changed(pruner):
    assert isinstance(pruner, Pruner)
    assert pickle.loads(pickle.dumps(pruner)) == pruner
    with pytest.raises(AttributeError):
        pruner.patience = 3


def test_no_rules_are_refused():
    with pytest.raises(ValueError, match="`pruners` must name at least one pruner, got none"):
        AnyOf()


@pytest.mark.parametrize("wrong", [MedianPruner, "median", None])
def test_what_is_no_pruner_is_refused(wrong):
    with pytest.raises(TypeError, match="`pruners` must all be pruners such as"):
        AnyOf(MedianPruner(), wrong)
