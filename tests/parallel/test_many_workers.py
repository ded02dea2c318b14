"""Laws of a search with many workers that are slow, die, come back, or are late."""

import shutil
import tempfile
from functools import partial

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.records.search_state import SearchState
from kt_extras.records.snapshot import snapshot_events
from tests.parallel.many_workers import ManyWorkers
from tests.simulation.history import FOLDER

COST = keras_tuner.Objective("cost", "min")
SETTINGS = {"objective": COST, "seed": 0, "max_retries_per_trial": 2, "max_failure_fraction": None}
NEVER = 10**6


def made(oracle, **arguments):
    settings = {**SETTINGS, "max_consecutive_failed_trials": NEVER, **arguments}
    built = oracle(**settings)
    for name in ("x", "y"):
        built.hyperparameters.Float(name, 0.0, 1.0)
    built.hyperparameters.Choice("z", ["a", "b", "c"])
    return built


ORACLES = {
    "asha": partial(made, kte.ASHAOracle, max_epochs=9, sampler="random"),
    "pbt": partial(made, kte.PBTOracle, max_epochs=40, interval=2),
    "tpe": partial(made, kte.TPEOracle),
    "bohb": partial(made, kte.BOHBOracle, max_epochs=9, iterations=1000, sampler="random"),
}


@pytest.fixture
def directory():
    folder = tempfile.mkdtemp(dir=FOLDER)
    yield folder
    shutil.rmtree(folder)


def check_busy(search):
    """A worker gets no trial only once all have begun."""
    assert all(begun >= search.oracle.max_trials for _, begun in search.idle)


@pytest.mark.parametrize("name", ["asha", "tpe", "bohb"])
def test_laws_hold_with_fifty_workers(name, directory):
    search = ManyWorkers(
        partial(ORACLES[name], max_trials=150), directory, 50, epochs=3, oracle_dies=1 / 200
    )
    search.run(1000)
    check_busy(search)
    assert search.happened["restarts"] > 1
    assert search.happened["died"] > 1


def test_laws_hold_with_a_population_of_fifty(directory):
    make = partial(ORACLES["pbt"], population_size=50)
    search = ManyWorkers(make, directory, 50, oracle_dies=1 / 200)
    search.run(1000)
    assert len(search.trials) == 50


def test_a_snapshot_says_who_has_trained_each_trial(directory):
    search = ManyWorkers(partial(ORACLES["tpe"], max_trials=5), directory, 2, epochs=2)
    search.run(30)
    state = SearchState(COST, search.oracle.hyperparameters.copy())
    for event in snapshot_events(search.oracle._state):
        state.apply(event)
    workers = [record.worker for record in state.trials.values()]
    assert workers == [record.worker for record in search.oracle.trial_records()]
    assert None not in workers


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("asha", {"max_trials": 100_000}),
        *(
            pytest.param(name, given, marks=pytest.mark.exhaustive)
            for name, given in [
                ("tpe", {"max_trials": 100_000}),
                ("pbt", {"population_size": 1000}),
                ("bohb", {"max_trials": 100_000}),
            ]
        ),
    ],
)
def test_laws_hold_with_a_thousand_workers(name, given, directory, record_property):
    search = ManyWorkers(partial(ORACLES[name], **given), directory, 1000, epochs=8)
    search.run(25_000)
    if name != "pbt":
        check_busy(search)
    assert search.happened["died"] > 50
    for method, calls in search.calls.items():
        record_property(f"{method} a second", round(calls / search.seconds[method]))
