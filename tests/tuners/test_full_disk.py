"""Searches whose disk is full: no trial is failed for it, and all goes on once there is room."""

import errno
import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras.tensorboard import events
from tests.cases import some
from tests.tuners.models import VALIDATION, X, Y
from tests.tuners.scheduled import asha, curves
from tests.tuners.scheduled import searched as scheduled

ROOT = str(Path(__file__).parents[2])


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def wide(hp):
    layers = [keras.layers.Dense(hp.Int("units", 256, 512)), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((64,)), *layers])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def searched(**kwargs):
    tuner = kte.TPE(wide, "val_accuracy", max_trials=2, seed=0)
    tuner.search(X, Y, validation_data=VALIDATION, epochs=1, verbose=0, **kwargs)
    return tuner


def rows(tuner):
    return [(row["state"], row["score"]) for row in tuner.results()]


FILL = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from tests.tuners.test_full_disk import searched

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
searched()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of this kind")
def test_a_search_ends_and_goes_on_when_its_weights_find_no_room():
    command = [sys.executable, "-c", FILL, ROOT, "30000"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 1, process.stderr  # and not a signal
    assert "Then call `search` again" in process.stderr
    after = searched()
    Path("untitled_project").rename("other")
    assert rows(after) == rows(searched())
    assert len(after.get_best_models(2)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("nth", some([1, 4], [1]))
def test_a_search_ends_and_goes_on_when_its_states_find_no_room(tmp_path, monkeypatch, nth):
    whole = scheduled(asha(tmp_path / "whole", max_trials=3))
    replaced, replace = [], os.replace

    def fill(source, target):
        replaced.append(Path(target).suffix == ".npz")
        if sum(replaced) >= nth and replaced[-1]:
            full()
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fill)
        with pytest.raises(OSError, match="Make room on the disk"):
            scheduled(asha(tmp_path, max_trials=3))
    again = scheduled(asha(tmp_path, max_trials=3))
    assert again.oracle.totals.failed == 0
    assert curves(again) == curves(whole)


@pytest.mark.parametrize("error", [full, "tensorflow"])
def test_a_search_goes_on_when_tensorboard_finds_no_room(monkeypatch, tmp_path, error):
    def fail(*_, **__):
        if error is full:
            full()
        raise tf.errors.ResourceExhaustedError(None, None, "logs; No space left on device")

    monkeypatch.setattr(events, "append", fail)
    monkeypatch.setattr(keras.callbacks.TensorBoard, "on_epoch_end", fail)
    logs = str(tmp_path / "logs")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tuner = searched(callbacks=[keras.callbacks.TensorBoard(logs)])
    assert [state for state, _ in rows(tuner)] == ["completed"] * 2
    said = [str(w.message) for w in caught if "TensorBoard may not show" in str(w.message)]
    assert len(said) == 1
    assert f"since {logs} cannot be written" in said[0]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_search_ends_when_the_users_own_callback_finds_no_room(code):
    class Writes(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise OSError(code, os.strerror(code), "mine.csv")

    with pytest.raises(OSError, match=r"mine\.csv"):
        searched(callbacks=[Writes()])
    assert [state for state, _ in rows(searched())] == ["completed"] * 2


def test_all_that_a_trial_needs_is_synced_before_its_end_is_recorded(monkeypatch):
    synced, missing = set(), []
    fsync = os.fsync

    def watched(descriptor):
        fsync(descriptor)
        inode = os.fstat(descriptor).st_ino
        journal = Path("untitled_project/journal.jsonl")
        if inode == journal.stat().st_ino and b'"end"' in journal.read_bytes().splitlines()[-1]:
            here = Path("untitled_project/trial_0000")
            needed = [here, *(file for file in here.iterdir() if file.name != "trial.json")]
            missing.extend(path.name for path in needed if path.stat().st_ino not in synced)
        synced.add(inode)

    monkeypatch.setattr(os, "fsync", watched)
    tuner = kte.TPE(wide, "val_accuracy", max_trials=1, seed=0)
    tuner.search(X, Y, validation_data=VALIDATION, epochs=1, verbose=0)
    assert len(list(Path("untitled_project/trial_0000").iterdir())) > 1
    assert missing == []
