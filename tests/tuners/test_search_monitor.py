"""What TensorBoard shows of a search, read by the code behind its HPARAMS tab."""

import keras
import pytest

import kt_extras as kte
from tests.tensorboard.conftest import Dashboard
from tests.tuners.models import VALIDATION, X, Y, build
from tests.tuners.scheduled import asha, pbt, searched


def search(*, callbacks, max_trials=4, **kwargs):
    tuner = kte.TPE(
        build,
        "val_accuracy",
        max_trials=max_trials,
        seed=0,
        pruner=kte.MedianPruner(n_startup_trials=2),
        **kwargs,
    )
    if not tuner.results():
        tuner.enqueue({"rate": 1e-2, "units": 32, "deep": False})
        tuner.enqueue({"rate": 2e-2, "units": 31, "deep": True})
        tuner.enqueue({"rate": 1e-4, "units": 4, "deep": False})
    tuner.search(X, Y, validation_data=VALIDATION, epochs=3, verbose=0, callbacks=callbacks)
    return tuner


def tensorboard():
    return [keras.callbacks.TensorBoard("logs")]


def test_hparams_show_every_trial_with_a_plain_tensorboard_callback():
    tuner = search(callbacks=tensorboard())
    dashboard = Dashboard("logs")
    trials = dashboard.trials()
    for row in tuner.results():
        shown = trials[row["trial_id"]]
        for name in ("rate", "units", "deep"):
            assert shown.values[name] == pytest.approx(row[name])
        assert ("more" in shown.values) == row["deep"]
        assert shown.metrics["score"] == pytest.approx(row["score"])
        assert shown.metrics["pruned"] == (row["state"] == "pruned")
        assert shown.metrics["epochs"] == row["epochs"]
    assert dashboard.domain("units") == list(range(4, 33))
    assert dashboard.domain("more") == [4, 8, 16]
    assert dashboard.domain("rate") == pytest.approx((1e-4, 1e-1))


def test_curves_are_written_for_each_trial_and_for_the_search():
    tuner = search(callbacks=tensorboard())
    dashboard = Dashboard("logs")
    assert {f"{row['trial_id']}/validation" for row in tuner.results()} <= set(dashboard.runs)
    best = dashboard.curve("search", "best/val_accuracy/by_trials")
    assert [step for step, _ in best] == [1, 2, 3, 4]
    assert best[-1][1] == pytest.approx(max(row["score"] for row in tuner.results()))
    epochs = dashboard.curve("search", "best/val_accuracy/by_epochs")
    assert epochs[-1][0] == sum(row["epochs"] for row in tuner.results())
    pruned = dashboard.curve("search", "search/pruned_trials")
    assert pruned[-1][1] == sum(row["state"] == "pruned" for row in tuner.results())


def test_curves_continue_when_a_search_is_resumed():
    search(callbacks=tensorboard(), max_trials=3)
    search(callbacks=tensorboard(), max_trials=5)
    best = Dashboard("logs").curve("search", "best/val_accuracy/by_trials")
    assert [step for step, _ in best] == [1, 2, 3, 4, 5]
    assert len(Dashboard("logs").trials()) == 5


@pytest.mark.slow
def test_earlier_trials_are_not_shown_when_a_search_is_overwritten():
    search(callbacks=tensorboard(), max_trials=4)
    search(callbacks=tensorboard(), max_trials=3, overwrite=True)
    assert len(Dashboard("logs").trials()) == 3


def test_each_execution_has_a_directory_with_a_callback_subclass():
    class Mine(keras.callbacks.TensorBoard):
        pass

    search(callbacks=[Mine("logs")], max_trials=1, executions_per_trial=2)
    runs = Dashboard("logs").runs
    assert {"0000/execution0/train", "0000/execution1/train"} <= set(runs)


def test_two_projects_in_one_directory_keep_their_rows_and_curves():
    first = search(callbacks=tensorboard(), max_trials=2, project_name="a")
    second = search(callbacks=tensorboard(), max_trials=2, project_name="b")
    dashboard = Dashboard("logs")
    scores = {name: row.metrics["score"] for name, row in dashboard.trials().items()}
    for name, tuner in (("a", first), ("b", second)):
        for row in tuner.results():
            assert scores[f"{name}/{row['trial_id']}"] == pytest.approx(row["score"])
    runs = {"0000/train", "0000/validation", "0001/train", "0001/validation", "search"}
    assert set(dashboard.runs) == runs | {f"b/{run}" for run in runs}


def test_a_population_has_curves_of_what_changes_and_no_constant_ones(tmp_path):
    tuner = searched(pbt(tmp_path), callbacks=tensorboard())
    dashboard = Dashboard("logs")
    tags = dashboard.tags("search")
    assert {tag for tag in tags if not tag.startswith("best/")} == {
        "search/exploits",
        "search/lineage",
    }
    assert "best/val_loss/by_trials" not in tags
    for member in range(4):
        curve = dashboard.curve(f"{member:04d}/train", "hyperparameters/rate")
        assert [step for step, _ in curve] == list(range(6))
        taken = [row for row in tuner.lineage() if row["member"] == member]
        for row in taken:
            assert curve[row["epoch"]][1] == pytest.approx(row["after"]["rate"])
            assert curve[row["epoch"] - 1][1] == pytest.approx(row["before"]["rate"])
    assert len(dashboard.runs) == 2 * 4 + 1


def test_paused_trials_have_two_runs_when_the_search_has_ended(tmp_path):
    tuner = searched(asha(tmp_path), callbacks=tensorboard())
    dashboard = Dashboard("logs")
    states = {row["trial_id"]: row["state"] for row in tuner.results()}
    assert "paused" in states.values()
    assert {name: row.state for name, row in dashboard.trials().items()} == states
    assert len(dashboard.runs) == 2 * len(states) + 1
    for number, row in enumerate(tuner.results()):
        curve = dashboard.curve(f"{row['trial_id']}/train", "trial/score")
        assert curve == [(number, pytest.approx(row["score"]))]
    tuner = searched(asha(tmp_path, max_trials=9), callbacks=tensorboard())
    states = {row["trial_id"]: row["state"] for row in tuner.results()}
    assert {name: row.state for name, row in Dashboard("logs").trials().items()} == states
