"""A search in a process of its own that is killed several times with SIGKILL."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras_tuner
import pytest

import kt_extras as kte

OBJECTIVE = keras_tuner.Objective("cost", "min")

SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[2])
from tests.oracles.test_kill import oracle_in, run

print("ready", flush=True)
run(oracle_in(sys.argv[1]), pause=0.002)
"""


def oracle_in(directory):
    oracle = kte.SamplerOracle(
        kte.samplers.TPE(), kte.MedianPruner(2), objective=OBJECTIVE, max_trials=40, seed=3
    )
    oracle._set_project_dir(str(directory), "project")
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    oracle.hyperparameters.Choice("c", ["a", "b", "c"])
    oracle.hyperparameters.values = {}
    if (Path(directory) / "project" / "journal.jsonl").exists():
        oracle.reload()
    return oracle


def run(oracle, pause=0.0):
    while (trial := oracle.create_trial("worker")).status != "STOPPED":
        values = trial.hyperparameters.values
        for step in range(3):
            time.sleep(pause)
            cost = (values["x"] - 0.3) ** 2 + (values["c"] == "b") + 1.0 / (step + 1)
            if oracle.update_trial(trial.trial_id, {"cost": cost}, step).status == "STOPPED":
                break
        trial.status = "COMPLETED"
        oracle.end_trial(trial)


def ends(directory):
    """Return the trials whose ends are in the journal; an incomplete last line is ignored."""
    path = Path(directory) / "project" / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    events = [json.loads(line.partition(b" ")[2]) for line in lines]
    return [event["trial"] for event in events if event["kind"] == "end"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Dropped a torn last record")  # a kill may leave one
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_search_has_the_same_trials_when_it_is_resumed(tmp_path):
    root = str(Path(__file__).parents[2])
    chance = random.Random(0)
    for _ in range(6):
        before = ends(tmp_path)
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path), root],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": root},
        )
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.15))
        process.kill()
        process.communicate()
        assert ends(tmp_path)[: len(before)] == before
    oracle = oracle_in(tmp_path)
    run(oracle)
    assert sorted(ends(tmp_path)) == [f"{number:04d}" for number in range(40)]
    whole = oracle_in(tmp_path / "uninterrupted")
    run(whole)
    assert [t.hyperparameters.values for t in oracle.trials.values()] == [
        t.hyperparameters.values for t in whole.trials.values()
    ]
    assert [t.score for t in oracle.trials.values()] == [t.score for t in whole.trials.values()]
