import pickle

import pytest
from hypothesis import given

from kt_extras.pruners import AnyOf, MedianPruner, PatientPruner, Pruner, ThresholdPruner
from tests.strategies import curve, rivals

PRUNERS = (MedianPruner(1), ThresholdPruner(upper=3.0))


@given(curve=curve, rivals=rivals)
def test_trial_is_stopped_if_any_of_the_pruners_stops_it(curve, rivals):
    answers = [pruner.should_stop(curve, rivals) for pruner in PRUNERS]
    assert AnyOf(*PRUNERS).should_stop(curve, rivals) == any(answers)


def test_repr_is_the_call_of_the_constructor():
    assert repr(AnyOf(PatientPruner(patience=2))) == (
        "AnyOf(PatientPruner(inner=None, patience=2, min_delta=0.0))"
    )


def test_pruners_are_equal_when_made_of_equal_pruners():
    assert AnyOf(*PRUNERS) == AnyOf(*PRUNERS) != AnyOf(*reversed(PRUNERS))
    assert len({AnyOf(*PRUNERS), AnyOf(*PRUNERS)}) == 1


@pytest.mark.parametrize("pruner", [AnyOf(*PRUNERS), PatientPruner(PRUNERS[0]), *PRUNERS], ids=repr)
def test_pruners_can_be_pickled_and_are_immutable(pruner):
    assert isinstance(pruner, Pruner)
    assert pickle.loads(pickle.dumps(pruner)) == pruner
    with pytest.raises(AttributeError):
        pruner.patience = 3


def test_constructor_raises_without_pruners():
    with pytest.raises(ValueError, match="`pruners` must name at least one pruner, got none"):
        AnyOf()


@pytest.mark.parametrize("wrong", [MedianPruner, "median", None])
def test_constructor_raises_for_an_argument_that_is_not_a_pruner(wrong):
    with pytest.raises(TypeError, match="`pruners` must all be pruners such as"):
        AnyOf(MedianPruner(), wrong)
