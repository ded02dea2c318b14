"""A search is loaded with its results, without its tuner and its model."""

import csv
import html
import os
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.analysis.search_data import SearchData, Target, TrialData, data_of
from kt_extras.report import report
from kt_extras.search import Space


class Curves(kte.Tuner):
    """Reports three epochs of a made-up curve."""

    def run_trial(self, trial):
        x = trial.hyperparameters.Float("x", 0.0, 1.0)
        if trial.hyperparameters.Boolean("deep"):
            with trial.hyperparameters.conditional_scope("deep", [True]):
                trial.hyperparameters.Int("depth", 1, 4)
        for step in range(3):
            self.oracle.update_trial(trial.trial_id, {"cost": x / (step + 1), "gain": x}, step=step)


def searched(objective=None, project_name="curves", storage=None, **kwargs):
    oracle = kte.SamplerOracle(
        kte.samplers.Random(), objective=objective, max_trials=4, seed=0, **kwargs
    )
    tuner = Curves(oracle, directory="runs", project_name=project_name, storage=storage)
    tuner.search(verbose=0)
    return tuner


COST, GAIN = keras_tuner.Objective("cost", "min"), keras_tuner.Objective("gain", "max")


@pytest.mark.parametrize("objective", [COST, GAIN, [COST, GAIN]])
@pytest.mark.parametrize("storage", [None, "sqlite:///runs.db"])
def test_results_are_those_of_the_tuner(objective, storage):
    if storage is not None:
        pytest.importorskip("sqlalchemy")
    tuner = searched(objective, storage=storage)
    found = kte.load("runs", "curves", storage=storage)
    assert found.results() == tuner.results()
    assert found.history(2) == tuner.history(2)
    best = [hp.values for hp in tuner.get_best_hyperparameters(3)]
    assert [hp.values for hp in found.get_best_hyperparameters(3)] == best
    assert found.best_values(3) == best
    assert found.best_trial.trial_id == tuner.oracle.get_best_trials(1)[0].trial_id
    assert found.objectives[0].direction == tuner.oracle.objective.direction


def test_best_hyperparameters_have_the_space_of_the_tuner():
    tuner = searched(COST)
    (hp,), (own,) = (
        kte.load("runs/curves").get_best_hyperparameters(),
        (tuner.get_best_hyperparameters()),
    )
    names = {(p.name, str(p.conditions)) for p in own.space}
    assert {p.name for p in hp.space} == {name for name, _ in names}
    assert isinstance(hp.Float("x", 0.0, 1.0), float)
    assert hp.get("x") == own.get("x")


def test_several_objectives_have_a_column_each_and_a_front():
    tuner = searched(objectives=[COST, GAIN], constraints=["cost < 0.2"])
    found = kte.load("runs/curves")
    assert [target.name for target in found.objectives] == ["cost", "gain"]
    for row, trial in zip(found.results(), found.trials, strict=True):
        assert (row["cost"], row["gain"]) == (
            trial.objective_values["cost"],
            trial.objective_values["gain"],
        )
        assert row["violation"] == trial.violation
    front = [trial.trial_id for trial in found.pareto_front()]
    assert front
    assert set(front) <= set(tuner.oracle.best_ids())
    assert found.best_trial.trial_id == tuner.oracle.best_ids()[0]
    values = [trial.objective_values["cost"] for trial in found.pareto_front()]
    assert values == sorted(values)


def test_a_running_search_is_read_and_read_again():
    seen = []

    class Reading(Curves):
        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            if not seen:
                self.found = kte.load("runs", "curves")
            self.found.refresh()
            seen.append([trial.state for trial in self.found.trials])

    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=COST, max_trials=2, seed=0)
    Reading(oracle, directory="runs", project_name="curves").search(verbose=0)
    assert seen == [["completed"], ["completed", "completed"]]


def test_a_project_without_records_is_refused_and_not_created(tmp_path):
    with pytest.raises(FileNotFoundError, match="`project_name` must name a search"):
        kte.load("runs", "other")
    assert list(tmp_path.iterdir()) == []
    pytest.importorskip("sqlalchemy")
    with pytest.raises(FileNotFoundError, match="no records in `storage`"):
        kte.load("runs", "other", storage="sqlite:///none.db")
    with pytest.raises(FileNotFoundError, match="no records in `storage`"):
        kte.load("sqlite:///none.db", "other")
    assert list(tmp_path.iterdir()) == []


def test_an_error_about_a_trial_names_some_of_the_trials():
    trials = tuple(TrialData(n, f"{n:04d}", "completed", {}) for n in range(10_000))
    search = SearchData("many", Space([]), (Target("loss", "min"),), trials)
    with pytest.raises(KeyError, match=r"'0019', ... \(10000 trials\)\], got 'x'") as raised:
        search.trial("x")
    assert len(str(raised.value)) < 400


def test_a_search_of_keras_tuner_itself_is_told_from_none(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "oracle.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"KerasTuner's own.*`warm_start=\["):
        kte.load(tmp_path / "theirs")


def test_a_report_loads_the_search_from_its_database():
    pytest.importorskip("sqlalchemy")
    tuner = searched(COST, storage="sqlite:///runs.db")
    for search in (tuner, kte.load("runs", "curves", storage="sqlite:///runs.db")):
        written = html.unescape(_report_of(search))
        assert "kte.load('sqlite:///runs.db', 'curves')" in written


def _report_of(search):
    data = replace(search.search_data(), trials=())  # without pictures
    held = {"search_data": lambda: data, "oracle": getattr(search, "oracle", search)}
    return report(SimpleNamespace(**held), "report.html").read_text(encoding="utf-8")


def test_the_projects_that_there_are_are_named():
    searched(COST, "one")
    with pytest.raises(FileNotFoundError, match="There is the project 'one'"):
        kte.load("runs")
    searched(COST, "two")
    with pytest.raises(FileNotFoundError, match="There are the projects 'one', 'two'"):
        kte.load("runs", "three")
    pytest.importorskip("sqlalchemy")
    searched(COST, "shared", "sqlite:///runs.db")
    with pytest.raises(ValueError, match=r"`project_name` must be given .* 'shared'"):
        kte.load("sqlite:///runs.db")
    with pytest.raises(FileNotFoundError, match="There is the project 'shared'"):
        kte.load("sqlite:///runs.db", "other")
    assert len(kte.load("sqlite:///runs.db", "shared").trials) == 4


def test_arguments_that_name_no_project_are_refused():
    with pytest.raises(TypeError, match="`path` must be a path"):
        kte.load(3)
    with pytest.raises(ValueError, match="`storage` must not be given"):
        kte.load("sqlite:///a.db", "p", storage="sqlite:///b.db")
    with pytest.raises(ValueError, match="`project_name` must be a name"):
        kte.load("runs", "../other")


def test_a_project_is_found_from_within_its_directory(monkeypatch):
    searched(COST)
    monkeypatch.chdir("runs/curves")
    assert kte.load(".").search_data().name == "curves"


def test_tables_are_written_to_files():
    searched(COST)
    found = kte.load("runs/curves")
    found.to_csv("trials.csv")
    with open("trials.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["cost"]) for row in rows] == [row["cost"] for row in found.results()]
    pandas = pytest.importorskip("pandas")
    frame = found.results(frame=True)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["x"]) == [row["x"] for row in found.results()]
    pytest.importorskip("pyarrow", exc_type=ImportError)  # one for another NumPy, too
    found.to_parquet("trials.parquet")
    assert list(pandas.read_parquet("trials.parquet")["cost"]) == list(frame["cost"])


@pytest.mark.parametrize(("missing", "call"), [("pandas", "frame"), ("pyarrow", "parquet")])
def test_a_library_that_is_missing_is_named(missing, call, monkeypatch):
    searched(COST)
    found = kte.load("runs/curves")
    for name in {missing, "fastparquet"} if missing == "pyarrow" else {missing}:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=f"pip install {missing}"):
        found.results(frame=True) if call == "frame" else found.to_parquet("x.parquet")


def test_data_is_that_of_what_was_loaded():
    tuner = searched(COST)
    assert data_of(kte.load("runs/curves")).trials == data_of(tuner.oracle).trials


SCRIPT = """
import sys, time, keras_tuner, kt_extras as kte
class Slow(kte.Tuner):
    def run_trial(self, trial):
        x = trial.hyperparameters.Float("x", 0.0, 1.0)
        for step in range(5):
            self.oracle.update_trial(trial.trial_id, {"loss": x / (step + 1)}, step=step)
            time.sleep(0.002)
oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=120, seed=0,
                           objective=keras_tuner.Objective("loss", "min"))
Slow(oracle, directory="runs", project_name="slow", storage=sys.argv[1] or None).search(verbose=0)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "storage", ["", pytest.param("sqlite:///runs.db", marks=pytest.mark.exhaustive)]
)
def test_the_search_of_another_process_is_followed_to_its_end(storage, tmp_path):
    if storage:
        pytest.importorskip("sqlalchemy")
    path = (storage, "slow") if storage else ("runs/slow",)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, storage], cwd=tmp_path)
    try:
        found, counts = None, []
        while process.poll() is None:
            try:
                found = found or kte.load(*path)
            except FileNotFoundError:
                time.sleep(0.05)
                continue
            found.refresh()
            fresh = kte.load(*path).search_data()
            assert all(len(t.executions) <= 1 for t in fresh.trials)
            counts.append(sum(trial.epochs for trial in found.trials))
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert counts == sorted(counts)
    assert len(set(counts)) > 5
    found.refresh()
    assert found.search_data() == kte.load(*path).search_data()
    assert (len(found.trials), os.path.exists("runs")) == (120, True)
