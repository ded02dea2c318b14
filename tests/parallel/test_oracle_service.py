"""What workers in other processes are told: calls that come twice, late, or never again."""

import keras_tuner
import pytest
from ray import cloudpickle

import kt_extras as kte
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.parallel.oracle_service import OracleService

COST = keras_tuner.Objective("cost", "min")


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened(tmp_path, clock):
    """Return what opens the project in a service, as a process that is started again would."""
    opened_before = []

    def open_service(**arguments):
        for before in opened_before:
            before.close_session()
        oracle = kte.SamplerOracle(
            kte.samplers.Random(), objective=COST, max_trials=4, seed=0, **arguments
        )
        oracle.hyperparameters.Int("units", 1, 1000)
        oracle._set_project_dir(str(tmp_path), "shared")
        if oracle.is_recorded():
            oracle.reload()
        oracle.open_session()
        opened_before.append(oracle)
        return oracle, OracleService(oracle, timeout=60, clock=clock)

    yield open_service
    for before in opened_before:
        before.close_session()


def report(service, number, trial, step, worker="a"):
    arguments = worker, trial.trial_id, {"cost": 1.0 + step}, step
    return service.call(worker, number, "update_trial", *arguments)


def test_a_call_that_comes_twice_is_answered_twice_and_done_once(opened):
    oracle, service = opened()
    trial = service.call("a", 0, "create_trial", "a")
    assert service.call("a", 0, "create_trial", "a").trial_id == trial.trial_id
    assert report(service, 1, trial, 0) == report(service, 1, trial, 0) == "RUNNING"
    assert oracle.trial_record(trial.trial_id).executions == [{0: {"cost": 1.0}}]
    trial.status = "COMPLETED"
    for _ in range(2):
        service.call("a", 2, "end_trial", "a", trial)
    assert oracle.totals.ended == 1


def test_a_report_is_not_repeated_when_the_oracle_was_started_anew(opened):
    _, service = opened()
    trial = service.call("a", 0, "create_trial", "a")
    report(service, 1, trial, 0)
    oracle, service = opened()
    assert report(service, 1, trial, 0) == "RUNNING"
    report(service, 2, trial, 1)
    record = oracle.trial_record(trial.trial_id)
    assert record.executions == [{0: {"cost": 1.0}, 1: {"cost": 2.0}}]
    assert record.attempt == 1


def test_an_end_is_not_repeated_when_the_oracle_was_started_anew(opened):
    _, service = opened()
    trial = service.call("a", 0, "create_trial", "a")
    report(service, 1, trial, 0)
    trial.status = "COMPLETED"
    service.call("a", 2, "end_trial", "a", trial)
    oracle, service = opened()
    service.call("a", 2, "end_trial", "a", trial)
    assert oracle.totals.ended == 1
    assert service.call("a", 3, "create_trial", "a").trial_id != trial.trial_id


def test_the_trial_of_a_silent_worker_goes_to_another_one(opened, clock):
    oracle, service = opened()
    trial = service.call("a", 0, "create_trial", "a")
    clock.now = 59
    assert service.lose_silent() == []
    clock.now = 61
    assert service.lose_silent() == ["a"]
    assert service.call("b", 0, "create_trial", "b").trial_id == trial.trial_id
    assert oracle.trial_record(trial.trial_id).attempt == 2
    with pytest.raises(TrialTakenError, match=f"Trial '{trial.trial_id}' was given to another"):
        report(service, 1, trial, 0)
    with pytest.raises(TrialTakenError):
        service.call("a", 2, "end_trial", "a", trial)


def test_a_late_worker_goes_on_while_nobody_has_its_trial(opened, clock):
    oracle, service = opened()
    trial = service.call("a", 0, "create_trial", "a")
    clock.now = 61
    service.lose_silent()
    assert report(service, 1, trial, 0) == "RUNNING"
    assert oracle.trial_record(trial.trial_id).attempt == 1
    assert service.call("b", 0, "create_trial", "b").trial_id != trial.trial_id


def test_workers_are_given_time_when_the_oracle_was_started_anew(opened, clock):
    _, service = opened()
    trial = service.call("a", 0, "create_trial", "a")
    clock.now = 100
    _, service = opened()
    assert service.call("b", 0, "create_trial", "b").trial_id != trial.trial_id
    clock.now = 161
    assert service.lose_silent() == ["a", "b"]


def test_all_trials_of_a_worker_are_lost_with_it(opened):
    oracle, service = opened()
    names = ["a#0", "a#1", "ab#0"]
    trials = [
        service.call(name[:-2], n, "create_trial", name).trial_id for n, name in enumerate(names)
    ]
    assert service.lose("a") == trials[:2]
    assert list(oracle.ongoing_trials) == ["ab#0"]


def test_a_trial_that_is_given_back_counts_no_attempt(opened):
    oracle, service = opened()
    trial = service.call("a", 0, "create_trial", "a")
    service.call("a", 1, "give_back", "a")
    again = service.call("b", 0, "create_trial", "b")
    assert again.trial_id == trial.trial_id
    assert oracle.trial_record(trial.trial_id).attempt == 1


def test_no_trial_begins_after_a_stop(opened):
    _, service = opened()
    service.stop()
    assert service.call("a", 0, "create_trial", "a").status == "STOPPED"


def test_too_many_failures_end_the_search_of_all_workers(opened):
    oracle, service = opened(max_consecutive_failed_trials=1)
    trial = service.call("a", 0, "create_trial", "a")
    trial.status, trial.message = "INVALID", "ValueError: no data"
    service.call("a", 1, "end_trial", "a", trial)
    assert "no data" in oracle.failure_report
    assert service.call("b", 0, "create_trial", "b").status == "STOPPED"


def test_an_oracle_can_be_sent_to_another_process(opened):
    oracle, service = opened()
    trial = service.call("a", 0, "create_trial", "a")
    sent = cloudpickle.loads(cloudpickle.dumps(oracle))
    assert not sent._recorder.writes
    sent.reload()
    assert list(sent.trials) == [trial.trial_id]
    oracle.close_session()
    sent.open_session()
    assert sent.create_trial("b").trial_id == trial.trial_id
    sent.close_session()
