"""Whatever the callbacks of a user write to a path is a trial's own."""

import errno
import gc
import os
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.training.callback_paths import begin_part, give_own_paths

X, Y = np.linspace(-1, 1, 16, dtype="float32")[:, None], np.ones((16, 1), "float32")
DATA = {"validation_data": (X, Y), "batch_size": 8}


def build(hp):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(hp.Float("learning_rate", 1e-3, 1e-1)), "mse")
    return model


def epochs_in(path):
    return [int(line.split(",")[0]) for line in Path(path).read_text().splitlines()[1:]]


class Own(keras.callbacks.Callback):
    """A callback of the user's with paths."""

    def __init__(self, **paths):
        super().__init__()
        vars(self).update(paths)


class Crash(keras.callbacks.Callback):
    """Ends the first trial of a search in its second epoch."""

    crashed = False

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1 and not Crash.crashed:
            Crash.crashed = True
            raise RuntimeError("no")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Keras' open file
def test_files_and_backups_are_each_trials_own_when_one_crashes(capsys):
    callbacks = [
        keras.callbacks.BackupAndRestore("backup"),
        keras.callbacks.ModelCheckpoint("best/{epoch}.weights.h5", save_weights_only=True),
        keras.callbacks.CSVLogger(Path("log.csv")),
        Crash(),
    ]
    Crash.crashed = False
    tuner = kte.TPE(build, "val_loss", max_trials=3, seed=0)
    tuner.search(X, Y, epochs=2, callbacks=callbacks, **DATA)
    gc.collect()  # of the crashed training
    rows = tuner.results()
    assert [row["state"] for row in rows] == ["failed", "completed", "completed"]
    assert [row["epochs"] for row in rows] == [1, 2, 2]
    for row in rows:
        assert epochs_in(Path(row["trial_id"], "log.csv")) == list(range(row["epochs"]))
        assert Path("best", row["trial_id"], "1.weights.h5").parent.exists()
    assert rows[0]["trial_id"] in os.listdir("backup")  # Keras may remove those of the others
    assert {*os.listdir("backup")} <= {row["trial_id"] for row in rows}
    assert not Path("log.csv").exists()
    said = capsys.readouterr().out
    for path in ("backup/<trial id>", "best/<trial id>/{epoch}.weights.h5", "<trial id>/log.csv"):
        assert said.count(f"writes to '{path}'") == 1


def test_executions_have_files_of_their_own():
    tuner = kte.TPE(build, "val_loss", max_trials=1, executions_per_trial=2, seed=0)
    logger = keras.callbacks.CSVLogger("log.csv")
    tuner.search(X, Y, epochs=1, verbose=0, callbacks=[logger], **DATA)
    (trial,) = tuner.results()
    for execution in range(2):
        assert epochs_in(Path(trial["trial_id"], f"execution{execution}", "log.csv")) == [0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "arguments"),
    [
        ("ASHA", {"max_trials": 3, "max_epochs": 4, "reduction_factor": 2}),
        ("BOHB", {"max_trials": 3, "max_epochs": 4, "reduction_factor": 2}),
        ("PBT", {"population_size": 4, "max_epochs": 3, "interval": 1}),
    ],
)
def test_files_and_steps_go_on_after_a_pause(preset, arguments):
    def callbacks(hp, trial):
        logger = keras.callbacks.CSVLogger(f"{trial.trial_id}.csv")
        backup = keras.callbacks.BackupAndRestore("backup")
        return [logger, Board("logs", update_freq=1), backup]

    Board.steps.clear()
    tuner = getattr(kte, preset)(build, "val_loss", seed=0, **arguments)
    tuner.search(X, Y, verbose=0, callbacks=callbacks, **DATA)
    rows = tuner.results()
    assert max(row["epochs"] for row in rows) > 1
    for row in rows:
        assert epochs_in(f"{row['trial_id']}.csv") == list(range(row["epochs"]))
    assert {tuple(steps) for steps in Board.steps} >= {(1, 2, 2), (2, 4, 4)}
    assert all(counted == stepped == 2 * epochs for epochs, counted, stepped in Board.steps)


class Board(keras.callbacks.TensorBoard):
    """Notes its steps, two an epoch, at the end of each epoch."""

    steps: ClassVar = []

    def on_epoch_end(self, epoch, logs=None):
        counted = self._global_train_batch
        Board.steps.append((epoch + 1, counted, int(getattr(self, "_train_step", counted))))
        super().on_epoch_end(epoch, logs)


def test_rows_after_the_resumed_epoch_are_removed():
    Path("log.csv").write_text("epoch;loss\n0;1.0\n1;0.9\n2;0.8\n")
    logger = keras.callbacks.CSVLogger("log.csv", separator=";")
    begin_part(logger, 2)
    assert Path("log.csv").read_text().splitlines() == ["epoch;loss", "0;1.0", "1;0.9"]
    assert logger.append


def test_rows_are_kept_whatever_the_last_write_has_left(monkeypatch):
    whole = b"epoch;loss\n0;1.0\n1;0.9\n"
    Path("log.csv").write_bytes(whole + b"2;0.\xff\x00")
    begin_part(keras.callbacks.CSVLogger("log.csv", separator=";"), 2)
    kept = Path("log.csv").read_bytes()
    assert kept.split() == whole.split()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        begin_part(keras.callbacks.CSVLogger("log.csv", separator=";"), 1)
    assert Path("log.csv").read_bytes() == kept


@pytest.mark.parametrize(
    ("paths", "moved"),
    [
        ({"path": "a/b"}, {"path": "a/7/b"}),
        ({"save_dir": "a"}, {"save_dir": "a/7"}),
        ({"log_file": Path("a.txt")}, {"log_file": Path("7/a.txt")}),
        (
            {"output_dir": "a", "_table_path": "a/t.csv"},
            {"output_dir": "a/7", "_table_path": "a/7/t.csv"},
        ),
        ({"url": "a/b", "monitor": "path"}, {"url": "a/b", "monitor": "path"}),
        ({"path": "https://example.com/a"}, {"path": "https://example.com/a"}),
        ({"path": None}, {"path": None}),
    ],
)
def test_paths_of_callbacks_of_ones_own_are_moved(paths, moved):
    callback = Own(**paths)
    give_own_paths(callback, ["7"], lambda _: None)
    assert {name: vars(callback)[name] for name in moved} == moved


@pytest.mark.parametrize(
    ("log_dir", "folders", "moved"),
    [
        ("logs/0007", ["0007"], "logs/0007"),
        ("logs/0007", ["0007", "execution1"], "logs/0007/execution1"),
        ("logs/20240007", ["0007"], "logs/20240007/0007"),
    ],
)
def test_a_log_dir_that_a_function_has_ended_with_the_trial_is_obeyed(log_dir, folders, moved):
    callback = Own(log_dir=log_dir, _path=f"{log_dir}/a.csv")
    give_own_paths(callback, folders, lambda _: None, made_for_trial=True)
    assert (callback.log_dir, callback._path) == (moved, f"{moved}/a.csv")


def test_a_file_that_may_be_read_is_not_moved_and_the_search_says_so(capsys):
    Path("words.txt").write_text("a")
    tuner = kte.TPE(build, "val_loss", max_trials=2, seed=0)
    tuner.search(X, Y, epochs=1, callbacks=[Own(path="words.txt")], **DATA)
    said = capsys.readouterr().out
    assert said.count("Own has the path 'words.txt', which exists and is not changed") == 1


def test_a_function_that_names_the_trial_is_obeyed():
    tuner = kte.TPE(build, "val_loss", max_trials=2, seed=0)
    tuner.search(
        *(X, Y),
        **{"epochs": 1, "verbose": 0, **DATA},
        callbacks=lambda _, trial: [
            keras.callbacks.CSVLogger(f"of_{trial.trial_id}.csv"),
            keras.callbacks.CSVLogger("shared.csv"),
        ],
    )
    for row in tuner.results():
        assert epochs_in(f"of_{row['trial_id']}.csv") == [0]
        assert epochs_in(Path(row["trial_id"], "shared.csv")) == [0]


def test_the_address_of_a_monitor_is_not_a_path():
    monitor = keras.callbacks.RemoteMonitor(path="/publish/")
    give_own_paths(monitor, ["7"], print)
    assert monitor.path == "/publish/"
