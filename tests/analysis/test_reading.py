"""Records are read into plain data without TensorFlow, without a lock and without a write."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kt_extras.analysis.reading import ProjectReader, recorded_objective
from kt_extras.analysis.recorded_space import RecordedSpace
from kt_extras.storage import DamagedJournalError, Journal, StorageError

RECORDED = Path(__file__).parent.parent / "records" / "recorded"
OPENED = {
    "kind": "project",
    "format": 2,
    "objective": 'Objective(name="loss", direction="min")',
    "seed": 7,
    "t": 0.0,
}
UNITS = {
    "class_name": "Int",
    "config": {
        "name": "units",
        "min_value": 1,
        "max_value": 8,
        "step": 1,
        "sampling": "linear",
        "default": None,
        "conditions": [],
    },
}
SPACE = {"kind": "space", "hyperparameters": {"space": [UNITS], "values": {}}, "t": 0.0}


def begun(trial, units, t=1.0):
    return {"kind": "create", "trial": trial, "values": {"units": units}, "t": t}


def reported(trial, step, loss, t=2.0):
    return {"kind": "report", "trial": trial, "step": step, "metrics": {"loss": loss}, "t": t}


def ended(trial, units, score, best_step, t=3.0):
    end = {"kind": "end", "trial": trial, "state": "completed", "status": "COMPLETED", "t": t}
    values = {"units": units}
    return {
        **end,
        "score": score,
        "best_step": best_step,
        "values": values,
        "message": None,
        "results": {},
    }


@pytest.fixture
def journal(tmp_path):
    """Return the journal of a search with one trial that has ended and one that runs."""
    made = Journal(tmp_path / "digits" / "journal.jsonl")
    for record in (OPENED, SPACE, begun("0000", 3), reported("0000", 0, 0.5)):
        made.append(record)
    made.append(reported("0000", 1, 0.25))
    made.append(ended("0000", 3, 0.25, 1))
    made.append(begun("0001", 5))
    return made


def recorded(tmp_path, kind):
    project = tmp_path / kind
    project.mkdir()
    shutil.copy(RECORDED / f"{kind}.jsonl", project / "journal.jsonl")
    return project


def test_a_trial_has_what_was_recorded_of_it(journal):
    data = ProjectReader(journal.path.parent).data()
    assert (data.name, data.seed, data.space.names) == ("digits", 7, ("units",))
    first, second = data.trials
    assert (first.score, first.best_epoch, first.epochs) == (0.25, 1, 2)
    assert first.metrics == first.objective_values == {"loss": 0.25}
    assert first.executions == ({"steps": [0, 1], "metrics": {"loss": [0.5, 0.25]}},)
    assert (first.seconds, second.seconds, second.state) == (2.0, None, "running")


def test_a_later_read_has_what_was_written_since(journal):
    reader = ProjectReader(journal.path.parent)
    before = reader.data()
    journal.append(reported("0001", 0, 0.125))
    reader.refresh()
    after = reader.data()
    assert (before.trials[1].epochs, after.trials[1].epochs) == (0, 1)
    assert after.trials[0] is before.trials[0]
    journal.append(ended("0001", 5, 0.125, 0))
    reader.refresh()
    assert reader.data().trials[1].score == 0.125
    assert after.trials[1].score is None


def test_a_search_in_the_place_of_another_one_is_read_anew(journal):
    reader = ProjectReader(journal.path.parent)
    journal.delete()
    for record in ({**OPENED, "seed": 8}, SPACE):
        journal.append(record)
    for trial in range(4):
        journal.append(begun(f"{trial:04d}", 1))
    reader.refresh()
    assert (reader.data().seed, len(reader.data().trials)) == (8, 4)


def test_a_half_written_last_record_is_left_for_the_next_read(journal):
    whole = journal.path.read_bytes()
    journal.append(reported("0001", 0, 0.5))
    longer = journal.path.read_bytes()
    journal.path.write_bytes(longer[:-20])
    reader = ProjectReader(journal.path.parent)  # and no warning, which would be an error
    assert reader.data().trials[1].epochs == 0
    journal.path.write_bytes(longer)
    reader.refresh()
    assert reader.data().trials[1].epochs == 1
    assert longer.startswith(whole)


def test_reading_changes_no_file(tmp_path):
    project = recorded(tmp_path, "tpe")
    shutil.copy(RECORDED / "tpe.snapshot.jsonl", project / "snapshot.jsonl")
    tmp_path.chmod(0o555)
    project.chmod(0o555)

    def seen():
        return {path: os.stat(path).st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))}

    try:
        before = seen()
        ProjectReader(project).refresh()
        assert seen() == before
    finally:
        tmp_path.chmod(0o755)
        project.chmod(0o755)


def test_neither_tensorflow_nor_keras_tuner_is_loaded(tmp_path):
    project = recorded(tmp_path, "bohb")
    script = (
        "import sys, kt_extras as kte\n"
        "found = kte.load(sys.argv[1])\n"
        "found.results(), found.best_values(), found.history(0), found.pareto_front()\n"
        "heavy = {'tensorflow', 'keras', 'keras_tuner', 'tensorboard', 'matplotlib', 'pandas',\n"
        "         'sqlalchemy', 'sklearn', 'optuna'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, project], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (reported("0009", 0, 0.5), "KeyError: '0009'"),
        ({"kind": "end", "trial": "0000"}, "KeyError: 'state'"),
        ({**OPENED, "objective": "loss"}, "`objective` must be that of KerasTuner"),
    ],
)
def test_a_record_that_cannot_be_is_named(record, reason, journal):
    journal.append(record)
    with pytest.raises(DamagedJournalError, match=f"Record 8 of .*{reason}"):
        ProjectReader(journal.path.parent)


def test_records_of_a_newer_version_are_refused(journal):
    journal.append({"kind": "of_tomorrow"})
    with pytest.raises(StorageError, match="Upgrade kt_extras"):
        ProjectReader(journal.path.parent)
    journal.delete()
    journal.append({**OPENED, "format": 99})
    with pytest.raises(RuntimeError, match="format 99"):
        ProjectReader(journal.path.parent)


def test_a_space_that_cannot_be_is_refused(journal):
    wrong = {**UNITS, "config": {**UNITS["config"], "name": "other", "max_value": -1}}
    journal.append({**SPACE, "hyperparameters": {"space": [wrong], "values": {}}})
    with pytest.raises(DamagedJournalError, match="must not exceed `high`"):
        ProjectReader(journal.path.parent)


def test_a_hyperparameter_is_added_once_and_replaced_anew():
    other = {**UNITS, "config": {**UNITS["config"], "max_value": 16}}
    declared = RecordedSpace()
    declared.add([UNITS])
    declared.add([other])
    assert declared.space().dimensions[0].high == 8
    declared.add([other], anew=True)
    assert declared.space().dimensions[0].high == 16


def test_an_objective_is_read_from_its_text():
    one = 'Objective(name="a", direction="max")'
    several = f'MultiObjective(name="multi_objective", direction="min"): [{one}, {one}]'
    assert recorded_objective(one).target == ("a", "max")
    assert recorded_objective(several).target == ("multi_objective", "min")
    assert len(recorded_objective(several).parts) == 2
    with pytest.raises(ValueError, match="must be that of KerasTuner"):
        recorded_objective("loss")
