import json
import random

import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.records.search_state import Ledger
from kt_extras.records.snapshot import summary
from kt_extras.records.tables import epochs_of, table
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
        while (step := oracle.entry(trial.trial_id).trained) < 4 and chance.random() < 0.9:
            if oracle.update_trial(trial.trial_id, {"cost": chance.random()}, step).status != (
                "RUNNING"
            ):
                trial.status = "STOPPED"
                break
        trial.status = "INVALID" if chance.random() < 0.1 else trial.status
        if trial.status in {"INVALID", "STOPPED"} or step == 4:
            oracle.end_trial(trial)
    return oracle


def step_count(oracle, trial):
    return sum(map(len, oracle.entry(trial.trial_id).executions))


def ledger_of(events):
    ledger = Ledger(COST, keras_tuner.HyperParameters())
    for event in events:
        ledger.apply(event)
    return ledger


def state(ledger):
    """Return all that a ledger knows, to be compared."""
    entries = list(ledger.entries.values())
    return json.dumps(
        {
            "table": table(entries),
            "epochs": [epochs_of(entry) for entry in entries],
            "attempts": [entry.attempt for entry in entries],
            "stop": [entry.stop_asked for entry in entries],
            "trials": [entry.trial.get_state() for entry in entries],
            "waiting": list(ledger.waiting),
            "enqueued": list(ledger.enqueued),
            "ended": ledger.ended,
            "found": sorted(ledger.found),
            "totals": vars(ledger.totals),
            "declared": ledger.declared,
            "interrupted": ledger.interrupted(),
            "unit": np.array(ledger.history.unit).tolist(),
            "losses": ledger.history.losses.tolist(),
            "states": ledger.history.states.tolist(),
            "curves": [observation.curve.losses.tolist() for observation in ledger.history],
        },
        indent=1,
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_summary_gives_the_same_state_as_all_that_happened(seed, tmp_path):
    oracle = eventful(seed, tmp_path)
    short = json.loads(json.dumps(list(summary(oracle._ledger)), allow_nan=False))
    whole = Journal(tmp_path / "project" / "journal.jsonl").read()
    assert state(ledger_of(short)) == state(ledger_of(whole))


@pytest.mark.parametrize("kind", ["asha", "pbt"])
@pytest.mark.parametrize("seed", range(4))
def test_a_summary_of_a_scheduled_search_gives_the_same_state(seed, kind, tmp_path):
    oracle = scheduled(seed, kind, tmp_path)
    assert oracle.totals.promotions + oracle.totals.exploits
    short = json.loads(json.dumps(list(summary(oracle._ledger)), allow_nan=False))
    whole = list(Journal(tmp_path / "project" / "journal.jsonl").read())
    one, other = ledger_of(short), ledger_of(whole)
    assert state(one) == state(other)
    for name, entry in one.entries.items():
        same = other.entries[name]
        assert (entry.until, entry.rested, entry.takeovers, entry.counted, entry.seconds) == (
            (same.until, same.rested, same.takeovers, same.counted, same.seconds)
        )
        points = [ledger.history.point_at(entry.number, 2) for ledger in (one, other)]
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
    monkeypatch.setattr("kt_extras.storage.journal._WORTH_A_SNAPSHOT", 200)
    eventful(3, tmp_path)
    assert (tmp_path / "project" / "snapshot.jsonl").exists()
    again = kte.SamplerOracle(
        Random(), kte.MedianPruner(2), COST, 40, seed=3, max_retries_per_trial=1
    )
    again._set_project_dir(str(tmp_path), "project")
    again.reload()
    assert finish(again) == finish(plain)
