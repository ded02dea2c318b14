import json

import pytest
from keras_tuner.engine.trial import TrialStatus

from kt_extras.bridge.trial_state import TrialState
from kt_extras.search import State


def test_a_state_equals_its_name_and_is_written_as_it():
    assert TrialState.PRUNED == "pruned"
    assert f"{TrialState.PRUNED}" == "pruned"
    assert json.dumps(TrialState.PRUNED) == '"pruned"'


def test_a_trial_is_finished_when_nothing_more_will_be_trained():
    unfinished = {state for state in TrialState if not state.is_finished}
    assert unfinished == {TrialState.RUNNING, TrialState.WAITING, TrialState.PAUSED}


@pytest.mark.parametrize("state", TrialState)
def test_samplers_do_not_see_a_finished_trial_as_running(state):
    assert state.is_open == (state.observed is State.RUNNING)
    assert state.succeeded <= (state.observed is not State.INFEASIBLE)


@pytest.mark.parametrize(
    ("state", "scored", "status"),
    [
        ("running", False, TrialStatus.RUNNING),
        ("waiting", False, TrialStatus.INVALID),
        ("paused", True, TrialStatus.COMPLETED),
        ("paused", False, TrialStatus.IDLE),
        ("completed", True, TrialStatus.COMPLETED),
        ("pruned", True, TrialStatus.COMPLETED),
        ("infeasible", False, TrialStatus.FAILED),
        ("failed", False, TrialStatus.FAILED),
        ("failed", True, TrialStatus.COMPLETED),
        ("rejected", False, TrialStatus.FAILED),
    ],
)
def test_keras_tuner_sees_the_status_that_fits_the_state(state, scored, status):
    assert TrialState(state).status(scored=scored) == status
