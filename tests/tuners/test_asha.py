"""Searches by successive halving, with real trainings that are paused and resumed."""

import inspect
import signal
import warnings
from pathlib import Path

import keras
import pytest

import kt_extras as kte
from kt_extras.checkpoints.state_file import write_state
from tests.tensorboard.conftest import Dashboard
from tests.tuners.preset_arguments import (
    COMMON,
    NO_FOLDS,
    ONE_EXECUTION,
    PRUNER,
    Row,
    check_argument,
)
from tests.tuners.scheduled import (
    FIT,
    asha,
    check_a_killed_search,
    check_best_models,
    curves,
    search_with_workers,
    searched,
)

SAMPLER = kte.samplers.GaussianProcess(n_startup_trials=3)
ROWS = {
    **COMMON,
    "max_epochs": Row(9, lambda tuner: tuner.oracle.scheduler.max_epochs),
    "min_epochs": Row(3, lambda tuner: tuner.oracle.scheduler.min_epochs),
    "reduction_factor": Row(2, lambda tuner: tuner.oracle.scheduler.reduction_factor),
    "max_trials": Row(7, lambda tuner: tuner.oracle.max_trials),
    "mode": Row("stopping", lambda tuner: tuner.oracle.scheduler.mode),
    "sampler": Row(SAMPLER, lambda tuner: tuner.oracle.sampler.inner.inner),
    "pruner": PRUNER,
    "cross_validation": NO_FOLDS,
    "executions_per_trial": ONE_EXECUTION,
}


@pytest.mark.parametrize("name", ROWS)
def test_an_argument_has_its_effect_when_it_is_given(name):
    check_argument(kte.ASHA, name, ROWS[name])


def test_every_argument_has_a_row():
    assert set(ROWS) == set(inspect.signature(kte.ASHA).parameters) - {"unknown"}


@pytest.fixture(scope="module")
def searched_asha(tmp_path_factory):
    return searched(asha(tmp_path_factory.mktemp("asha")))


def test_a_resumed_trial_has_the_curve_of_an_uninterrupted_one(searched_asha, tmp_path):
    paused = searched_asha.results()
    number = next(row["number"] for row in paused if row["epochs"] == 4)
    whole = searched(asha(tmp_path, min_epochs=4, max_trials=number + 1))
    assert {row["epochs"] for row in whole.results()} == {4}
    assert curves(whole)[number] == curves(searched_asha)[number]


def test_state_files_are_kept_for_paused_trials_only(searched_asha):
    rows = searched_asha.results()
    assert [row["number"] for row in rows] == [0, 1, 2, 3, 4]
    assert {row["state"] for row in rows} == {"paused", "completed"}
    project = Path(searched_asha.project_dir)
    for row in rows:
        states = list((project / f"trial_{row['trial_id']}").glob("state-*"))
        assert len(states) <= (row["state"] == "paused")


@pytest.mark.slow
def test_best_models_have_the_scores_of_their_trials(searched_asha):
    check_best_models(searched_asha)


@pytest.mark.slow
def test_paused_trials_continue_when_max_trials_is_raised(tmp_path):
    first = searched(asha(tmp_path, max_trials=3))
    begun = curves(first)
    second = searched(asha(tmp_path, max_trials=6, resume="must"))
    assert len(second.results()) == 6
    for number, curve in begun.items():
        assert curves(second)[number][: len(curve)] == curve


@pytest.mark.slow
def test_a_trial_is_trained_again_when_its_state_file_is_lost(tmp_path):
    first = searched(asha(tmp_path, max_trials=None, max_total_epochs=4))
    states = list(Path(first.project_dir).glob("trial_*/state-*"))
    assert states
    for state in states:
        state.unlink()
    second = searched(asha(tmp_path, max_trials=6))
    assert len(second.results()) == 6
    assert all(
        set(second.history(n)["epoch"]) == set(range(len(c))) for n, c in curves(second).items()
    )


@pytest.mark.slow
def test_a_trial_is_trained_again_when_its_state_file_is_damaged(tmp_path):
    whole = searched(asha(tmp_path / "whole", max_trials=6))
    first = searched(asha(tmp_path, max_trials=None, max_total_epochs=4))
    states = sorted(Path(first.project_dir).glob("trial_*/state-*"))
    for number, state in enumerate(states):
        if number % 2:
            state.write_bytes(b"")
        else:
            write_state(state, {"format": "of next year"})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        second = searched(asha(tmp_path, max_trials=6))
    said = " ".join(str(warning.message) for warning in caught)
    assert "which is empty or damaged" in said or "is trained again: `path`" in said
    assert second.oracle.totals.failed == 0
    assert curves(second) == curves(whole)


def test_early_stopping_keeps_its_counter_when_a_trial_is_resumed(tmp_path):
    stop = keras.callbacks.EarlyStopping("val_loss", patience=2, min_delta=100.0)
    tuner = searched(asha(tmp_path, max_trials=2, max_epochs=8), callbacks=[stop])
    assert max(row["epochs"] for row in tuner.results()) == 3


def test_more_than_one_execution_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`executions_per_trial` must be 1, got 2"):
        asha(tmp_path, executions_per_trial=2)


def test_a_search_ends_when_max_total_epochs_is_reached(tmp_path):
    tuner = searched(asha(tmp_path, max_trials=None, max_total_epochs=3))
    assert 3 <= sum(row["epochs"] for row in tuner.results()) <= 6


def test_progress_is_printed_in_epochs(tmp_path, capsys):
    tuner = asha(tmp_path, max_trials=3)
    planned = sum(row["new_epochs"] for row in tuner.plan())
    capsys.readouterr()
    tuner.search(**FIT, verbose=1)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    trained = sum(row["epochs"] for row in tuner.results())
    assert trained >= planned
    assert lines[-1].startswith(f"epoch {trained}/{trained} |")
    assert "3 trials" in lines[-1]
    assert "promoted" in lines[-1]
    assert "pruned" not in lines[-1]


def test_tensorboard_shows_rungs_and_promotions(tmp_path):
    logs = tmp_path / "logs"
    tuner = asha(tmp_path / "runs", max_trials=3)
    searched(tuner, callbacks=[keras.callbacks.TensorBoard(logs, write_graph=False)])
    board = Dashboard(logs)
    epochs = {row["trial_id"]: row["epochs"] for row in tuner.results()}
    total = sum(epochs.values())
    reached = [sum(e >= rung for e in epochs.values()) for rung in (1, 2, 4)]
    for rung, count in zip((1, 2, 4), reached, strict=True):
        assert board.curve("search", f"search/rungs/{rung}_epochs")[-1] == (total, count)
    assert board.curve("search", "search/promotions")[-1] == (total, sum(reached[1:]))
    assert f"| 1 | 3 | {', '.join(epochs)} |" in board.text("search", "search/rungs")
    assert {name: row.metrics["epochs"] for name, row in board.trials().items()} == epochs
    best = max(epochs, key=epochs.get)
    steps = [step for step, _ in board.curve(f"{best}/validation", "epoch_loss")]
    assert sorted(steps) == [0, 1, 2, 3]  # files of one second are read in the order of names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Dropped a torn last record")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_search_ends_like_an_uninterrupted_one(searched_asha, tmp_path):
    check_a_killed_search("asha", searched_asha, tmp_path)


@pytest.mark.slow
def test_workers_of_a_chief_resume_each_others_trials(tmp_path):
    rows = search_with_workers("asha", tmp_path).results()
    assert max(row["epochs"] for row in rows) == 4
    assert {row["state"] for row in rows} <= {"paused", "completed"}
