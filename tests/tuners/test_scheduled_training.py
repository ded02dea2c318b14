"""Searches that pause and resume real trainings."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from tests.tensorboard.conftest import Dashboard
from tests.tuners.test_distributed import free_port, start

ROOT = str(Path(__file__).parents[2])
RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 4)).astype("float32")
Y = (X @ RNG.normal(size=(4, 1)) + 0.1 * RNG.normal(size=(48, 1))).astype("float32")
FIT = {"x": X[:32], "y": Y[:32], "validation_data": (X[32:], Y[32:]), "shuffle": False}


def build(hp):
    units = hp.Choice("units", [2, 4, 8], ordered=True)
    layers = [keras.layers.Dense(units, activation="tanh"), keras.layers.Dropout(0.1)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    rate = hp.Float("rate", 1e-3, 1.0, sampling="log")
    model.compile(keras.optimizers.SGD(rate, momentum=0.5), "mse")
    return model


def only_rate(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    rate = hp.Float("rate", 1e-3, 1.0, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


def asha(directory, **kwargs):
    settings = {"max_epochs": 4, "reduction_factor": 2, "max_trials": 5, "seed": 0, **kwargs}
    return kte.ASHA(build, "val_loss", directory=str(directory), **settings)


def pbt(directory, build=only_rate, **kwargs):
    settings = {"population_size": 4, "max_epochs": 6, "interval": 2, "seed": 0, **kwargs}
    return kte.PBT(build, "val_loss", directory=str(directory), **settings)


def searched(tuner, **kwargs):
    tuner.search(**FIT, verbose=0, **kwargs)
    return tuner


def curves(tuner):
    return {row["number"]: tuner.history(row["number"])["val_loss"] for row in tuner.results()}


@pytest.fixture(scope="module")
def searched_asha(tmp_path_factory):
    return searched(asha(tmp_path_factory.mktemp("asha")))


@pytest.fixture(scope="module")
def searched_pbt(tmp_path_factory):
    return searched(pbt(tmp_path_factory.mktemp("pbt")))


def test_a_trial_that_was_paused_has_the_curve_of_one_that_was_not(searched_asha, tmp_path):
    paused = searched_asha.results()
    number = next(row["number"] for row in paused if row["epochs"] == 4)
    whole = searched(asha(tmp_path, min_epochs=4))
    assert {row["epochs"] for row in whole.results()} == {4}
    assert curves(whole)[number] == curves(searched_asha)[number]


def test_each_trial_stays_one_trial_and_states_are_those_of_paused_ones(searched_asha):
    rows = searched_asha.results()
    assert [row["number"] for row in rows] == [0, 1, 2, 3, 4]
    assert {row["state"] for row in rows} == {"paused", "completed"}
    project = Path(searched_asha.project_dir)
    for row in rows:
        states = list((project / f"trial_{row['trial_id']}").glob("state-*"))
        assert len(states) <= (row["state"] == "paused")


def check_models_are_as_measured(tuner):
    trials = tuner.oracle.get_best_trials(10)
    for model, trial in zip(tuner.get_best_models(10), trials, strict=True):
        loss = model.evaluate(*FIT["validation_data"], verbose=0)
        assert loss == pytest.approx(trial.score, rel=1e-5)


@pytest.mark.parametrize("kind", ["asha", "pbt"])
def test_the_best_models_are_those_that_were_measured_paused_or_not(kind, request):
    check_models_are_as_measured(request.getfixturevalue(f"searched_{kind}"))


def test_raising_max_trials_goes_on_with_the_trials_that_were_paused(tmp_path):
    first = searched(asha(tmp_path, max_trials=3))
    begun = curves(first)
    second = searched(asha(tmp_path, max_trials=6, resume="must"))
    assert len(second.results()) == 6
    for number, curve in begun.items():
        assert curves(second)[number][: len(curve)] == curve


def test_a_trial_whose_state_is_lost_is_trained_anew(tmp_path):
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


def test_early_stopping_counts_on_where_it_was(tmp_path):
    stop = keras.callbacks.EarlyStopping("val_loss", patience=2, min_delta=100.0)
    tuner = searched(asha(tmp_path, max_trials=2, max_epochs=8), callbacks=[stop])
    assert max(row["epochs"] for row in tuner.results()) == 3


@pytest.mark.parametrize("argument", ["epochs", "initial_epoch"])
def test_epochs_are_refused_with_the_name_of_the_argument_to_use(tmp_path, argument):
    with pytest.raises(ValueError, match=f"`{argument}` can't be passed.*`max_epochs`"):
        asha(tmp_path).search(**FIT, **{argument: 3})


@pytest.mark.parametrize("tuner", [asha, pbt])
def test_a_validation_that_leaves_out_a_comparison_is_refused(tuner, tmp_path):
    with pytest.raises(ValueError, match=r"`validation_freq` must have .*val_loss.* measured"):
        tuner(tmp_path).search(**FIT, validation_freq=3)


def test_more_than_one_execution_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`executions_per_trial` must be 1, got 2"):
        asha(tmp_path, executions_per_trial=2)


def test_a_budget_of_epochs_ends_the_search(tmp_path):
    tuner = searched(asha(tmp_path, max_trials=None, max_total_epochs=7))
    assert 7 <= sum(row["epochs"] for row in tuner.results()) <= 10


def test_the_progress_of_a_scheduled_search_is_measured_in_epochs(tmp_path, capsys):
    tuner = asha(tmp_path)
    least = sum(row["new_epochs"] for row in tuner.plan())
    capsys.readouterr()
    tuner.search(**FIT, verbose=1)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert f"/{least} |" in lines[0]
    trained = sum(row["epochs"] for row in tuner.results())
    assert lines[-1].startswith(f"epoch {trained}/{trained} |")
    assert "5 trials" in lines[-1]
    assert "promoted" in lines[-1]
    assert "pruned" not in lines[-1]


def test_bohb_trains_what_it_planned(tmp_path):
    tuner = kte.BOHB(
        build, "val_loss", max_epochs=4, reduction_factor=2, seed=0, directory=str(tmp_path)
    )
    planned = sum(row["new_epochs"] for row in tuner.plan())
    assert sum(row["epochs"] for row in searched(tuner).results()) == planned


def test_a_population_finds_its_way_through_families_of_schedules(tmp_path):
    def build(hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        rate = kte.schedules.tunable(hp, 2, 6, families=["cyclical", "stable_decay"])
        model.compile(keras.optimizers.SGD(rate), "mse")
        return model

    tuner = searched(pbt(tmp_path, build, resample_probability=0.5))
    assert {row["state"] for row in tuner.results()} == {"completed"}
    assert any(row["before"]["schedule"] != row["after"]["schedule"] for row in tuner.lineage())


def test_all_members_of_a_population_train_to_the_end(searched_pbt):
    assert [row["epochs"] for row in searched_pbt.results()] == [6] * 4
    assert not list(Path(searched_pbt.project_dir).glob("trial_*/state-*"))


def test_the_lineage_tells_who_took_over_from_whom(searched_pbt):
    rows = searched_pbt.lineage()
    assert rows
    assert {row["epoch"] for row in rows} <= {2, 4}
    assert all(row["before"] != row["after"] for row in rows)


def test_the_schedule_of_the_best_member_is_what_its_ancestors_had(searched_pbt):
    schedule = searched_pbt.schedule()
    best = searched_pbt.oracle.get_best_trials()[0]
    assert schedule.epochs == best.best_step + 1
    assert schedule.at(best.best_step)["rate"] == best.hyperparameters.get("rate")
    assert type(schedule).from_json(schedule.to_json()) == schedule


def test_a_replayed_schedule_sets_the_learning_rate_of_each_epoch(searched_pbt):
    schedule = searched_pbt.schedule()
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: seen.append(float(model.optimizer.learning_rate.numpy()))
    )
    model = only_rate(searched_pbt.get_best_hyperparameters()[0])
    callbacks = [*schedule.callbacks(), note]
    model.fit(**FIT, epochs=schedule.epochs, callbacks=callbacks, verbose=0)
    if schedule.callbacks():
        assert seen == pytest.approx(schedule.column("rate"))


def test_a_refit_follows_the_schedule(searched_pbt):
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: seen.append(float(note.model.optimizer.learning_rate.numpy()))
    )
    schedule = searched_pbt.schedule()
    data = {name: FIT[name] for name in ("x", "y")}
    searched_pbt.refit(**data, callbacks=lambda *_: [note], verbose=0)
    assert seen == pytest.approx(schedule.column("rate"))


class RatesSeen(keras.callbacks.Callback):
    def __init__(self, seen, trial):
        super().__init__()
        self.seen, self.trial = seen, trial

    def on_epoch_end(self, epoch, logs=None):
        rate = float(self.model.optimizer.learning_rate.numpy())
        self.seen.append((self.trial.hyperparameters.get("rate"), rate))


def test_a_members_own_learning_rate_is_in_force_after_it_took_over(tmp_path):
    seen = []
    tuner = pbt(tmp_path)
    searched(tuner, callbacks=lambda _, trial: [RatesSeen(seen, trial)])
    assert tuner.lineage()
    assert [rate for _, rate in seen] == pytest.approx([given for given, _ in seen])


def scheduled(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    rate = hp.Float("rate", 1e-3, 1.0, sampling="log")
    decay = keras.optimizers.schedules.ExponentialDecay(rate, 10, 0.9)
    model.compile(keras.optimizers.SGD(decay), "mse")
    return model


def test_models_with_a_learning_rate_schedule_can_be_members(tmp_path):
    tuner = searched(pbt(tmp_path, scheduled))
    assert tuner.mutable == ("rate",)
    assert [row["epochs"] for row in tuner.results()] == [6] * 4


def test_what_changes_a_shape_is_found_and_refused(tmp_path):
    assert pbt(tmp_path / "a", build).mutable == ("rate",)
    with pytest.raises(ValueError, match=r"`mutable` must not name .* got \['units'\]"):
        pbt(tmp_path / "b", build, mutable=["units"])
    with pytest.raises(ValueError, match=r"`mutable` must name hyperparameters .* got \['size'\]"):
        pbt(tmp_path / "c", build, mutable=["size"])


def test_members_of_different_shapes_take_over_whole_models(tmp_path):
    tuner = searched(pbt(tmp_path, build))
    assert [row["epochs"] for row in tuner.results()] == [6] * 4
    for row in tuner.lineage():
        assert row["after"]["units"] in {2, 4, 8}


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
    assert steps == [0, 1, 2, 3]


def test_tensorboard_shows_who_took_over_from_whom(tmp_path):
    logs = tmp_path / "logs"
    tuner = pbt(tmp_path / "runs")
    searched(tuner, callbacks=[keras.callbacks.TensorBoard(logs, write_graph=False)])
    board, lineage = Dashboard(logs), tuner.lineage()
    assert board.curve("search", "search/exploits")[-1] == (24, len(lineage))
    text = board.text("search", "search/lineage")
    for row in lineage:
        assert f"| {row['epoch']} | {row['member']:04d} | {row['parent']:04d} | rate=" in text


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.tuners import test_scheduled_training as t
tuner = getattr(t, sys.argv[3])(sys.argv[1])
print("ready", flush=True)
t.searched(tuner)
"""


@pytest.mark.filterwarnings("ignore:Dropped a torn last record")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("kind", ["asha", "pbt"])
def test_a_search_that_is_killed_ends_as_one_that_was_not(kind, request, tmp_path):
    whole = request.getfixturevalue(f"searched_{kind}")
    chance = np.random.default_rng(0)
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path), ROOT, kind],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ROOT},
        )
        while process.stdout.readline().strip() not in {b"ready", b""}:
            pass
        time.sleep(chance.uniform(0.2, 2.5))
        process.kill()
        process.communicate()
    tuner = searched(globals()[kind](tmp_path))
    assert curves(tuner) == curves(whole)
    assert [row["state"] for row in tuner.results()] == [row["state"] for row in whole.results()]
    check_models_are_as_measured(tuner)


WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2] if len(sys.argv) > 2 else ".")
from tests.tuners import test_scheduled_training as t
tuner = t.KIND(sys.argv[1])
if tuner.tuner_id != "chief":
    Path(sys.argv[1], tuner.tuner_id).touch()
    while len(list(Path(sys.argv[1]).glob("worker*"))) < 2:
        time.sleep(0.1)
t.searched(tuner)
"""


@pytest.mark.parametrize("kind", ["asha", "pbt"])
def test_a_chief_and_its_workers_pause_and_resume_each_others_trials(kind, tmp_path):
    port, script = free_port(), WORKER.replace("KIND", kind)
    processes = [start(who, port, tmp_path, script) for who in ("chief", "worker0", "worker1")]
    try:
        outputs = [process.communicate(timeout=110)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    tuner = {"asha": asha, "pbt": pbt}[kind](tmp_path, resume="must")
    epochs = [row["epochs"] for row in tuner.results()]
    assert max(epochs) == 4 if kind == "asha" else epochs == [6] * 4
    assert {row["state"] for row in tuner.results()} <= {"paused", "completed"}


def sibling_scopes(hp):
    kind = hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["a"]):
        units = hp.Int("units", 4, 16) if kind == "a" else 0
    with hp.conditional_scope("kind", ["b"]):
        units = hp.Int("units", 32, 64) if kind == "b" else units
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1.0, sampling="log")), "mse")
    return model


def test_a_population_in_sibling_scopes_of_one_name_is_trained_to_the_end(tmp_path):
    tuner = searched(pbt(tmp_path, sibling_scopes))
    assert tuner.mutable == ("rate",)
    assert {row["epochs"] for row in tuner.results()} == {6}
    assert {row["state"] for row in tuner.results()} <= {"completed", "infeasible"}


def test_the_plan_of_brackets_heeds_max_trials(tmp_path):
    tuner = kte.BOHB(build, "val_loss", max_epochs=9, max_trials=4, directory=str(tmp_path))
    rows = tuner.plan()
    assert [(row["epochs"], row["trials"]) for row in rows] == [(1, 4), (3, 1), (9, 1)]


class Forgetful(keras_tuner.HyperModel):
    """Passes only some of its arguments on to `model.fit`."""

    def __init__(self, *kept, result=None):
        super().__init__()
        self.kept, self.result = kept, result

    def build(self, hp):
        return only_rate(hp)

    def fit(self, hp, model, **kwargs):
        history = model.fit(**{name: kwargs[name] for name in ("x", "y", *self.kept)}, verbose=0)
        return history if self.result is None else self.result


SCHEDULED = {
    "asha": lambda model, **kwargs: kte.ASHA(model, "loss", max_epochs=4, **kwargs),
    "stopping": lambda model, **kwargs: kte.ASHA(
        model, "loss", max_epochs=4, mode="stopping", **kwargs
    ),
    "bohb": lambda model, **kwargs: kte.BOHB(model, "loss", max_epochs=4, **kwargs),
    "pbt": lambda model, **kwargs: kte.PBT(model, "loss", max_epochs=4, interval=2, **kwargs),
}


@pytest.mark.parametrize("kind", sorted(SCHEDULED))
@pytest.mark.parametrize(
    ("model", "argument"),
    [
        (Forgetful("epochs"), "callbacks"),
        (Forgetful("epochs", result=1.0), "callbacks"),
        (Forgetful("callbacks"), "epochs"),
    ],
)
def test_a_fit_that_keeps_what_the_scheduler_says_to_itself_is_an_error(
    kind, model, argument, tmp_path
):
    tuner = SCHEDULED[kind](model, seed=0, directory=str(tmp_path))
    with pytest.raises(ValueError, match=f"`{argument}` must be passed on to `model.fit`"):
        searched(tuner)
    assert not tuner.oracle.end_order


def test_a_fit_that_passes_on_what_the_scheduler_says_is_none(tmp_path):
    model = Forgetful("callbacks", "epochs", "initial_epoch", "validation_data")
    tuner = searched(kte.ASHA(model, "val_loss", max_epochs=2, directory=str(tmp_path)))
    assert {row["epochs"] for row in tuner.results()} == {1, 2}


def test_a_scheduler_needs_more_than_a_number_from_run_trial(tmp_path):
    class Parabola(kte.ASHA):
        def run_trial(self, trial, *args, **kwargs):
            return trial.hyperparameters.Float("x", 0, 1) ** 2

    tuner = Parabola(None, keras_tuner.Objective("cost", "min"), directory=str(tmp_path))
    with pytest.raises(ValueError, match="`callbacks` must be passed on"):
        tuner.search(verbose=0)
