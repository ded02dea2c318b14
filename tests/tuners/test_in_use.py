"""Projects that two tuners use at the same time, and searches that share a database."""

import os
import subprocess
import sys
import time
from pathlib import Path

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.storage.lock import ProjectInUseError

STORES = [None, "sqlite:///runs.db"]


class Line(kte.Tuner):
    """Searches one number; `meanwhile` is called during the first trial."""

    def __init__(self, meanwhile=None, max_trials=3, **kwargs):
        hp = keras_tuner.HyperParameters()
        hp.Float("x", 0.0, 1.0)
        self.meanwhile = meanwhile
        super().__init__(kte.TPEOracle(max_trials=max_trials, seed=0, hyperparameters=hp), **kwargs)

    def run_trial(self, trial):
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return trial.hyperparameters.get("x")


@pytest.fixture(params=STORES, ids=["journal", "database"])
def storage(request):
    if request.param:
        pytest.importorskip("sqlalchemy")
    return request.param


def test_a_second_search_of_a_project_is_refused_while_the_first_runs(storage):
    def second():
        other = Line(storage=storage)
        with pytest.raises(ProjectInUseError, match="untitled_project"):
            other.search(verbose=0)

    tuner = Line(second, storage=storage)
    tuner.search(verbose=0)
    assert len(tuner.results()) == 3


def test_a_project_in_use_cannot_be_overwritten(storage):
    def second():
        with pytest.raises(ProjectInUseError, match="untitled_project"):
            Line(storage=storage, overwrite=True)

    tuner = Line(second, storage=storage)
    tuner.search(verbose=0)
    assert len(Line(storage=storage).results()) == 3


def test_results_can_be_read_while_a_search_runs(storage):
    seen = []
    tuner = Line(lambda: seen.append(Line(storage=storage).results()), storage=storage)
    tuner.search(verbose=0)
    assert [row["state"] for row in seen[0]] == ["running"]


def test_a_waiting_tuner_continues_after_the_other_search_has_ended(storage):
    Line(storage=storage)
    waiting = Line(max_trials=5, storage=storage)
    first = Line(storage=storage)
    first.search(verbose=0)
    waiting.search(verbose=0)
    assert [row["number"] for row in waiting.results()] == [0, 1, 2, 3, 4]
    assert waiting.results()[:3] == first.results()


def test_a_waiting_tuner_does_not_repeat_the_trials_of_the_other(storage):
    waiting, begun = [], []

    class Noted(Line):
        def run_trial(self, trial):
            begun.append(trial.trial_id)
            return super().run_trial(trial)

    first = Noted(lambda: waiting.append(Noted(max_trials=5, storage=storage)), storage=storage)
    first.search(verbose=0)
    waiting[0].search(verbose=0)
    assert begun == ["0000", "0001", "0002", "0003", "0004"]
    assert waiting[0].results()[:3] == first.results()


def test_overwrite_removes_the_earlier_search(storage):
    Line(max_trials=5, storage=storage).search(verbose=0)
    tuner = Line(storage=storage, overwrite=True)
    assert tuner.results() == []
    tuner.search(verbose=0)
    assert len(Line(storage=storage).results()) == 3


def test_a_database_holds_many_searches():
    pytest.importorskip("sqlalchemy")
    for name, trials in (("one", 2), ("two", 4)):
        Line(max_trials=trials, storage=STORES[1], project_name=name).search(verbose=0)
    assert len(Line(storage=STORES[1], project_name="one").results()) == 2
    assert len(Line(storage=STORES[1], project_name="two").results()) == 4


def test_a_worker_leaves_points_and_trials_of_elsewhere_to_the_chief(monkeypatch):
    tuner = Line()
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "8000")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker0")
    tuner.enqueue({"x": 0.25})
    assert tuner.add_trial({"x": 0.5}, 0.5) == ""
    assert not os.listdir(tuner.project_dir)
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    assert tuner.add_trial({"x": 0.5}, 0.5) == "0000"
    assert [row["x"] for row in tuner.results()] == [0.5]


@pytest.mark.slow
def test_a_lock_is_released_when_its_process_is_killed(tmp_path):
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from tests.tuners.test_in_use import Line\n"
        "Line(lambda: (print('inside', flush=True), time.sleep(600))).search(verbose=0)"
    )
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", script, root], stdout=subprocess.PIPE, text=True
    )
    while "inside" not in process.stdout.readline():
        assert process.poll() is None
    with pytest.raises(ProjectInUseError, match=f"process {process.pid}"):
        Line().search(verbose=0)
    process.kill()
    process.communicate()
    time.sleep(0.1)
    tuner = Line()
    tuner.search(verbose=0)
    assert [row["state"] for row in tuner.results()] == ["completed"] * 3


def test_an_error_names_the_extra_when_sqlalchemy_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    for module in [name for name in sys.modules if name.startswith("kt_extras.storage.")]:
        if module.rpartition(".")[2] not in {"journal", "lock", "store"}:
            monkeypatch.delitem(sys.modules, module)
    with pytest.raises(ModuleNotFoundError, match=r"pip install kt_extras\[sql\]"):
        Line(storage="sqlite:///runs.db")
