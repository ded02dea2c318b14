"""A search touches its own files and no others, and finds them wherever the process goes."""

import os
import subprocess
import sys
from pathlib import Path

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.checkpoints.state_file import write_state
from kt_extras.tuners.project_files import remove_search_files

ROOT = str(Path(__file__).parents[2])
COST = keras_tuner.Objective("cost", "min")


class Sphere(kte.Tuner):
    """Goes to another directory in each trial, if it is told to."""

    goes = False

    def __init__(self, warm_start=None, **kwargs):
        oracle = kte.SamplerOracle(
            kte.samplers.Random(), objective=COST, max_trials=3, seed=0, warm_start=warm_start
        )
        super().__init__(oracle, **kwargs)

    def run_trial(self, trial, **kwargs):
        if self.goes:
            Path("deeper").mkdir()
            os.chdir("deeper")
        return {"cost": trial.hyperparameters.Float("x", 0, 1)}


def searched(**kwargs):
    tuner = Sphere(**kwargs)
    tuner.search(verbose=0)
    return tuner


def files():
    found = {path.as_posix() for path in Path().rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith("runs.db")}  # which come and go


@pytest.mark.parametrize("storage", [None, "sqlite:///runs.db"])
def test_overwriting_removes_the_files_of_the_search_and_no_others(storage):
    searched(project_name="runs/first", storage=storage)
    before = files()
    theirs = ["runs/first/notes.txt", "runs/first/trial_0001/curve.png", "runs/second/trial_0001/x"]
    for name in theirs:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("mine")
    tuner = Sphere(project_name="runs/first", storage=storage, overwrite=True)
    assert tuner.results() == []
    assert files() - before == set(theirs)
    assert not [name for name in files() - set(theirs) if name.startswith("runs/first/")]


def test_a_search_may_begin_warm_from_the_one_that_it_overwrites():
    best = min(row["cost"] for row in searched(project_name="old").results())
    with pytest.raises(FileNotFoundError, match="`warm_start`"):
        Sphere(project_name="old", overwrite=True, warm_start=["missing"])
    assert len(Sphere(project_name="old").results()) == 3
    again = searched(project_name="old", overwrite=True, warm_start=["old"])
    assert min(row["cost"] for row in again.results()) <= best


def test_all_kinds_of_files_of_a_search_are_removed():
    names = ["trial.json", "build_config.json", "checkpoint", "checkpoint.index"]
    names += ["checkpoint.data-00000-of-00001", "checkpoint.weights.h5"]
    names += ["checkpoint.weights.h5.npz", "state-00003.npz.unreadable"]
    for name in names:
        Path("runs/trial_0000").mkdir(parents=True, exist_ok=True)
        Path("runs/trial_0000", name).touch()
    Path("runs/oracle.json").touch()
    write_state(Path("runs/trial_0000/state-00003.npz"), {})
    remove_search_files(Path("runs"))
    assert list(Path("runs").iterdir()) == []


def test_a_folder_that_a_link_leads_to_stays():
    Path("outside").mkdir()
    Path("outside/trial.json").touch()
    Path("runs").mkdir()
    Path("runs/trial_0000").symlink_to(Path("outside").absolute(), target_is_directory=True)
    remove_search_files(Path("runs"))
    assert files() == {"outside/trial.json"}


@pytest.mark.parametrize("name", [".", "..", "../other", "a/../..", "/somewhere"])
def test_nothing_is_removed_when_a_project_has_the_name_of_another_folder(name):
    Path("mine.txt").touch()
    with pytest.raises(ValueError, match="`project_name` must be a name of a folder in `directo"):
        Sphere(project_name=name, overwrite=True)
    assert files() == {"mine.txt"}


@pytest.mark.parametrize("directory", [None, "runs"])
@pytest.mark.parametrize("storage", [None, "sqlite:///runs.db"])
def test_a_search_goes_on_when_the_code_of_its_trials_changes_the_directory(directory, storage):
    began = Path.cwd()
    tuner = Sphere(directory=directory, storage=storage)
    tuner.goes = True
    tuner.search(verbose=0)
    assert Path.cwd() == began / "deeper/deeper/deeper"
    assert len(tuner.results()) == 3
    os.chdir(began)
    assert Sphere(directory=directory, storage=storage).results() == tuner.results()
    assert not [path for path in Path("deeper").rglob("*") if path.is_file()]


KILLED = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from kt_extras.atomic_files import atomic_write

with atomic_write(pathlib.Path(sys.argv[2])) as file:
    os._exit(1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("storage", [None, "sqlite:///runs.db"])
def test_what_a_killed_process_was_writing_is_removed_when_the_search_goes_on(storage):
    searched(storage=storage)
    path = "untitled_project/trial_0000/state-00003.npz"
    subprocess.run([sys.executable, "-c", KILLED, ROOT, path], check=False)
    assert any("state-00003" in name for name in files())
    searched(storage=storage)
    assert not any("state-00003" in name for name in files())
