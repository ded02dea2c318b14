import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.pruners import MedianPruner, PatientPruner
from kt_extras.search import Curve, Curves
from tests.strategies import curve, rivals

NO_RIVALS = Curves.of([])


@dataclass(frozen=True)
class Always:
    answer: bool

    def should_stop(self, curve, rivals):
        return self.answer


def first_stop(pruner, losses, rivals=NO_RIVALS):
    """Return the first epoch after which a trial with these losses is stopped, or None."""
    for epoch in range(len(losses)):
        if pruner.should_stop(Curve(np.array(losses[: epoch + 1], dtype=float)), rivals):
            return epoch
    return None


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_trial_is_stopped_after_patience_reports_without_progress(patience):
    assert first_stop(PatientPruner(patience=patience), [3, 2, 1, 1, 2, 1]) == 2 + patience


def test_count_starts_again_after_progress():
    assert first_stop(PatientPruner(patience=2), [3, 4, 2, 4, 1, 4, 0]) is None


@pytest.mark.parametrize(("min_delta", "stopped"), [(0.0, None), (0.09, None), (0.11, 2)])
def test_improvement_below_min_delta_does_not_count_as_progress(min_delta, stopped):
    pruner = PatientPruner(patience=2, min_delta=min_delta)
    assert first_stop(pruner, [1.0, 0.95, 0.9]) == stopped


def test_epochs_without_a_report_do_not_count():
    gap = math.nan
    assert first_stop(PatientPruner(patience=2), [1, gap, gap, gap, 2, gap, 2]) == 6


def test_infinite_loss_does_not_count_as_progress():
    assert first_stop(PatientPruner(patience=2), [math.inf] * 3) == 2
    assert first_stop(PatientPruner(patience=2), [math.inf, math.inf, 5, 6]) is None


def test_trial_without_progress_is_not_stopped_when_it_leads():
    stalled = [0.1, 0.2, 0.2]
    assert first_stop(PatientPruner(patience=2), stalled, Curves.of([[0.1]])) is None
    assert first_stop(PatientPruner(patience=2), stalled, Curves.of([[0.09]])) == 2


def test_inner_pruner_decides_after_patience_reports():
    losses = [1, 2, 2, 2]
    assert first_stop(PatientPruner(Always(True), patience=2), losses) == 2
    assert first_stop(PatientPruner(Always(False), patience=2), losses) is None


@given(curve=curve, rivals=rivals, patience=st.integers(1, 4))
def test_trial_is_stopped_only_if_the_inner_pruner_stops_it(curve, rivals, patience):
    if PatientPruner(MedianPruner(1), patience).should_stop(curve, rivals):
        assert MedianPruner(1).should_stop(curve, rivals)


@given(curve=curve, rivals=rivals, patience=st.integers(1, 4))
def test_trial_is_stopped_later_with_more_patience(curve, rivals, patience):
    losses = curve.losses.tolist()
    short, long = (
        first_stop(PatientPruner(patience=n), losses, rivals) for n in (patience, patience + 1)
    )
    assert long is None or short < long


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"patience": 0}, ValueError, "`patience` must be an integer from 1, got 0"),
        (
            {"min_delta": -1},
            ValueError,
            "`min_delta` must be a finite number of at least 0, got -1",
        ),
        ({"min_delta": math.nan}, ValueError, "`min_delta` must be a finite number"),
        ({"inner": "median"}, TypeError, "`inner` must be a pruner such as .*, got 'median'"),
        ({"inner": MedianPruner}, TypeError, "`inner` must be a pruner"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, error, message):
    with pytest.raises(error, match=message):
        PatientPruner(**arguments)
