import dataclasses
import json
import random

import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.analysis.tables import columns_of, rows_of
from kt_extras.oracles.search_data import search_data
from kt_extras.records.events import (
    DataSeen,
    ModelEvaluated,
    TrialRepeated,
    from_record,
    to_record,
)
from kt_extras.records.search_state import SearchState
from kt_extras.records.snapshot import snapshot_events
from kt_extras.samplers.random import Random
from kt_extras.storage.journal import Journal

COST = keras_tuner.Objective("cost", "max")


def eventful(seed, directory=None):
    """Return an oracle in the middle of a search in which everything has happened."""
    chance = random.Random(seed)
    oracle = kte.SamplerOracle(
        Random(), kte.MedianPruner(2), COST, 40, seed=seed, max_retries_per_trial=1
    )
    if directory is not None:
        oracle._set_project_dir(str(directory), "project")
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    oracle.hyperparameters.Choice("c", ["a", "b"])
    for number in range(15):
        worker = f"worker{chance.randrange(3)}"
        if chance.random() < 0.2:
            oracle.enqueue({"x": chance.random()})
        trial = oracle.create_trial(worker)
        if number == 7:
            trial.hyperparameters.Int("late", 1, 5)
        for step in range(chance.randrange(4)):
            cost = chance.choice([float("nan"), chance.random()])
            report = oracle.update_trial(trial.trial_id, {"cost": cost, "loss": 1.0}, step)
            if report.status == "STOPPED":
                break
        trial.status = chance.choice(["COMPLETED", "COMPLETED", "INVALID", "FAILED", None])
        trial.message = "said something"
        if trial.status is not None and (trial.status != "COMPLETED" or step_count(oracle, trial)):
            try:
                oracle.end_trial(trial)
            except RuntimeError:
                break
    oracle.note_data([DataSeen(part="train", rows=1, sample=["00ff00ff00ff00ff"])])
    oracle._record_data()
    oracle.record(ModelEvaluated(trial="0000", metrics={"a": "nan"}, rows=1, sample=[], at=1.0))
    oracle.record(TrialRepeated(trial="0000", seed=1, setup="", epochs=2, metrics={"a": 0.5}))
    return oracle


def scheduled(seed, kind, directory):
    """Return an oracle with a scheduler in the middle of a search with crashes and two workers."""
    chance = random.Random(seed)
    make = {"asha": kte.ASHAOracle, "pbt": kte.PBTOracle}[kind]
    oracle = make(COST, max_epochs=4, seed=seed, max_retries_per_trial=1, max_failure_fraction=None)
    oracle._set_project_dir(str(directory), "project")
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    for _ in range(60):
        trial = oracle.create_trial(f"worker{chance.randrange(2)}")
        if trial.status in {"STOPPED", "IDLE"}:
            continue
        while (step := oracle.trial_record(trial.trial_id).trained) < 4 and chance.random() < 0.9:
            if oracle.update_trial(trial.trial_id, {"cost": chance.random()}, step).status != (
                "RUNNING"
            ):
                trial.status = "STOPPED"
                break
        trial.status = "INVALID" if chance.random() < 0.1 else trial.status
        if trial.status in {"INVALID", "STOPPED"} or step == 4:
            oracle.end_trial(trial)
    return oracle


def snapshot_of(oracle):
    records = [to_record(event) for event in snapshot_events(oracle._state)]
    return json.loads(json.dumps(records, allow_nan=False))


def step_count(oracle, trial):
    return sum(map(len, oracle.trial_record(trial.trial_id).executions))


def state_of(events):
    state = SearchState(COST, keras_tuner.HyperParameters())
    for event in events:
        state.apply(from_record(event))
    return state


def seen(state):
    """Return all that a state knows, to be compared."""
    trials = list(state.trials.values())
    data = search_data(state, name="project", seconds=0.0)
    bare = tuple(dataclasses.replace(trial, metrics={}) for trial in data.trials)
    return json.dumps(
        {
            "table": rows_of(dataclasses.replace(data, trials=bare)),
            "epochs": list(map(columns_of, data.trials)),
            "attempts": [record.attempt for record in trials],
            "stop": [record.stop_asked for record in trials],
            "trials": [record.trial.get_state() for record in trials],
            "waiting": list(state.waiting),
            "enqueued": list(state.enqueued),
            "ever_enqueued": state.ever_enqueued,
            "ended": state.ended,
            "found": sorted(state.found),
            "totals": vars(state.totals),
            "declared": state.declared,
            "interrupted": state.interrupted(),
            "unit": np.array(state.history.unit).tolist(),
            "losses": state.history.losses.tolist(),
            "states": state.history.states.tolist(),
            "curves": [observation.curve.losses.tolist() for observation in state.history],
        },
        indent=1,
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_snapshot_gives_the_same_state_as_all_that_happened(seed, tmp_path):
    oracle = eventful(seed, tmp_path)
    short = snapshot_of(oracle)
    whole = Journal(tmp_path / "project" / "journal.jsonl").read()
    assert seen(state_of(short)) == seen(state_of(whole))


@pytest.mark.parametrize("kind", ["asha", "pbt"])
@pytest.mark.parametrize("seed", range(4))
def test_a_snapshot_of_a_scheduled_search_gives_the_same_state(seed, kind, tmp_path):
    oracle = scheduled(seed, kind, tmp_path)
    assert oracle.totals.promotions + oracle.totals.exploits
    short = snapshot_of(oracle)
    whole = list(Journal(tmp_path / "project" / "journal.jsonl").read())
    one, other = state_of(short), state_of(whole)
    assert seen(one) == seen(other)
    for trial_id, record in one.trials.items():
        same = other.trials[trial_id]
        for name in ("epoch_budget", "paused_at_epoch", "exploits", "counted", "seconds"):
            assert getattr(record, name) == getattr(same, name)
        points = [state.history.point_at(record.number, 2) for state in (one, other)]
        assert points[0] == points[1]
    assert one.history.brackets.tolist() == other.history.brackets.tolist()


def test_a_search_with_snapshots_goes_on_as_one_without(tmp_path, monkeypatch):
    def finish(oracle):
        while (trial := oracle.create_trial("last")).status != "STOPPED":
            oracle.update_trial(trial.trial_id, {"cost": trial.hyperparameters.get("x")}, 0)
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        return [trial.hyperparameters.values for trial in oracle.trials.values()]

    plain = eventful(3)
    for worker in list(plain.ongoing_trials):
        plain.abandon(worker)
    monkeypatch.setattr("kt_extras.storage.journal._MIN_GROWTH", 200)
    eventful(3, tmp_path)
    assert (tmp_path / "project" / "snapshot.jsonl").exists()
    again = kte.SamplerOracle(
        Random(), kte.MedianPruner(2), COST, 40, seed=3, max_retries_per_trial=1
    )
    again._set_project_dir(str(tmp_path), "project")
    again.reload()
    assert finish(again) == finish(plain)


def test_a_search_that_has_ended_is_read_from_its_snapshot(tmp_path, monkeypatch):
    def oracle():
        made = kte.SamplerOracle(Random(), None, COST, 6, seed=3)
        made._set_project_dir(str(tmp_path), "project")
        return made

    monkeypatch.setattr("kt_extras.storage.journal._MIN_GROWTH", 200)
    search = oracle()
    search.hyperparameters.Float("x", 0.0, 1.0)
    with search.session():
        monkeypatch.setattr(search._recorder._store, "outgrown", lambda: False)
        while (trial := search.create_trial("last")).status != "STOPPED":
            search.update_trial(trial.trial_id, {"cost": trial.hyperparameters.get("x")}, 0)
            trial.status = "COMPLETED"
            search.end_trial(trial)
    assert (tmp_path / "project" / "snapshot.jsonl").exists()
    assert not search._recorder._store.snapshot_is_old()
    again = oracle()
    again.reload()
    assert [one.score for one in again.trials.values()] == [
        one.score for one in search.trials.values()
    ]
