"""Estimates of epochs, compared with searches that a simple objective ends."""

import numpy as np
import pytest

import kt_extras as kte
from kt_extras.oracles.estimate import estimate
from kt_extras.oracles.plan import expected_epochs
from kt_extras.search import Float, History, Space, State
from tests.oracles.searches import LOSS

SPACE = Space([Float("x", 0.0, 1.0)])


def ran(oracle, trials=1000):
    """Train trials until the oracle has no more, or has begun so many parts; return the epochs."""
    rng = np.random.default_rng(0)
    oracle.hyperparameters.Float("x", 0, 1)
    for _ in range(trials):
        trial = oracle.create_trial("worker")
        if trial.status == "STOPPED":
            break
        x, stopped = trial.hyperparameters.values["x"], False
        while not stopped:
            epoch = oracle.trial_record(trial.trial_id).trained
            loss = (x - 0.3) ** 2 + (epoch + 1) ** -0.6 + 0.05 * rng.normal()
            stopped = oracle.update_trial(trial.trial_id, {"val_loss": loss}, epoch).status
            stopped = stopped == "STOPPED"
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return oracle.totals.epochs


def asha(**kwargs):
    return kte.ASHAOracle(LOSS, **{"max_epochs": 9, "max_trials": 20, "seed": 0, **kwargs})


def test_what_a_scheduler_does_exactly_is_estimated_exactly():
    for oracle in (
        kte.BOHBOracle(LOSS, max_epochs=9, seed=0),
        kte.BOHBOracle(LOSS, max_epochs=81, iterations=2, seed=0),
        kte.HyperbandOracle(LOSS, max_epochs=20, seed=0),
        kte.PBTOracle(LOSS, population_size=4, max_epochs=6, interval=2, seed=0),
    ):
        planned = sum(rung.new_epochs for rung in oracle.scheduler.plan(None))
        found = expected_epochs(oracle)
        assert (found.low, found.expected, found.high) == (planned,) * 3


@pytest.mark.parametrize("sampler", ["gp", "random"])
def test_the_epochs_of_a_search_are_near_the_estimate(sampler):
    oracle = asha(sampler=sampler)
    before = expected_epochs(oracle)
    trained = ran(oracle)
    assert before.low * 0.8 <= trained <= before.high * 1.25
    assert before.low <= before.expected <= before.high


def test_the_estimate_of_a_search_that_has_ended_is_what_it_trained():
    oracle = asha(sampler="random")
    trained = ran(oracle)
    assert expected_epochs(oracle).expected == trained


def test_the_estimate_is_corrected_by_what_was_trained():
    oracle = asha(sampler="random")
    trained = ran(oracle, trials=12)
    found = expected_epochs(oracle)
    assert trained < found.low <= found.high < expected_epochs(asha(max_trials=60)).high


def test_an_estimate_changes_nothing():
    history = History(SPACE)
    for number in range(4):
        history.start({"x": number / 4})
        history.report(number, 0, number / 4)
        history.finish(number, State.PAUSED, number / 4)
    before = (history.epochs.tolist(), history.states.tolist(), list(history.points))
    estimate(asha().scheduler, history, 9)
    assert (history.epochs.tolist(), history.states.tolist(), list(history.points)) == before


def test_a_limit_on_epochs_limits_the_estimate():
    assert expected_epochs(asha(max_trials=20, max_total_epochs=7)).expected == 7


def test_there_is_no_estimate_without_a_scheduler_or_a_number_of_trials():
    assert expected_epochs(kte.TPEOracle(LOSS, max_trials=9)) is None
    assert expected_epochs(asha(max_trials=None, max_time=60)) is None


def test_a_long_search_is_estimated_in_proportion():
    short, long = (estimate(asha().scheduler, History(SPACE), n).expected for n in (60, 6000))
    assert 90 < long / short < 110
