"""A chief and workers of KerasTuner, each in a process of its own."""

import json

import pytest

from tests.tuners.processes import free_port, start

pytestmark = pytest.mark.slow

SCRIPT = """
import sys, time
from pathlib import Path
import keras_tuner
import kt_extras as kte

class Steps(kte.Tuner):
    def run_trial(self, trial):
        Path(sys.argv[1], self.tuner_id).touch()
        while len(list(Path(sys.argv[1]).glob("worker*"))) < 2:
            time.sleep(0.1)  # the chief ends as soon as all workers that it has met have
        x = trial.hyperparameters.Float("x", 0.0, 1.0)
        for step in range(4):
            metrics = {"cost": x / (step + 1), "other": 1.0}
            if self.oracle.update_trial(trial.trial_id, metrics, step=step).status == "STOPPED":
                break

oracle = kte.SamplerOracle(
    kte.samplers.Random(),
    kte.MedianPruner(n_startup_trials=2),
    keras_tuner.Objective("cost", "min"),
    max_trials=12,
    seed=0,
)
oracle.hyperparameters.Float("x", 0.0, 1.0)
Steps(oracle, directory=sys.argv[1], project_name="shared").search()
"""


REJECTING = """
import sys
import keras_tuner
import kt_extras as kte
from kt_extras.tuners.trial_outcome import RejectedModelError

class Rejecting(kte.Tuner):
    def run_trial(self, trial):
        x = trial.hyperparameters.Float("x", 0.0, 1.0)
        if x > 0.5:
            raise RejectedModelError("too large")
        for step in range(2):
            self.oracle.update_trial(trial.trial_id, {"cost": x}, step=step)

cost = keras_tuner.Objective("cost", "min")
oracle = kte.SamplerOracle(kte.samplers.Random(), objective=cost, max_total_epochs=7, seed=0)
oracle.hyperparameters.Float("x", 0.0, 1.0)
Rejecting(oracle, directory=sys.argv[1], project_name="shared").search()
"""


LAST_EPOCHS = """
import sys
import kt_extras as kte
from tests.tuners.models import VALIDATION, X, Y, build

pruner = kte.ThresholdPruner(upper=0.0)  # every loss is above it
tuner = kte.TPE(build, "val_loss", max_trials=4, pruner=pruner, seed=0,
                directory=sys.argv[1], project_name="shared")
tuner.search(X, Y, validation_data=VALIDATION, epochs=int(sys.argv[2]), verbose=0)
"""


CRASHING = """
import sys
import keras_tuner
import kt_extras as kte

class Crashing(kte.Tuner):
    def run_trial(self, trial):
        raise ValueError("the data are missing")

oracle = kte.SamplerOracle(
    kte.samplers.Random(), objective=keras_tuner.Objective("cost", "min"), max_trials=2, seed=0
)
oracle.hyperparameters.Float("x", 0.0, 1.0)
Crashing(oracle, directory=sys.argv[1], project_name="shared").search()
"""


BROKEN = """
import sys, time
from pathlib import Path
import keras_tuner
import kt_extras as kte

class Failing(kte.Tuner):
    def run_trial(self, trial):
        Path(sys.argv[1], self.tuner_id).touch()
        while len(list(Path(sys.argv[1]).glob("worker*"))) < 2:
            time.sleep(0.1)
        if self.tuner_id == "worker0":
            raise ValueError("the data are missing")
        while "worker0-ended" not in [path.name for path in Path(sys.argv[1]).iterdir()]:
            time.sleep(0.1)
        return 1.0

oracle = kte.SamplerOracle(
    kte.samplers.Random(), max_trials=30, max_consecutive_failed_trials=2, seed=0
)
oracle.hyperparameters.Float("x", 0.0, 1.0)
tuner = Failing(oracle, directory=sys.argv[1], project_name="shared")
try:
    tuner.search()
finally:
    Path(sys.argv[1], tuner.tuner_id + "-ended").touch()
"""


ASKING = """
import sys
import kt_extras as kte
from tests.tuners.models import VALIDATION, X, Y, build

class Asking(kte.TPE):
    def on_trial_begin(self, trial):
        super().on_trial_begin(trial)
        if trial.trial_id == "0002":
            best = self.oracle.get_best_trials(2)
            found = self.get_best_hyperparameters(2)
            assert [hp.values for hp in found] == [t.hyperparameters.values for t in best]
            (model,) = self.get_best_models()
            score = model.evaluate(*VALIDATION, verbose=0, return_dict=True)["accuracy"]
            assert abs(score - best[0].score) < 1e-6
            self.refit(X, Y, trial=self.oracle.get_trial("0000"), verbose=0)

tuner = Asking(build, "val_accuracy", max_trials=3, directory=sys.argv[1], project_name="shared")
tuner.search(X, Y, validation_data=VALIDATION, epochs=1, verbose=0)
print(len(tuner.results()), "rows")
"""


def journal_of(directory):
    lines = (directory / "shared" / "journal.jsonl").read_text().splitlines()
    return [json.loads(line.partition(" ")[2]) for line in lines]


@pytest.mark.exhaustive
def test_budget_and_constraint_apply_when_a_chief_runs_the_search(tmp_path):
    port = free_port()
    processes = [start(who, port, tmp_path, REJECTING) for who in ("chief", "worker0")]
    try:
        chief, worker = processes
        said = worker.communicate(timeout=100)[0]
        assert worker.returncode == 0, said
        said = chief.communicate(timeout=60)[0]
        assert "Search ended after 4 trials: `max_total_epochs=7` is spent (8 epochs" in said
        events = journal_of(tmp_path)
        states = [event["state"] for event in events if event["kind"] == "end"]
        assert states.count("completed") == 4
        assert set(states) == {"completed", "rejected"}
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_workers_report_epochs_to_a_chief_that_prunes(tmp_path):
    port = free_port()
    chief = start("chief", port, tmp_path, SCRIPT)
    workers = [start(f"worker{i}", port, tmp_path, SCRIPT) for i in range(2)]
    try:
        for worker in workers:
            said = worker.communicate(timeout=100)[0]
            assert worker.returncode == 0, said
        events = journal_of(tmp_path)
        ended = {event["trial"]: event["state"] for event in events if event["kind"] == "end"}
        assert len(ended) == 12
        assert set(ended.values()) == {"completed", "pruned"}
        epochs = [event["step"] for event in events if event["kind"] == "report"]
        assert len(epochs) > 12
    finally:
        for process in (chief, *workers):
            process.kill()
            process.communicate()


@pytest.mark.parametrize(
    ("epochs", "state"), [pytest.param(1, "completed", marks=pytest.mark.exhaustive), (2, "pruned")]
)
def test_the_last_epoch_of_a_worker_is_not_pruned_by_its_chief(epochs, state, tmp_path):
    port = free_port()
    processes = [
        start(who, port, tmp_path, LAST_EPOCHS, str(epochs)) for who in ("chief", "worker0")
    ]
    try:
        said = processes[1].communicate(timeout=110)[0]
        assert processes[1].returncode == 0, said
        events = journal_of(tmp_path)
        assert [event["state"] for event in events if event["kind"] == "end"] == [state] * 4
        reported = {name for event in events for name in event.get("metrics", ())}
        assert "val_loss" in reported
        assert not {name for name in reported if name.startswith("kt_extras")}
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_crash_in_a_worker_says_why_on_both_sides(tmp_path):
    port = free_port()
    processes = [start(who, port, tmp_path, CRASHING) for who in ("chief", "worker0")]
    try:
        said = processes[1].communicate(timeout=110)[0]
        assert said.count("ValueError: the data are missing") == 2
        assert "in run_trial" in said
        ends = [event for event in journal_of(tmp_path) if event["kind"] == "end"]
        assert [event["state"] for event in ends] == ["failed"] * 2
        assert all("ValueError: the data are missing" in event["message"] for event in ends)
        assert all(set(event["values"]) == {"x"} for event in ends)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.exhaustive
def test_all_processes_end_with_the_report_when_too_many_trials_fail(tmp_path):
    port = free_port()
    processes = [start(who, port, tmp_path, BROKEN) for who in ("chief", "worker0", "worker1")]
    try:
        texts = [process.communicate(timeout=100)[0] for process in processes]
        assert [process.returncode for process in processes] == [1, 1, 1], texts
        for said in texts:
            assert "RuntimeError: The last 2 trials crashed (`max_consecutive_failed" in said
            assert "ValueError: the data are missing" in said
        states = [event["state"] for event in journal_of(tmp_path) if event["kind"] == "end"]
        assert states == ["failed", "failed", "completed"]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_worker_can_ask_for_the_best_while_its_chief_serves(tmp_path):
    port = free_port()
    processes = [start(who, port, tmp_path, ASKING) for who in ("chief", "worker0")]
    try:
        texts = [process.communicate(timeout=110)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], texts
        assert "3 rows" in texts[0]
        assert "0 rows" in texts[1]
        assert "`results` has no rows on a worker: the chief has them" in texts[1]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
