from datetime import timedelta

import keras_tuner
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

import kt_extras as kte
from kt_extras.oracles.budget import Budget, Usage
from kt_extras.records import recorder
from tests.tuners.models import VALIDATION, X, Y, build

COST = keras_tuner.Objective("cost", "min")


def oracle_with(directory=None, **kwargs):
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=COST, seed=0, **kwargs)
    if directory is not None:
        oracle._set_project_dir(str(directory), "project")
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    if directory is not None and (directory / "project" / "journal.jsonl").exists():
        oracle.reload()
    return oracle


def run(oracle, costs, epochs=1):
    """Run one trial for each cost until the search ends; return the number of trials."""
    for number, cost in enumerate(costs):
        trial = oracle.create_trial("worker")
        if trial.status == "STOPPED":
            return number
        for step in range(epochs):
            oracle.update_trial(trial.trial_id, {"cost": cost}, step=step)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return len(costs)


@given(seconds=floats(0, 1e9), epochs=integers(0, 10**9))
def test_no_limit_is_reached_when_none_is_given(seconds, epochs):
    assert Budget().reached(Usage(seconds, epochs, best=0.0, stale=epochs)) is None


@pytest.mark.parametrize("limit", [90, 90.0, timedelta(minutes=1.5)])
def test_max_time_is_the_same_in_seconds_and_as_a_timedelta(limit):
    budget = Budget(max_time=limit)
    assert budget.reached(Usage(seconds=89.9)) is None
    assert "`max_time=90` seconds are spent (90.5 s); raise it" in budget.reached(Usage(90.5))


def test_a_target_is_reached_at_or_beyond_it_in_either_direction():
    budget = Budget(target=0.5)
    assert budget.reached(Usage()) is None
    assert budget.reached(Usage(best=0.6)) is None
    assert "`target=0.5` is reached" in budget.reached(Usage(best=0.5))
    assert budget.reached(Usage(best=0.4), maximised=True) is None
    assert "best score 0.6" in budget.reached(Usage(best=0.6), maximised=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_time": 0}, "`max_time` must be a number of seconds above 0"),
        ({"max_time": "1h"}, "`max_time` .* got '1h'"),
        ({"max_time": True}, "`max_time`"),
        ({"max_time": timedelta(seconds=-1)}, "`max_time`"),
        ({"max_total_epochs": 0}, "`max_total_epochs` must be an integer from 1"),
        ({"max_total_epochs": 1.5}, "`max_total_epochs`"),
        ({"target": float("nan")}, "`target` must be a finite score"),
        ({"target": "0.9"}, "`target`"),
        ({"max_trials_without_improvement": True}, "`max_trials_without_improvement`"),
    ],
)
def test_an_error_names_the_limit_that_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        oracle_with(**arguments)


def test_no_trial_begins_after_max_total_epochs_is_reached():
    oracle = oracle_with(max_total_epochs=7)
    assert run(oracle, [1.0] * 9, epochs=3) == 3
    assert "`max_total_epochs=7` is spent (9 epochs trained)" in oracle.ended_because


@pytest.fixture
def pass_seconds(monkeypatch):
    """Return a function that moves the clock forward; nothing else does."""
    now = 1000.0

    def move(seconds):
        nonlocal now
        now += seconds

    monkeypatch.setattr(recorder.time, "monotonic", lambda: now)
    return move


def test_no_trial_begins_after_max_time_is_reached(pass_seconds):
    oracle = oracle_with(max_time=5)
    oracle.open_session()
    pass_seconds(4)
    assert run(oracle, [1.0]) == 1
    pass_seconds(2)
    assert run(oracle, [1.0]) == 0
    assert "`max_time=5` seconds are spent (6" in oracle.ended_because


def test_max_time_counts_all_sessions_but_not_the_time_between(tmp_path, pass_seconds):
    oracle = oracle_with(tmp_path)
    oracle.open_session()
    pass_seconds(20)
    run(oracle, [1.0])
    pass_seconds(30)
    assert run(oracle_with(tmp_path, max_time=20), [1.0]) == 0
    assert run(oracle_with(tmp_path, max_time=45), [1.0]) == 1


def test_a_search_ends_when_a_score_equals_the_target():
    oracle = oracle_with(target=0.2)
    assert run(oracle, [0.5, 0.3, 0.2, 0.1]) == 3
    assert "`target=0.2` is reached" in oracle.ended_because


def test_trials_without_improvement_are_counted_from_the_best_one():
    oracle = oracle_with(max_trials_without_improvement=3)
    assert run(oracle, [5.0, 4.0, 6.0, 4.0, 3.0, 3.0, 9.0, 8.0, 1.0]) == 8
    assert "since the best score 3)" in oracle.ended_because


def test_trials_without_a_score_do_not_count_as_no_improvement():
    oracle = oracle_with(max_trials_without_improvement=1)
    assert run(oracle, [1.0, float("nan"), float("nan"), 2.0, 3.0]) == 4


def test_a_running_trial_is_not_stopped_when_the_budget_is_used_up():
    oracle = oracle_with(max_total_epochs=2)
    trial = oracle.create_trial("worker")
    for step in range(5):
        answer = oracle.update_trial(trial.trial_id, {"cost": 1.0}, step=step)
        assert answer.status == "RUNNING"


@pytest.mark.parametrize(
    "limit", [{"max_total_epochs": 2}, {"target": 1.0}, {"max_trials_without_improvement": 1}]
)
def test_a_reloaded_search_continues_only_when_its_limit_is_raised(tmp_path, limit):
    assert run(oracle_with(tmp_path, **limit), [1.0] * 9) < 9
    again = oracle_with(tmp_path, **limit)
    assert run(again, [1.0]) == 0
    assert next(iter(limit)) in again.ended_because
    free = oracle_with(tmp_path)
    assert run(free, [1.0]) == 1
    assert free.ended_because is None


def test_ended_because_names_what_ended_the_search():
    oracle = oracle_with(max_trials=2)
    assert run(oracle, [1.0] * 3) == 2
    assert oracle.ended_because == "`max_trials=2` trials have been begun; raise it to go on."
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=COST, max_trials=9, seed=0)
    oracle.hyperparameters.Boolean("b")
    assert run(oracle, [1.0] * 9) == 2
    assert "every point of the search space, or of the grid, has been tried" in oracle.ended_because


def search(verbose=1, **kwargs):
    tuner = kte.TPE(build, "val_accuracy", seed=0, **kwargs)
    tuner.search(X, Y, validation_data=VALIDATION, epochs=2, verbose=verbose)
    return tuner


def test_a_tuner_prints_why_a_search_ends_or_has_no_trial_left(capsys):
    tuner = search(max_total_epochs=2, max_time=timedelta(days=1))
    assert len(tuner.results()) == 1
    assert "Search ended after 1 trial: `max_total_epochs=2` is spent" in capsys.readouterr().out
    search(max_total_epochs=2)
    assert "No trial was left to run: `max_total_epochs=2` is spent" in capsys.readouterr().out
    search(max_total_epochs=3)
    assert "Search ended after 2 trials" in capsys.readouterr().out


def test_a_target_of_zero_ends_the_search():
    tuner = search(target=0.0, max_trials_without_improvement=5, verbose=0)
    assert "`target=0.0` is reached" in tuner.oracle.ended_because
