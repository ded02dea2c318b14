"""What TensorBoard shows of a search, read by the code behind its HPARAMS tab."""

import keras
import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.tuners.search_monitor import SearchMonitor, resumption
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
        tuner.enqueue({"rate": 1e-4, "units": 32, "deep": False})
    tuner.search(X, Y, validation_data=VALIDATION, epochs=3, verbose=0, callbacks=callbacks)
    return tuner


def tensorboard():
    return [keras.callbacks.TensorBoard("logs")]


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A search with a plain TensorBoard callback, and what the dashboard shows of it."""
    logs = str(tmp_path_factory.mktemp("logs"))
    callbacks = [keras.callbacks.TensorBoard(logs)]
    tuner = search(callbacks=callbacks, directory=str(tmp_path_factory.mktemp("search")))
    return tuner, Dashboard(logs)


def test_hparams_show_every_trial_with_a_plain_tensorboard_callback(shown):
    tuner, dashboard = shown
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


def test_curves_are_written_for_each_trial_and_for_the_search(shown):
    tuner, dashboard = shown
    assert {f"{row['trial_id']}/validation" for row in tuner.results()} <= set(dashboard.runs)
    best = dashboard.curve("search", "best/val_accuracy/by_trials")
    assert [step for step, _ in best] == [1, 2, 3, 4]
    assert best[-1][1] == pytest.approx(max(row["score"] for row in tuner.results()))
    epochs = dashboard.curve("search", "best/val_accuracy/by_epochs")
    assert epochs[-1][0] == sum(row["epochs"] for row in tuner.results())
    pruned = dashboard.curve("search", "search/pruned_trials")
    assert pruned[-1][1] == sum(row["state"] == "pruned" for row in tuner.results())


def test_curves_continue_when_a_search_is_resumed():
    search(callbacks=tensorboard(), max_trials=1)
    search(callbacks=tensorboard(), max_trials=3)
    best = Dashboard("logs").curve("search", "best/val_accuracy/by_trials")
    assert [step for step, _ in best] == [1, 2, 3]
    assert len(Dashboard("logs").trials()) == 3


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


@pytest.mark.slow
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


@pytest.mark.slow
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


LOSS = keras_tuner.Objective("val_loss", "min")


def oracle_with(directory=None, kind=kte.ASHAOracle, **kwargs):
    oracle = kind(objective=LOSS, seed=0, **kwargs)
    oracle.hyperparameters.Float("x", 0, 1)
    if directory is not None:
        oracle._set_project_dir(str(directory), "p")
    return oracle


def train(oracle, parts):
    """Train trials, each up to its end or its next pause; return the id of the last one."""
    for _ in range(parts):
        trial, status = oracle.create_trial("worker"), "RUNNING"
        epoch = oracle.trial_record(trial.trial_id).trained
        while status == "RUNNING" and epoch < 4:
            loss = float(trial.trial_id) + 1
            status = oracle.update_trial(trial.trial_id, {"val_loss": loss}, epoch).status
            epoch += 1
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return trial.trial_id


ASHA = {"max_epochs": 4, "reduction_factor": 2, "max_trials": 4}


def test_a_search_that_went_on_with_paused_trials_says_that_it_ended(capsys):
    oracle = oracle_with(**ASHA)
    train(oracle, 6)
    assert oracle.totals.ended == 4
    monitor = SearchMonitor(oracle, "p", visible=True)
    monitor.trial_ended(train(oracle, 1))
    assert oracle.create_trial("worker").status == "STOPPED"
    monitor.report_ending()
    SearchMonitor(oracle, "p", visible=True).report_ending()
    said = capsys.readouterr().out
    assert said.count("Search ended after 4 trials: ") == 1
    assert said.count("No trial was left to run: ") == 1


def test_an_interrupted_trial_is_among_those_to_go(tmp_path):
    settings = {"kind": kte.RandomSearchOracle, "max_trials": 10}
    oracle = oracle_with(tmp_path, **settings)
    train(oracle, 3)
    oracle.create_trial("worker")
    again = oracle_with(tmp_path, **settings)
    again.reload()
    assert resumption(again, "p", []) == "Resuming 'p': 3 trials done, 7 to go."
    assert again.remaining_trials() == 6
    again.max_trials = None
    assert resumption(again, "p", []) == "Resuming 'p': 3 trials done."


@pytest.mark.parametrize(
    ("settings", "parts", "said"),
    [
        ({**ASHA, "max_trials": 9}, 3, "0 trials done, 2 paused, 1 to run again, 6 to begin."),
        (ASHA, 6, "1 trial done, 2 paused, 1 to run again, 0 to begin."),
        (
            {"kind": kte.PBTOracle, "population_size": 3, "max_epochs": 4, "interval": 2},
            3,
            "0 trials done, 2 paused, 1 to run again.",
        ),
    ],
)
def test_paused_trials_are_told_from_those_that_are_done(settings, parts, said):
    oracle = oracle_with(**settings)
    train(oracle, parts)
    oracle.create_trial("worker")
    assert resumption(oracle, "p", []) == f"Resuming 'p': {said}"


def test_a_row_is_written_only_where_its_trial_was_trained():
    oracle = oracle_with(kind=kte.RandomSearchOracle, max_trials=3)
    monitor = SearchMonitor(oracle, "p", visible=False)
    for board in ("logs/a", "logs/b", "logs/a"):
        monitor.trial_began(oracle.create_trial("worker"), board)
        monitor.trial_ended(train(oracle, 1))
    monitor.close(finished=True)
    assert list(Dashboard("logs/a").trials()) == ["p/0000", "p/0002"]
    assert list(Dashboard("logs/b").trials()) == ["p/0001"]


def test_a_function_that_names_the_trial_in_log_dir_has_one_board():
    search(
        callbacks=lambda _, trial: [keras.callbacks.TensorBoard(f"logs/{trial.trial_id}")],
        max_trials=2,
    )
    dashboard = Dashboard("logs")
    runs = [f"{trial}/{run}" for trial in ("0000", "0001") for run in ("train", "validation")]
    assert dashboard.runs == [*runs, "search"]
    assert list(dashboard.trials()) == ["0000", "0001"]


def test_importance_is_shown_once_ten_trials_have_ended():
    def numbers(hp):
        rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
        model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(rate, momentum=hp.Float("momentum", 0, 0.9)), "mse")
        return model

    def search_of(max_trials):
        tuner = kte.RandomSearch(numbers, "loss", max_trials, seed=0)
        tuner.search(X, Y, epochs=1, verbose=0, callbacks=tensorboard())
        return tuner, Dashboard("logs")

    assert "search/importance" not in search_of(9)[1].tags("search")
    tuner, dashboard = search_of(11)
    text = dashboard.text("search", "search/importance")
    assert [name for name in tuner.importance() if f"| {name} |" in text] == ["rate", "momentum"]
