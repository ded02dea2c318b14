"""Searches by population based training, with real trainings."""

import inspect
import signal
from pathlib import Path

import keras
import pytest

import kt_extras as kte
from kt_extras.compat import KERAS_3
from tests.tensorboard.conftest import Dashboard
from tests.tuners.preset_arguments import COMMON, NO_FOLDS, ONE_EXECUTION, Row, check_argument
from tests.tuners.scheduled import (
    FIT,
    build,
    check_a_killed_search,
    check_best_models,
    check_curves,
    only_rate,
    pbt,
    search_with_workers,
    searched,
)

ROWS = {
    **COMMON,
    "population_size": Row(5, lambda tuner: tuner.oracle.scheduler.population_size),
    "max_epochs": Row(9, lambda tuner: tuner.oracle.scheduler.max_epochs),
    "interval": Row(3, lambda tuner: tuner.oracle.scheduler.interval),
    "quantile": Row(0.5, lambda tuner: tuner.oracle.scheduler.quantile),
    "resample_probability": Row(0.75, lambda tuner: tuner.oracle.scheduler.resample_probability),
    "perturbation_factors": Row(
        (0.5, 2.0), lambda tuner: tuner.oracle.scheduler.perturbation_factors
    ),
    "explore": Row("pb2", lambda tuner: tuner.oracle.scheduler.explore),
    "mutable": Row(("x",), lambda tuner: tuner.oracle.scheduler.mutable),
    "sampler": Row(kte.samplers.Sobol(), lambda tuner: tuner.oracle.sampler.inner.inner),
    "cross_validation": NO_FOLDS,
    "executions_per_trial": ONE_EXECUTION,
}


@pytest.mark.parametrize("name", ROWS)
def test_an_argument_has_its_effect_when_it_is_given(name):
    check_argument(kte.PBT, name, ROWS[name])


def test_every_argument_has_a_row():
    assert set(ROWS) == set(inspect.signature(kte.PBT).parameters) - {"unknown"}


@pytest.fixture(scope="module")
def searched_pbt(tmp_path_factory):
    return searched(pbt(tmp_path_factory.mktemp("pbt")))


def test_all_members_train_to_the_end(searched_pbt):
    assert [row["epochs"] for row in searched_pbt.results()] == [6] * 4
    assert not list(Path(searched_pbt.project_dir).glob("trial_*/state-*"))


@pytest.mark.slow
def test_best_models_have_the_scores_of_their_trials(searched_pbt):
    check_best_models(searched_pbt)


def test_lineage_lists_the_values_before_and_after_each_exploit(searched_pbt):
    rows = searched_pbt.lineage()
    assert rows
    assert {row["epoch"] for row in rows} <= {2, 4}
    assert all(row["before"] != row["after"] for row in rows)


def test_a_worker_of_a_chief_has_no_schedule(searched_pbt, monkeypatch):
    for name, value in (("ORACLE_IP", "127.0.0.1"), ("ORACLE_PORT", "1"), ("TUNER_ID", "worker0")):
        monkeypatch.setenv(f"KERASTUNER_{name}", value)
    with pytest.warns(UserWarning, match="`lineage` has no rows on a worker"):
        searched_pbt.lineage()
    with pytest.raises(RuntimeError, match="`schedule` needs the records"):
        searched_pbt.schedule()
    with pytest.raises(RuntimeError, match="`refit` needs the records"):
        searched_pbt.refit(FIT["x"], FIT["y"])


def test_the_schedule_ends_with_the_values_of_the_best_member(searched_pbt):
    schedule = searched_pbt.schedule()
    best = searched_pbt.oracle.get_best_trials()[0]
    assert schedule.epochs == best.best_step + 1
    assert schedule.at(best.best_step)["rate"] == best.hyperparameters.get("rate")
    assert type(schedule).from_json(schedule.to_json()) == schedule


def test_a_replayed_schedule_sets_the_learning_rate_of_each_epoch(searched_pbt):
    schedule = searched_pbt.schedule()
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: seen.append(float(model.optimizer.learning_rate.numpy()))
    )
    model = only_rate(searched_pbt.get_best_hyperparameters()[0])
    callbacks = [*schedule.callbacks(), record]
    model.fit(**FIT, epochs=schedule.epochs, callbacks=callbacks, verbose=0)
    if schedule.callbacks():
        assert seen == pytest.approx(schedule.column("rate"))


@pytest.mark.slow
def test_a_refit_follows_the_schedule(searched_pbt):
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: seen.append(float(record.model.optimizer.learning_rate.numpy()))
    )
    schedule = searched_pbt.schedule()
    data = {name: FIT[name] for name in ("x", "y")}
    searched_pbt.refit(**data, callbacks=lambda *_: [record], verbose=0)
    assert seen == pytest.approx(schedule.column("rate"))


class RatesSeen(keras.callbacks.Callback):
    def __init__(self, seen, trial):
        super().__init__()
        self.seen, self.trial = seen, trial

    def on_epoch_end(self, epoch, logs=None):
        rate = float(self.model.optimizer.learning_rate.numpy())
        self.seen.append((self.trial.hyperparameters.get("rate"), rate))


def test_a_member_trains_with_its_own_learning_rate_after_an_exploit(tmp_path):
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
    tuner = searched(pbt(tmp_path, scheduled, max_epochs=4))
    assert tuner.mutable == ("rate",)
    assert [row["epochs"] for row in tuner.results()] == [4] * 4


@pytest.mark.slow
def test_a_member_can_change_the_family_of_its_schedule(tmp_path):
    def build(hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        rate = kte.schedules.tunable(hp, 2, 6, families=["cyclical", "stable_decay"])
        model.compile(keras.optimizers.SGD(rate), "mse")
        return model

    tuner = searched(pbt(tmp_path, build, resample_probability=0.5))
    assert {row["state"] for row in tuner.results()} == {"completed"}
    assert any(row["before"]["schedule"] != row["after"]["schedule"] for row in tuner.lineage())


def test_mutable_refuses_hyperparameters_that_change_a_shape(tmp_path):
    assert pbt(tmp_path / "a", build).mutable == ("rate",)
    with pytest.raises(ValueError, match=r"`mutable` must not name .* got \['units'\]"):
        pbt(tmp_path / "b", build, mutable=["units"])
    with pytest.raises(ValueError, match=r"`mutable` must name hyperparameters .* got \['size'\]"):
        pbt(tmp_path / "c", build, mutable=["size"])


@pytest.mark.slow
def test_a_whole_model_is_copied_when_shapes_differ(tmp_path):
    tuner = searched(pbt(tmp_path, build))
    assert [row["epochs"] for row in tuner.results()] == [6] * 4
    for row in tuner.lineage():
        assert row["after"]["units"] in {2, 4, 8}


def sibling_scopes(hp):
    kind = hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["a"]):
        units = hp.Int("units", 4, 16) if kind == "a" else 0
    with hp.conditional_scope("kind", ["b"]):
        units = hp.Int("units", 32, 64) if kind == "b" else units
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1.0, sampling="log")), "mse")
    return model


@pytest.mark.exhaustive
def test_members_train_to_the_end_when_sibling_scopes_share_a_name(tmp_path):
    tuner = searched(pbt(tmp_path, sibling_scopes))
    assert tuner.mutable == ("rate",)
    assert {row["epochs"] for row in tuner.results()} == {6}
    assert {row["state"] for row in tuner.results()} <= {"completed", "infeasible"}


def with_unnamed_metric(hp):
    drop = keras.layers.Dropout(hp.Float("drop", 0.0, 0.5))
    model = keras.Sequential([keras.Input((4,)), drop, keras.layers.Dense(1)])
    rate = hp.Float("rate", 1e-3, 1.0, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "mse", metrics=[keras.metrics.MeanAbsoluteError()])
    return model


@pytest.mark.slow
def test_metrics_have_the_same_names_in_all_members(tmp_path):
    name = "mean_absolute_error"
    tuner = kte.PBT(
        with_unnamed_metric,
        f"val_{name}",
        population_size=4,
        max_epochs=3,
        interval=1,
        seed=0,
        directory=str(tmp_path),
    )
    searched(tuner)
    assert tuner.lineage()
    assert {row["state"] for row in tuner.results()} == {"completed"}
    for row in tuner.results():
        assert set(tuner.history(row["number"])) >= {name, f"val_{name}"}
        assert not {f"{name}_1", f"val_{name}_1"} & set(tuner.history(row["number"]))


def any_optimizer(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    rate = hp.Float("rate", 1e-3, 0.1, sampling="log")
    choice = hp.Choice("optimizer", ["sgd", "adam"])
    model.compile({"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[choice](rate), "mse")
    return model


@pytest.mark.slow
def test_a_choice_of_optimizer_is_copied_with_the_whole_model(tmp_path):
    with pytest.raises(ValueError, match=r"`mutable` must not name .* got \['optimizer'\]"):
        pbt(tmp_path / "refused", any_optimizer, mutable=["optimizer"])
    tuner = searched(pbt(tmp_path / "found", any_optimizer, interval=1, max_epochs=3))
    assert tuner.mutable == ("rate",)
    assert {row["state"] for row in tuner.results()} == {"completed"}


def with_factors(hp):
    layers = [keras.layers.Dense(2, name="body"), keras.layers.Dense(1, name="head")]
    model = keras.Sequential([keras.Input((4,)), *layers])
    rate = hp.Float("rate", 1e-3, 0.1, sampling="log")
    factors = {"body": hp.Float("factor", 0.01, 1.0, sampling="log")}
    model.compile(kte.optimizers.differential(keras.optimizers.Adam(rate), factors, model), "mse")
    return model


class FactorsSeen(keras.callbacks.Callback):
    def __init__(self, seen, trial):
        super().__init__()
        self.seen, self.values = seen, trial.hyperparameters.values

    def on_epoch_end(self, epoch, logs=None):
        body, head = kte.optimizers.learning_rates(self.model.optimizer).values()
        self.seen.append((self.values["rate"] * self.values["factor"], self.values["rate"]))
        self.seen.append((body, head))


@pytest.mark.exhaustive
def test_members_train_with_their_own_differential_rates(tmp_path):
    seen = []
    tuner = pbt(tmp_path, with_factors, interval=1, max_epochs=3)
    searched(tuner, callbacks=lambda _, trial: [FactorsSeen(seen, trial)])
    assert tuner.mutable == ("rate", "factor")
    assert tuner.lineage()
    assert {row["state"] for row in tuner.results()} == {"completed"}
    for wanted, found in zip(seen[::2], seen[1::2], strict=True):
        assert found == pytest.approx(wanted)


@pytest.mark.slow
def test_tensorboard_shows_the_lineage(tmp_path):
    logs = tmp_path / "logs"
    tuner = pbt(tmp_path / "runs")
    searched(tuner, callbacks=[keras.callbacks.TensorBoard(logs, write_graph=False)])
    board, lineage = Dashboard(logs), tuner.lineage()
    assert board.curve("search", "search/exploits")[-1] == (24, len(lineage))
    text = board.text("search", "search/lineage")
    for row in lineage:
        assert f"| {row['epoch']} | {row['member']:04d} | {row['parent']:04d} | rate=" in text


def states(tuner):
    return [record.state for record in tuner.oracle.trial_records()]


@pytest.mark.skipif(not KERAS_3, reason="stacking needs Keras 3")
def test_members_that_a_dead_process_trained_do_not_overtake_the_others(searched_pbt, tmp_path):
    tuner = None

    def interrupted(hp):
        if tuner and states(tuner) == ["running"] * 3 + ["paused"]:
            raise KeyboardInterrupt
        return only_rate(hp)

    tuner = pbt(tmp_path, interrupted)
    with pytest.raises(KeyboardInterrupt):
        searched(tuner)
    journal = tmp_path / "untitled_project" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"abandon"' not in line))  # as if killed
    tuner = pbt(tmp_path)
    assert states(tuner) == ["running"] * 3 + ["paused"]
    searched(tuner)
    check_curves(tuner, searched_pbt)
    assert tuner.lineage() == searched_pbt.lineage()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Dropped a torn last record")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_search_ends_like_an_uninterrupted_one(searched_pbt, tmp_path):
    check_a_killed_search("pbt", searched_pbt, tmp_path)


@pytest.mark.exhaustive
def test_workers_of_a_chief_resume_each_others_trials(tmp_path):
    rows = search_with_workers("pbt", tmp_path).results()
    assert [row["epochs"] for row in rows] == [6] * 4
    assert {row["state"] for row in rows} <= {"paused", "completed"}
