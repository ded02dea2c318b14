"""A search read back with TensorBoard's own readers and HParams handlers."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import tensorflow as tf

import kt_extras
from kt_extras.search import Choice, Condition, Float, Int, Space
from kt_extras.search.dimensions import Boolean
from kt_extras.tensorboard import Progress, SearchBoard

SPACE = Space(
    [
        Choice("optimizer", ("sgd", "adam")),
        Float("rate", 1e-4, 1e-1, sampling="log"),
        Float("momentum", 0.0, 0.9, step=0.3, conditions=(Condition("optimizer", ("sgd",)),)),
        Boolean("norm"),
    ]
)
SGD = {"optimizer": "sgd", "rate": 0.01, "momentum": 0.3, "norm": True}
ADAM = {"optimizer": "adam", "rate": 0.001, "norm": False}


@pytest.fixture
def board(log_dir):
    board = SearchBoard(log_dir, "val_accuracy")
    board.describe(SPACE)
    return board


def end(
    board, trial_id, values=ADAM, state="completed", score=0.5, epochs=4, final=True, **metrics
):
    board.end_trial(
        trial_id,
        number=int(trial_id) if trial_id.isdecimal() else 0,
        final=final,
        values=values,
        state=state,
        score=score,
        best_epoch=None if score is None else epochs - 1,
        epochs=epochs,
        metrics=metrics,
    )


def run(board, trial_id, values=ADAM, **how):
    board.begin_trial(trial_id, values)
    end(board, trial_id, values, **how)


def test_every_trial_has_its_values_and_no_others(board, look):
    run(board, "0000", SGD)
    run(board, "0001", ADAM)
    rows = look().trials()
    assert {name: row.values for name, row in rows.items()} == {"0000": SGD, "0001": ADAM}


def test_every_trial_has_its_final_numbers(board, look):
    run(board, "0000", score=0.75, epochs=8, val_accuracy=0.75, loss=0.5)
    assert look().trials()["0000"].metrics == {
        "score": 0.75,
        "pruned": 0,
        "best_epoch": 7,
        "epochs": 8,
        "val_accuracy": 0.75,
        "loss": 0.5,
    }


def test_columns_of_all_trials_are_declared_and_own_numbers_come_first(board, look):
    run(board, "0000", val_loss=1.0)
    run(board, "0001", accuracy=1.0)
    run(board, "0002", val_loss=1.0)
    assert look().metrics == ["score", "pruned", "best_epoch", "epochs", "accuracy", "val_loss"]


@pytest.mark.parametrize(
    ("state", "status", "pruned"),
    [
        ("completed", "SUCCESS", 0),
        ("paused", "SUCCESS", 0),
        ("pruned", "SUCCESS", 1),
        ("infeasible", "FAILURE", 0),
        ("failed", "FAILURE", 0),
        ("rejected", "FAILURE", 0),
    ],
)
@pytest.mark.parametrize("final", [True, False])
def test_the_state_is_a_status_and_a_column(board, look, state, status, pruned, final):
    run(board, "0000", state=state, final=final)
    dashboard = look()
    row = dashboard.trials()["0000"]
    assert row.runs == [os.path.join("0000", "train" if final else state)]
    assert (row.state, row.status) == (state, status)
    assert row.metrics["pruned"] == pruned
    assert {"running", state} <= set(dashboard.domain("state"))


def test_the_column_of_states_has_another_name_beside_a_hyperparameter_state(log_dir, look):
    board = SearchBoard(log_dir, "val_loss")
    board.describe(Space([Choice("state", ("on", "off"))]))
    run(board, "0000", {"state": "on"})
    dashboard = look()
    assert dashboard.trials()["0000"].state == "on"
    assert dashboard.trials()["0000"].values == {"trial_state": "completed"}


def test_a_trial_that_has_ended_for_good_has_no_run_but_those_of_keras(board, look):
    for final in (False, False, True):
        run(board, "0000", state="completed" if final else "paused", final=final)
    assert [name for name in look().runs if name.startswith("0000")] == ["0000/train"]


def test_a_trial_that_goes_on_after_its_end_has_one_row_the_latest(board, look):
    run(board, "0000", state="paused", score=0.5)
    assert look().trials()["0000"].state == "paused"
    board.begin_trial("0000", ADAM)
    assert (row := look().trials()["0000"]).state == "running"
    assert row.runs == [os.path.join("0000", "running")]
    end(board, "0000", state="completed", score=0.75)
    [row] = look().trials().values()
    assert (row.state, row.metrics["score"]) == ("completed", 0.75)
    assert row.runs == [os.path.join("0000", "completed")]  # a running TensorBoard knows `train`


def test_final_numbers_are_a_history_of_the_search(board, look):
    for number in range(3):
        run(board, f"000{number}", score=0.5 + number)
    dashboard = look()
    points = [dashboard.curve(f"000{n}/train", "trial/score") for n in range(3)]
    assert points == [[(0, 0.5)], [(1, 1.5)], [(2, 2.5)]]


def test_the_row_of_several_executions_is_in_the_run_of_the_first(board, log_dir, look):
    (log_dir / "0000" / "execution0" / "train").mkdir(parents=True)
    run(board, "0000")
    assert look().trials()["0000"].runs == [os.path.join("0000", "execution0", "train")]


def test_hyperparameters_that_change_have_curves(board, look):
    schedule = {"rate": [(0, 0.1), (1, 0.1), (2, 0.08)], "optimizer": [(0, 1.0)]}
    board.begin_trial("0000", ADAM)
    how = {"values": ADAM, "state": "completed", "score": 0.5, "best_epoch": 1, "epochs": 3}
    board.end_trial("0000", number=0, metrics={}, schedule=schedule, **how)
    curve = look().curve("0000/train", "hyperparameters/rate")
    assert curve == [(0, pytest.approx(0.1)), (1, pytest.approx(0.1)), (2, pytest.approx(0.08))]


def test_a_metric_named_like_a_hyperparameter_says_what_it_is(log_dir, look):
    board = SearchBoard(log_dir, "val_loss")
    board.describe(Space([Choice("loss", ("focal", "dice")), Int("epochs", 1, 3)]))
    run(board, "0000", {"loss": "focal", "epochs": 2}, loss=0.5, val_loss=0.25, epochs=7)
    dashboard = look()
    assert {"loss (metric)", "epochs (metric)", "val_loss", "score"} <= set(dashboard.metrics)
    assert dashboard.trials()["0000"].metrics["loss (metric)"] == 0.5
    assert dashboard.trials()["0000"].values["loss"] == "focal"


@pytest.mark.parametrize("both", [True, False])
def test_two_projects_in_one_directory_keep_their_rows_and_curves(log_dir, look, both):
    boards = [SearchBoard(log_dir, "val_loss", name, f"../runs/{name}") for name in ("a", "b")]
    for score, board in enumerate(boards if both else [*boards, *boards]):
        board.describe(SPACE if board is boards[0] else Space([Int("units", 1, 3)]))
        run(board, "0000", SGD if board is boards[0] else {"units": 2}, score=float(score))
        board.report(Progress(1, None, 4, 1.0, best=float(score)))
    dashboard = look()
    rows = dashboard.trials()
    assert {name: row.metrics["score"] for name, row in rows.items()} == (
        {"a/0000": 0.0, "b/0000": 1.0} if both else {"a/0000": 2.0, "b/0000": 3.0}
    )
    assert rows["b/0000"].values["units"] == 2
    assert {"units", "optimizer"} <= set(dashboard.columns)
    curves = [name for name in dashboard.runs if "search" in name]
    assert len(curves) == 2
    again = SearchBoard(log_dir, "val_loss", "a", "../runs/a")
    assert again.trial_dir("0000") == boards[0].trial_dir("0000")
    assert SearchBoard(log_dir, "val_loss", "b", "../runs/b").log_dir == boards[1].log_dir


def test_projects_of_one_name_are_told_apart_by_where_they_are(log_dir):
    dirs = [SearchBoard(log_dir, "loss", "a", f"../runs{n}/a").log_dir for n in range(3)]
    assert len(set(dirs)) == 3


def test_clearing_leaves_another_project_in_the_same_directory_alone(log_dir, look):
    first, second = (SearchBoard(log_dir, "val_loss", name, name) for name in "ab")
    for board in (first, second):
        run(board, "0000")
        board.report(Progress(1, None, 4, 1.0, best=0.5))
    first.clear()
    assert list(look().trials()) == ["b/0000"]
    assert SearchBoard(log_dir, "val_loss", "a", "a").log_dir == str(log_dir)
    assert SearchBoard(log_dir, "val_loss", "b", "b").log_dir == second.log_dir


@pytest.mark.parametrize("name", ["b", "search", "0000", "train", "running"])
def test_clearing_leaves_another_project_alone_whatever_its_name_is(log_dir, look, name):
    first, second = (SearchBoard(log_dir, "val_loss", each, f"runs/{each}") for each in ("a", name))
    for board in (first, second):
        board.describe(SPACE)
        run(board, "0000")
        board.report(Progress(1, None, 4, 1.0, best=0.5))
    columns = list(look().columns)
    assert columns
    first.clear()
    assert list(look().trials()) == [f"{name}/0000"]
    assert list(look().columns) == columns
    assert SearchBoard(log_dir, "val_loss", name, f"runs/{name}").log_dir == second.log_dir


def test_clearing_leaves_the_files_of_the_user_alone(board, log_dir):
    theirs = ["search/notes.txt", "search/mine/x", "0000/train/x", "0000/mine/x", "0001/x"]
    for name in theirs:
        (log_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (log_dir / name).write_text("mine")
    for trial in ("0000", "0001"):
        run(board, trial)
    board.report(Progress(1, None, 4, 1.0, best=0.5))
    run(board, "0000", more=1.0)  # a new column
    board.clear()
    found = [path.relative_to(log_dir).as_posix() for path in log_dir.rglob("*") if path.is_file()]
    assert sorted(found) == sorted(theirs)


def test_nothing_is_lost_when_the_disk_was_full_for_a_while(board, log_dir, look, monkeypatch):
    run(board, "0000")
    board.report(Progress(1, None, 4, 1.0, best=0.5))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tf.io.gfile, "copy", full)
        with pytest.raises(OSError, match="No space"):
            run(board, "0001", more=1.0)
    run(board, "0002", more=1.0)
    board.report(Progress(2, None, 4, 1.0, best=0.25))
    [latest] = [name for name in look().runs if name.startswith("search")]
    curve = look().curve(latest, "best/val_accuracy/by_trials")
    assert curve == [(1, 0.5), (2, 0.25)]


def test_a_project_is_known_again_when_the_file_of_its_name_was_torn(log_dir):
    first = SearchBoard(log_dir, "val_loss", "a", "runs/a")
    run(first, "0000")
    (log_dir / "search" / "project").write_text("")
    assert SearchBoard(log_dir, "val_loss", "a", "runs/a").log_dir == first.log_dir


def test_a_running_trial_is_shown_without_numbers(board, look):
    board.begin_trial("0000", SGD)
    row = look().trials()["0000"]
    assert (row.values, row.metrics, row.status) == (SGD, {}, "UNKNOWN")


def test_numbers_that_are_not_finite_are_left_empty(board, look):
    run(board, "0000", state="infeasible", score=None, loss=float("nan"), val_loss=float("inf"))
    assert look().trials()["0000"].metrics == {"pruned": 0, "epochs": 4}


def test_a_resumed_trial_is_one_row_with_its_latest_values(board, look):
    run(board, "0000", SGD, score=0.5, epochs=3)
    run(board, "0000", {**SGD, "rate": 0.02}, score=0.75, epochs=9)
    [row] = look().trials().values()
    assert row.values["rate"] == 0.02
    assert (row.metrics["score"], row.metrics["epochs"]) == (0.75, 9)


def test_a_retried_trial_that_completes_is_shown_as_a_success(board, look):
    run(board, "0000", state="failed", score=None, epochs=5)
    run(board, "0000", score=0.5, epochs=2)
    [row] = look().trials().values()
    assert (row.status, row.metrics["epochs"], row.metrics["score"]) == ("SUCCESS", 2, 0.5)


def test_a_running_tensorboard_sees_every_change_as_new_runs(board, look):
    seen = []
    for _ in range(2):
        board.begin_trial("0000", ADAM)
        seen += look().trials()["0000"].runs
        for _ in range(2):
            end(board, "0000", final=False)
            seen += look().trials()["0000"].runs
    end(board, "0000")
    seen += look().trials()["0000"].runs
    assert len(set(seen)) == len(seen) == 7


def test_a_version_left_by_a_crash_is_removed_with_the_next_change(board, look, log_dir):
    board.begin_trial("0000", ADAM)
    left = log_dir / "0000" / "running"
    files = {file.name: file.read_bytes() for file in left.iterdir()}
    end(board, "0000")
    left.mkdir()
    for name, content in files.items():
        (left / name).write_bytes(content)
    end(board, "0000", score=0.75)
    [row] = look().trials().values()
    assert len(row.runs) == 1
    assert row.metrics["score"] == 0.75


def test_a_larger_space_replaces_the_former_description(board, look):
    run(board, "0000")
    board.describe(Space([*SPACE.dimensions, Int("units", 1, 3)]))
    run(board, "0001", {**ADAM, "units": 2}, val_loss=1.0)
    dashboard = look()
    assert dashboard.domain("units") == [1, 2, 3]
    assert set(dashboard.columns) == {"optimizer", "rate", "momentum", "norm", "units"}
    assert [run for run in dashboard.runs if "search" in run] == ["search_2"]


def test_the_curves_of_a_search_go_on_in_one_run_when_its_space_grows(board, look):
    for number in range(3):
        space = [*SPACE.dimensions, *(Int(f"units{n}", 1, 3) for n in range(number))]
        board.describe(Space(space))
        run(board, f"000{number}")
        board.report(Progress(number + 1, None, 4, 1.0, best=0.5))
    dashboard = look()
    assert [name for name in dashboard.runs if "search" in name] == ["search_3"]
    curve = dashboard.curve("search_3", "best/val_accuracy/by_trials")
    assert curve == [(1, 0.5), (2, 0.5), (3, 0.5)]


def test_no_run_is_without_curves(board, look):
    run(board, "0000", loss=0.5)
    board.report(Progress(1, None, 4, 1.0, best=0.5))
    dashboard = look()
    assert dashboard.runs == ["0000/train", "search"]
    assert all(dashboard.tags(name) for name in dashboard.runs)


def test_describing_the_same_space_again_writes_nothing(board, log_dir):
    def files():
        return {path: path.stat().st_mtime_ns for path in (log_dir / "search").rglob("*")}

    run(board, "0000")
    before = files()
    again = SearchBoard(log_dir, "val_accuracy")
    again.describe(SPACE)
    run(again, "0001")
    assert files() == before


def test_a_description_left_by_a_crash_is_deleted(board, log_dir, look):
    run(board, "0000")
    left = log_dir / "search"
    [file] = left.iterdir()
    content = file.read_bytes()
    larger = [Space([*SPACE.dimensions, *(Int(n, 1, 3) for n in names)]) for names in ("a", "ab")]
    board.describe(larger[0])
    run(board, "0001")
    left.mkdir()
    file.write_bytes(content)
    board.describe(larger[1])
    run(board, "0002")
    assert [name for name in look().runs if "search" in name] == ["search_3"]


def test_two_processes_share_one_description_of_a_space(log_dir, look):
    one, other = (SearchBoard(log_dir, "val_loss") for _ in range(2))
    one.describe(SPACE)
    other.describe(Space([Int("units", 1, 3)]))
    for _ in range(2):
        run(one, "0000")
        run(other, "0001", {"units": 2})
    assert set(look().columns) == {"optimizer", "rate", "momentum", "norm", "units"}
    assert len([name for name in look().runs if "search" in name]) == 1


def test_the_search_has_its_curves(board, look):
    board.report(Progress(trials=1, pruned=0, epochs=8, seconds=3.4, best=None))
    board.report(Progress(trials=2, pruned=1, epochs=10, seconds=5.6, best=0.5))
    board.report(Progress(trials=3, pruned=1, epochs=18, seconds=9.0, best=0.75))
    dashboard = look()
    assert dashboard.curve("search", "best/val_accuracy/by_trials") == [(2, 0.5), (3, 0.75)]
    assert dashboard.curve("search", "best/val_accuracy/by_epochs") == [
        (10, 0.5),
        (18, 0.75),
    ]
    assert dashboard.curve("search", "best/val_accuracy/by_seconds") == [
        (6, 0.5),
        (9, 0.75),
    ]
    assert dashboard.curve("search", "search/pruned_trials") == [(1, 0), (2, 1), (3, 1)]
    board.report(Progress(trials=4, pruned=None, epochs=18, seconds=9.0, best=0.75))
    assert len(look().curve("search", "search/pruned_trials")) == 3


def test_a_search_goes_on_in_another_board(board, log_dir, look):
    run(board, "0000", SGD, val_loss=1.0)
    board.report(Progress(trials=1, pruned=0, epochs=8, seconds=3.0, best=0.5))
    resumed = SearchBoard(log_dir, "val_accuracy")
    resumed.describe(SPACE)
    run(resumed, "0001", state="failed", score=None)
    resumed.report(Progress(trials=2, pruned=0, epochs=8, seconds=4.0, best=0.5))
    dashboard = look()
    assert dashboard.curve("search", "best/val_accuracy/by_trials") == [(1, 0.5), (2, 0.5)]
    assert list(dashboard.trials()) == ["0000", "0001"]
    assert "val_loss" in dashboard.metrics


def test_later_points_are_kept_when_the_last_one_was_cut_off(board, log_dir, look):
    board.report(Progress(trials=1, pruned=0, epochs=1, seconds=1.0, best=0.5))
    board.report(Progress(trials=2, pruned=0, epochs=2, seconds=2.0, best=0.5))
    [file] = [path for path in (log_dir / "search").iterdir() if path.is_file()]
    file.write_bytes(file.read_bytes()[:-7])
    resumed = SearchBoard(log_dir, "val_accuracy")
    resumed.report(Progress(trials=3, pruned=1, epochs=3, seconds=3.0, best=0.75))
    assert look().curve("search", "search/pruned_trials") == [(1, 0), (2, 0), (3, 1)]


def test_clearing_deletes_the_runs_of_a_search_and_nothing_else(board, log_dir, look):
    run(board, "0000")
    (log_dir / "0000" / "validation").mkdir()
    board.report(Progress(trials=1, pruned=0, epochs=8, seconds=3.0, best=0.5))
    run(SearchBoard(log_dir / "other", "val_loss"), "0000")
    (log_dir / "mine").mkdir()
    board.clear()
    assert sorted(os.listdir(log_dir)) == ["mine", "other"]
    assert list(look().trials()) == ["0000"]


def test_clearing_a_directory_that_does_not_exist_does_nothing(tmp_path):
    SearchBoard(tmp_path / "nowhere", "val_loss").clear()


def test_files_of_others_in_a_trial_are_left_alone(board, log_dir):
    for name in ("train", "validation"):
        path = log_dir / "0000" / name
        path.mkdir(parents=True)
        (path / "events.out.tfevents.1.host.v2").write_bytes(b"")
    run(board, "0000")
    run(board, "0000")
    assert sorted(os.listdir(log_dir / "0000")) == ["completed", "train", "validation"]
    assert (log_dir / "0000" / "train" / "events.out.tfevents.1.host.v2").exists()


def test_an_unknown_state_is_rejected(board):
    with pytest.raises(ValueError, match=r"`state` must be one of .*, got 'stopped'"):
        end(board, "0000", state="stopped")


def test_many_trials_leave_no_file_and_no_thread_open(board):
    run(board, "warm")
    board.report(Progress(1, 0, 1, 1.0, 0.5))
    threads, files = threading.active_count(), _open_files()
    for trial in range(20):
        run(board, str(trial))
        board.report(Progress(trial + 2, 0, 1, 1.0, 0.5))
    assert (threading.active_count(), _open_files()) == (threads, files)


def _open_files():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_importing_loads_neither_tensorflow_nor_tensorboard():
    heavy = ("tensorflow", "tensorboard", "keras", "keras_tuner")
    code = (
        "import sys, kt_extras.tensorboard;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(kt_extras.__file__).parent.parent)}
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert loaded.stdout.strip() == "[]"


def test_the_curves_of_the_stock_keras_callback_stand_beside_the_row(board, look):
    import keras
    import numpy as np

    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.zeros((4, 2)), np.zeros((4, 1))
    board.begin_trial("0000", SGD)
    callback = keras.callbacks.TensorBoard(board.trial_dir("0000"), write_graph=False)
    history = model.fit(
        x, y, validation_data=(x, y), epochs=3, verbose=0, callbacks=[callback]
    ).history
    end(board, "0000", SGD, epochs=3, **{name: curve[-1] for name, curve in history.items()})
    dashboard = look()
    validation = dashboard.curve(os.path.join("0000", "validation"), "epoch_loss")
    assert validation == list(enumerate(pytest.approx(v) for v in history["val_loss"]))
    assert dashboard.trials()["0000"].metrics["val_loss"] == pytest.approx(history["val_loss"][-1])


def test_importance_and_hypervolume_are_shown(board, look):
    board.write_importance({"rate": 0.75, "units": 0.25}, ["Fix `units` at 8."], 40)
    board.report(Progress(12, None, 40, 1.0, best=0.5, hypervolume=2.5))
    dashboard = look()
    text = dashboard.text("search", "search/importance")
    assert "| rate | 0.750 |" in text
    assert text.endswith("Fix `units` at 8.")
    assert "best/hypervolume" in dashboard.tags("search")
