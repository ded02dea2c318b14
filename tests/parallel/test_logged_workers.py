"""The trials of workers are logged by the process that has the records."""

import json

import pytest

import kt_extras as kte
from tests.loggers.recorded import Recorded
from tests.parallel.slow_trials import build_model, data
from tests.tuners.processes import free_port, start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # of Ray, about itself
]

SCRIPT = """
import json, sys
import kt_extras as kte

class Lines(kte.loggers.TrialLogger):
    def begin_search(self, search):
        self.file = open(sys.argv[1] + "/log.jsonl", "a")

    def log_trial(self, trial):
        row = [trial.trial_id, trial.state, trial.curve("cost")[1].tolist()]
        self.file.write(json.dumps(row) + "\\n")

    def end_search(self, *, finished, weights):
        self.file.write(json.dumps(["end", finished]))
        self.file.close()

class Steps(kte.Tuner):
    def run_trial(self, trial, **kwargs):
        x = trial.hyperparameters.Float("x", -1, 1)
        for step in range(2):
            self.oracle.update_trial(trial.trial_id, {"cost": step + 1.0}, step=step)

oracle = kte.SamplerOracle(
    kte.samplers.Random(), objective=kte.Objective("cost", "min"), max_trials=3, seed=0
)
Steps(oracle, directory=sys.argv[1]).search(callbacks=[Lines()], verbose=0)
"""


def test_a_chief_logs_the_trials_of_its_workers(tmp_path):
    port = free_port()
    processes = [start(name, port, tmp_path, SCRIPT) for name in ("chief", "one", "two")]
    outputs = [process.communicate(timeout=200)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    *trials, end = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert sorted(trials) == [[f"{i:04d}", "completed", [1.0, 2.0]] for i in range(3)]
    assert end == ["end", True]


@pytest.mark.exhaustive
@pytest.mark.usefixtures("started_ray")
def test_the_driver_of_workers_logs_their_trials(tmp_path):
    (x, y), logger = data(), Recorded()
    tuner = kte.RandomSearch(build_model, "val_loss", max_trials=3, seed=0, directory=tmp_path)
    given = {"epochs": 2, "validation_data": (x, y), "callbacks": [logger], "verbose": 0}
    tuner.search(x, y, workers=2, **given)
    (_, search), *trials, end = logger.told
    assert search.name == "untitled_project"
    ended = {name: (state, epochs) for name, state, epochs in trials}
    assert ended == {f"{i:04d}": ("completed", 2) for i in range(3)}
    assert end == ("end", True, sorted(ended))
