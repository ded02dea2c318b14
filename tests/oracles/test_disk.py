"""Disks that are full or read-only, and files that were removed or changed."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.samplers.random import Random
from kt_extras.storage.journal import DamagedJournalError
from tests.cases import some
from tests.tuners.models import VALIDATION, X, Y, build

COST = keras_tuner.Objective("cost", "min")
ROOT = str(Path(__file__).parents[2])


def oracle_in(directory, max_trials=12):
    oracle = kte.SamplerOracle(Random(), objective=COST, max_trials=max_trials, seed=0)
    oracle._set_project_dir(str(directory), "project")
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    oracle.hyperparameters.values = {}
    if oracle.is_recorded():
        oracle.reload()
    return oracle


def run(oracle):
    while (trial := oracle.create_trial("worker")).status != "STOPPED":
        oracle.update_trial(trial.trial_id, {"cost": trial.hyperparameters.get("x")}, 0)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
        sys.stdout.write(f"{trial.trial_id}\n")
        sys.stdout.flush()
    return [trial.score for trial in oracle.trials.values()]


FILL = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from tests.oracles.test_disk import oracle_in, run

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
run(oracle_in(sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("size_limit", some([900, 1501, 2222], [1501]))
def test_finished_trials_are_kept_when_the_disk_is_full(tmp_path, size_limit):
    command = [sys.executable, "-c", FILL, ROOT, str(tmp_path), str(size_limit)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode != 0
    assert "OSError" in process.stderr
    finished = process.stdout.split()
    # Times have more or fewer digits, so the limit sometimes falls on the end of a record.
    torn = not (tmp_path / "project" / "journal.jsonl").read_bytes().endswith(b"\n")
    warned = pytest.warns(UserWarning, match="Dropped a torn last record")
    with warned if torn else nullcontext():
        oracle = oracle_in(tmp_path)
    assert [name for name in oracle.trials if oracle.get_trial(name).score is not None] == finished
    whole = run(oracle_in(tmp_path / "another"))
    assert run(oracle) == whole


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_search_fails_at_once_when_its_directory_is_read_only(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(PermissionError, match="locked"):
        oracle_in(tmp_path / "locked").create_trial("worker")


def test_a_search_fails_at_once_when_a_file_has_the_projects_name(tmp_path):
    (tmp_path / "project").write_text("")
    with pytest.raises((FileExistsError, NotADirectoryError), match="project"):
        oracle_in(tmp_path).create_trial("worker")


def test_a_bucket_is_refused_and_storage_is_suggested():
    with pytest.raises(ValueError, match=r"`directory` must be on a local disk.*`storage=`"):
        oracle_in("gs://bucket/runs")


def test_results_are_kept_when_trial_directories_are_removed():
    def tuner(**kwargs):
        return kte.TPE(build, "val_accuracy", max_trials=2, seed=0, directory="runs", **kwargs)

    before = tuner()
    before.search(X, Y, validation_data=VALIDATION, epochs=1, verbose=0)
    for path in Path("runs").glob("*/trial_*"):
        shutil.rmtree(path)
    after = tuner()
    assert after.results() == before.results()
    with pytest.raises(FileNotFoundError, match=r"were removed|written none"):
        after.get_best_models()


def outcome_of_loading(directory):
    """Return the scores, None if the journal is refused, and the text of errors and warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            trials = oracle_in(directory, max_trials=2).trials.values()
        except DamagedJournalError as error:
            return None, str(error)
        return [trial.score for trial in trials], " ".join(str(w.message) for w in caught)


def test_a_journal_is_repaired_or_refused_when_a_bit_is_flipped(tmp_path):
    whole = run(oracle_in(tmp_path, max_trials=2))
    journal = tmp_path / "project" / "journal.jsonl"
    text = journal.read_bytes()
    for position in range(0, len(text), 3):
        journal.write_bytes(text[:position] + bytes([text[position] ^ 4]) + text[position + 1 :])
        scores, message = outcome_of_loading(tmp_path)
        assert str(journal) in message
        assert scores is None or scores[0] == whole[0]


def test_trial_files_are_complete_before_they_are_moved_into_place(tmp_path, monkeypatch):
    seen = []
    replace = os.replace

    def watched(source, target):
        seen.append(json.loads(Path(source).read_text())["status"])
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    run(oracle_in(tmp_path, max_trials=3))
    assert seen == ["RUNNING", "COMPLETED"] * 3
