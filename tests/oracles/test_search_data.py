"""A search as data is the same from its state as from its records, whatever has happened in it."""

import dataclasses
import json
import random
import warnings

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.reading import ProjectReader
from kt_extras.oracles.search_data import search_data
from kt_extras.records.events import to_record
from kt_extras.records.recorded_search import recorded_state
from kt_extras.records.snapshot import snapshot_events
from kt_extras.storage.store import open_store
from tests.records.test_recorded_journals import MAKE, reloaded
from tests.records.test_snapshot import eventful, scheduled
from tests.simulation import training

COST, GAIN = keras_tuner.Objective("cost", "min"), keras_tuner.Objective("gain", "max")


def text(data):
    """Return all that data says as text, since NaN is not equal to itself."""
    space = [(repr(d), d.default) for d in data.space.dimensions]
    fields = dataclasses.asdict(dataclasses.replace(data, space=None, seconds=0.0))
    return json.dumps([space, fields], sort_keys=True, default=repr, indent=1)


def assert_read_as_known(oracle, storage=None):
    """Compare the reading of the records with the state, also after a snapshot."""
    directory = oracle._recorder.directory
    read = text(ProjectReader(directory, storage).data())
    reloaded = recorded_state(directory, storage)
    assert read == text(search_data(reloaded, name=directory.name, seconds=0.0))
    if not oracle._state.interrupted():  # else values that it declares are not on record yet
        assert read == text(oracle.search_data())
    if storage is None:
        store = open_store(None, directory)
        list(store.read())
        store.compact([to_record(event) for event in snapshot_events(oracle._state)])
        assert text(ProjectReader(directory).data()) == read


@pytest.mark.parametrize("seed", range(12))
def test_a_search_in_which_everything_happens_is_read_as_known(seed, tmp_path):
    assert_read_as_known(eventful(seed, tmp_path))


@pytest.mark.parametrize("kind", ["asha", "pbt"])
@pytest.mark.parametrize("seed", range(2))
def test_pauses_and_takeovers_are_read_as_known(kind, seed, tmp_path):
    assert_read_as_known(scheduled(seed, kind, tmp_path))


@pytest.mark.parametrize("kind", list(MAKE))
def test_records_of_earlier_versions_are_read_as_known(kind, tmp_path):
    assert_read_as_known(reloaded(kind, tmp_path))


@pytest.mark.parametrize("kind", list(training.ORACLES))
def test_the_records_of_every_tuner_are_read_as_known(kind, tmp_path):
    chance, epochs = random.Random(kind), {"epochs": training.EPOCHS}

    def at(what, *_):
        if what == "epoch" and chance.random() < 0.1:
            raise training.CrashError
        return "nan" if what == "epoch" and chance.random() < 0.1 else None

    with training.installed(growth=3_000), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lenient = {"max_failure_fraction": None, "max_retries_per_trial": 1, "seed": 3}
        tuner = training.tuner_in(tmp_path, kind, at, **lenient)
        tuner.search(verbose=0, **({} if tuner.oracle.scheduler else epochs))
    assert len(tuner.oracle.trials) >= 2
    assert_read_as_known(tuner.oracle)


class Made(kte.Tuner):
    """Reports two executions of made-up curves, of which the first may lack the objective."""

    def run_trial(self, trial):
        hp = trial.hyperparameters
        x, kind = hp.Float("x", 0.0, 1.0), hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", ["a"]):
            if kind == "a":
                hp.Int("units", 1, 4)
        with hp.conditional_scope("kind", ["b"]):
            if kind == "b":
                hp.Int("units", 8, 16, step=2, default=10)
        for execution in range(2):
            for step in range(3):
                metrics = {"cost": x / (step + 1) + execution, "gain": x - execution}
                if x < 0.2 and not execution:
                    del metrics["cost"]
                self.oracle.update_trial(trial.trial_id, metrics, step=step)
        return {"cost": x, "gain": x, "size": 100.0 * x}


def made(directory="runs", storage=None, **goals):
    oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=6, seed=0, **goals)
    oracle.hyperparameters.Choice("kind", ["a", "b"])
    tuner = Made(oracle, directory=directory, project_name="made", storage=storage)
    tuner.search(verbose=0)
    return tuner


GOALS = {
    "one": {"objective": COST},
    "sum": {"objective": [COST, GAIN]},
    "several": {"objectives": [COST, GAIN, keras_tuner.Objective("size", "min")]},
    "constrained": {"objective": GAIN, "constraints": ["size <= 50", "cost < 0.9"]},
    "weighted": {"objectives": [GAIN, COST], "weights": {"gain": 1.0, "cost": 2.0}},
}


@pytest.mark.parametrize("goals", list(GOALS))
def test_executions_results_and_objectives_are_read_as_known(goals):
    tuner = made(**GOALS[goals])
    several = tuner.oracle.goals is not None
    score = {"cost": 0.25, "gain": 0.5, "size": 1.0} if several else 0.25
    tuner.add_trial({"kind": "b", "x": 0.5, "units": 8}, score, [0.5, 0.25])
    assert_read_as_known(tuner.oracle)
    data = tuner.oracle.search_data()
    best = [trial.trial_id for trial in best_first(data)]
    assert best == tuner.oracle.best_ids()
    assert data.scored


def test_a_database_is_read_as_known():
    pytest.importorskip("sqlalchemy")
    url = "sqlite:///runs.db"
    assert_read_as_known(made(storage=url, objective=COST).oracle, url)


def test_several_spaces_and_shared_names_are_read_as_known(tmp_path):
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=COST, max_trials=3, seed=0)
    oracle._set_project_dir(str(tmp_path), "project")
    hp = oracle.hyperparameters
    hp.Choice("kind", ["a", "b", "c"], default="b")
    hp.Boolean("deep", default=True)
    hp.Fixed("fixed", 3)
    hp.Float("rate", 1e-4, 1e-1, sampling="log")
    hp.Float("step", 0.0, 1.0, step=0.25, default=0.5)
    hp.Int("log", 1, 64, sampling="reverse_log")
    hp.Int("grid", 1, 64, step=2, sampling="log")
    hp.Choice("size", [32, 8, 16], ordered=True)
    for kind, low in (("a", 1), ("b", 10)):
        with hp.conditional_scope("kind", [kind]):
            hp.Int("units", low, low + 5)
    for number in range(3):
        trial = oracle.create_trial("worker")
        if number == 1:
            trial.hyperparameters.Boolean("late")
        oracle.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    changed = keras_tuner.HyperParameters()
    changed.Float("rate", 1e-3, 1e-1, sampling="log")
    oracle.redeclare(changed)
    assert_read_as_known(oracle)
