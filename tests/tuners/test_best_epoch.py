"""What a trial was in its best epoch, and what is left of it if it runs again."""

import math
import os
import signal

import keras
import pytest

import kt_extras as kte
from tests.tuners.test_scheduled_training import FIT, asha, build, only_rate, pbt, searched

LATE = {0: [5, 0.01, 9, 9, 9, 9], 1: [4, 3, 2, 2, 2, 2]}  # member 0 is best, and falls behind


class Scripted(keras.callbacks.Callback):
    """Reports losses by heart."""

    def __init__(self, trial):
        super().__init__()
        self.losses = LATE.get(int(trial.trial_id), [5] * 6)

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = float(self.losses[epoch])


@pytest.fixture(scope="module", params=[only_rate, build])
def fallen(request, tmp_path_factory):
    """A population whose best member took over from another one after its best epoch."""
    tuner = pbt(tmp_path_factory.mktemp("pbt"), request.param, interval=3)
    for rate, units in ((0.5, 2), (0.01, 8)):
        shape = {"units": units} if request.param is build else {}
        tuner.enqueue({"rate": rate, **shape})
    return searched(tuner, callbacks=lambda _, trial: [Scripted(trial)])


def test_the_best_epoch_is_before_the_takeover(fallen):
    assert next((row["member"], row["parent"]) for row in fallen.lineage()) == (0, 1)
    best = fallen.results()[0]
    assert (best["score"], best["best_epoch"], best["state"]) == (0.01, 1, "completed")


def test_values_and_schedule_are_those_of_the_best_epoch(fallen):
    assert fallen.results()[0]["rate"] == 0.5
    assert fallen.get_best_hyperparameters()[0].get("rate") == 0.5
    schedule = fallen.schedule()
    assert (schedule.starts, schedule.epochs) == ((0,), 2)
    assert schedule.column("rate") == [0.5, 0.5]


def test_the_model_of_the_best_epoch_is_kept_whatever_its_shape(fallen):
    model = fallen.get_best_models()[0]
    units = fallen.results()[0].get("units")
    assert units is None or model.layers[0].units == units == 2
    again = fallen.refit(FIT["x"], FIT["y"], shuffle=False, verbose=0)
    for kept, trained in zip(model.get_weights(), again.get_weights(), strict=True):
        assert kept == pytest.approx(trained, abs=1e-5)


class InterruptedAt(keras.callbacks.Callback):
    """Presses Ctrl-C in an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)


def interrupted(tuner, epoch):
    with pytest.raises(KeyboardInterrupt):
        searched(tuner, callbacks=lambda *_: [InterruptedAt(epoch)])
    return tuner


def test_a_leader_that_is_interrupted_while_it_goes_on_stays_the_leader(tmp_path):
    tuner = interrupted(asha(tmp_path), 2)
    promoted = next(row for row in tuner.results() if row["epochs"] >= 2 and row["score"])
    for found in (tuner, asha(tmp_path)):
        scores = {row["number"]: row["score"] for row in found.results()}
        best = found.oracle.get_best_trials()[0]
        assert best.score == min(score for score in scores.values() if score is not None)
        assert scores[promoted["number"]] == promoted["score"]
        found.get_best_models()


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_member_that_had_diverged_and_is_interrupted_has_no_score(loss, tmp_path):
    def oracle():
        made = kte.PBTOracle("val_loss", population_size=2, max_epochs=2, interval=1, seed=0)
        made.hyperparameters.Float("rate", 0, 1)
        made._set_project_dir(str(tmp_path), "project")
        return made

    first = oracle()
    for value in (loss, 0.5):
        trial = first.create_trial("worker")
        first.update_trial(trial.trial_id, {"val_loss": value}, step=0)
        trial.status = "COMPLETED"
        first.end_trial(trial)
    assert first.create_trial("worker").trial_id == "0000"  # goes on with the other's state
    again = oracle()
    again.reload()
    for found in (first, again):
        assert [trial.trial_id for trial in found.get_best_trials(2)] == ["0001"]


def test_wishes_of_the_user_are_no_deaths(tmp_path):
    for _ in range(6):
        tuner = interrupted(asha(tmp_path, min_epochs=2), 0)
        assert [row["state"] for row in tuner.results()] == ["running"]
    assert tuner.oracle.trial_record("0000").attempt <= 1
    assert {row["state"] for row in searched(asha(tmp_path, min_epochs=2)).results()} <= {
        "completed",
        "paused",
    }


def with_activation(hp):
    model = keras.Sequential([keras.Input((4,))])
    model.add(keras.layers.Dense(1, activation=hp.Choice("activation", ["linear", "tanh"])))
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1.0, sampling="log")), "mse")
    return model


def test_a_hyperparameter_that_was_added_has_its_default_in_trials_before(tmp_path):
    def tuner(build, max_trials):
        directory = str(tmp_path)
        return kte.TPE(build, "val_loss", max_trials=max_trials, seed=0, directory=directory)

    first = searched(tuner(only_rate, 3), epochs=1)
    later = tuner(with_activation, 3)
    assert later.get_best_hyperparameters()[0].get("activation") == "linear"
    weights = [model.get_weights() for model in (first.get_best_models() + later.get_best_models())]
    assert weights[0][0].tolist() == weights[1][0].tolist()


def test_a_trial_from_before_a_hyperparameter_was_added_is_run_again(tmp_path):
    def tuner(build):
        settings = {"max_epochs": 4, "max_trials": 2, "seed": 0, "directory": str(tmp_path)}
        return kte.ASHA(build, "val_loss", **settings)

    interrupted(tuner(only_rate), 2)
    again = searched(tuner(with_activation), callbacks=lambda *_: [InterruptedAt(99)])
    for row in again.results():
        assert row["state"] in {"completed", "paused"}, row["message"]


def test_the_states_of_trials_that_diverged_are_removed(tmp_path):
    class Diverges(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = float("nan")

    tuner = searched(asha(tmp_path, max_trials=3), callbacks=lambda *_: [Diverges()])
    assert {row["state"] for row in tuner.results()} == {"infeasible"}
    assert list(tmp_path.rglob("state-*.npz")) == []
