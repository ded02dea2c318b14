"""The curves of what a member of a population has trained with."""

import pytest

from kt_extras.bridge.lazy_trial import LazyTrial
from kt_extras.records.events import Exploit
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import Choice, Condition, Float, Space
from kt_extras.tuners.population_curves import hyperparameter_curves

A, B = {"net": "a", "act": "tanh"}, {"net": "b", "act": "gelu"}
SIBLINGS = Space(
    [
        Choice("net", ("a", "b")),
        Choice("act", ("relu", "tanh"), conditions=(Condition("net", ("a",)),)),
        Choice("act", ("elu", "selu", "gelu"), conditions=(Condition("net", ("b",)),)),
    ]
)


def member(first, *later):
    """Return a member with an epoch for each of these points."""
    points = [first, *later]
    exploits = [
        Exploit(epoch=epoch, parent="0001", generation=0, before=before, after=after)
        for epoch, (before, after) in enumerate(zip(points, later, strict=False), start=1)
    ]
    record = TrialRecord(LazyTrial(points[-1], lambda: None, "0000"), 0, exploits=exploits)
    record.executions.append({epoch: {"loss": 1.0} for epoch in range(len(points))})
    return record


@pytest.mark.parametrize(
    ("points", "heights"), [([A], [1]), ([B], [2]), ([A, B, A], [1, 2, 1]), ([B, A], [2, 1])]
)
def test_a_choice_of_sibling_scopes_is_one_curve_in_order(points, heights):
    curves = hyperparameter_curves(member(*points), SIBLINGS, None)
    assert curves["act"] == list(enumerate(heights))
    assert curves["net"] == [(epoch, float(p["net"] == "b")) for epoch, p in enumerate(points)]


def test_a_removed_option_has_no_point_and_a_removed_number_has_one():
    space = Space([Choice("act", ("elu", "relu")), Float("rate", 0, 1)])
    gone = {"act": "tanh", "rate": 2.0}
    assert hyperparameter_curves(member(gone), space, None) == {"rate": [(0, 2.0)]}
    kept = member(gone, {"act": "relu", "rate": 0.5})
    assert hyperparameter_curves(kept, space, None) == {"act": [(1, 1)], "rate": [(0, 2), (1, 0.5)]}
    assert hyperparameter_curves(kept, space, ["act"]) == {"act": [(1, 1.0)]}
