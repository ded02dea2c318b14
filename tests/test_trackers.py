"""The recipes for trackers log each trial to its own run, also when trials take turns."""

import sys
from collections import defaultdict
from types import SimpleNamespace

import keras_tuner
import pytest

from tests.test_documents import BLOCK, DOCS

LOGGED = {"0000": [(0, 0.5), (1, 0.25)], "0001": [(0, 1.5), (1, 1.25)]}


class Mlflow:
    """What the recipe calls of MLflow."""

    def __init__(self):
        self.values, self.runs, self.ended = defaultdict(list), [], []
        self.MlflowClient = lambda: self

    def set_experiment(self, name):
        return SimpleNamespace(experiment_id=name)

    def create_run(self, experiment_id, run_name):
        self.runs.append(run_name.split()[-1])
        return SimpleNamespace(info=SimpleNamespace(run_id=self.runs[-1]))

    def update_run(self, run_id, status):
        assert status == "RUNNING"

    def log_param(self, run_id, key, value):
        assert (key, value) == ("rate", 0.5)

    def log_metric(self, run_id, key, value, step):
        self.values[run_id].append((step, value))

    def set_terminated(self, run_id):
        self.ended.append(run_id)


class Wandb:
    """What the recipe calls of Weights & Biases."""

    def __init__(self):
        self.values, self.ended = defaultdict(list), []

    def init(self, *, id, reinit, config, **_):
        assert (reinit, config) == ("create_new", {"rate": 0.5})
        trial_id = id.split("-")[-1]

        def log(values, step):
            self.values[trial_id].append((step, values["loss"]))

        return SimpleNamespace(log=log, finish=lambda: self.ended.append(trial_id))


def callbacks_of(name, module, monkeypatch):
    """Return the function that the recipe gives to `search`."""
    found = []
    monkeypatch.setitem(sys.modules, name, module)
    page = (DOCS / "how-to" / "trackers.md").read_text(encoding="utf-8")
    code = next(b["code"] for b in BLOCK.finditer(page) if f"import {name}\n" in b["code"])
    tuner = SimpleNamespace(search=lambda *_, callbacks, **__: found.append(callbacks))
    exec(code, {"tuner": tuner, **dict.fromkeys(("x", "y", "xv", "yv"))})
    return found[0]


@pytest.mark.parametrize(("name", "module"), [("mlflow", Mlflow()), ("wandb", Wandb())])
def test_each_trial_logs_to_its_own_run_when_trials_take_turns(name, module, monkeypatch):
    make, hp = callbacks_of(name, module, monkeypatch), keras_tuner.HyperParameters()
    hp.Fixed("rate", 0.5)
    trials = {trial_id: make(hp, SimpleNamespace(trial_id=trial_id)) for trial_id in LOGGED}
    for (callback,) in trials.values():
        callback.on_train_begin()
    for epoch in range(2):
        for trial_id, (callback,) in trials.items():
            callback.on_epoch_end(epoch, {"loss": LOGGED[trial_id][epoch][1]})
    for (callback,) in trials.values():
        callback.on_train_end()
    assert module.values == LOGGED
    assert module.ended == list(LOGGED)
