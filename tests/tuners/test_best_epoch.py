"""The values and models of best epochs, after exploits, interruptions and changed programs."""

import math
import os
import signal

import keras
import pytest

import kt_extras as kte
from tests.tuners.scheduled import FIT, asha, build, only_rate, pbt, searched

LATE = {
    0: [5, 0.01, 9, 9, 9, 9],
    1: [4, 3, 2, 2, 2, 2],
}  # member 0 is the best early, member 1 later


class Scripted(keras.callbacks.Callback):
    """Reports the losses of `LATE`, or else constant ones."""

    def __init__(self, trial):
        super().__init__()
        self.losses = LATE.get(int(trial.trial_id), [5] * 6)

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = float(self.losses[epoch])


@pytest.fixture(scope="module", params=[only_rate, build])
def exploited(request, tmp_path_factory):
    """A population whose best member exploited another one after its best epoch."""
    tuner = pbt(tmp_path_factory.mktemp("pbt"), request.param, interval=3)
    for rate, units in ((0.5, 2), (0.01, 8)):
        shape = {"units": units} if request.param is build else {}
        tuner.enqueue({"rate": rate, **shape})
    return searched(tuner, callbacks=lambda _, trial: [Scripted(trial)])


def test_the_best_epoch_is_before_the_exploit(exploited):
    assert next((row["member"], row["parent"]) for row in exploited.lineage()) == (0, 1)
    best = exploited.results()[0]
    assert (best["score"], best["best_epoch"], best["state"]) == (0.01, 1, "completed")


def test_values_and_schedule_are_those_of_the_best_epoch(exploited):
    assert exploited.results()[0]["rate"] == 0.5
    assert exploited.get_best_hyperparameters()[0].get("rate") == 0.5
    schedule = exploited.schedule()
    assert (schedule.starts, schedule.epochs) == ((0,), 2)
    assert schedule.column("rate") == [0.5, 0.5]


def test_the_best_trials_have_the_values_of_their_best_epochs(exploited, capsys):
    assert exploited.oracle.trials["0000"].hyperparameters.get("rate") != 0.5
    best = exploited.oracle.get_best_trials()[0]
    assert (best.trial_id, best.score, best.hyperparameters.get("rate")) == ("0000", 0.01, 0.5)
    exploited.results_summary(1)
    said = capsys.readouterr().out
    assert "rate: 0.5\n" in said
    assert "Score: 0.01\n" in said


@pytest.mark.slow
def test_the_model_of_the_best_epoch_is_kept_after_an_exploit(exploited):
    model = exploited.get_best_models()[0]
    units = exploited.results()[0].get("units")
    assert units is None or model.layers[0].units == units == 2
    again = exploited.refit(FIT["x"], FIT["y"], shuffle=False, verbose=0)
    for kept, trained in zip(model.get_weights(), again.get_weights(), strict=True):
        assert kept == pytest.approx(trained, abs=1e-5)


class InterruptedAt(keras.callbacks.Callback):
    """Sends the signal of Ctrl-C at the beginning of an epoch."""

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


@pytest.mark.slow
def test_the_best_trial_keeps_its_score_when_it_is_interrupted(tmp_path):
    tuner = interrupted(asha(tmp_path), 2)
    promoted = next(row for row in tuner.results() if row["epochs"] >= 2 and row["score"])
    for found in (tuner, asha(tmp_path)):
        scores = {row["number"]: row["score"] for row in found.results()}
        best = found.oracle.get_best_trials()[0]
        assert best.score == min(score for score in scores.values() if score is not None)
        assert scores[promoted["number"]] == promoted["score"]
        found.get_best_models()


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_diverged_member_has_no_score_when_it_is_interrupted(loss, tmp_path):
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
    assert first.create_trial("worker").trial_id == "0000"  # continues from the other's state
    again = oracle()
    again.reload()
    for found in (first, again):
        assert [trial.trial_id for trial in found.get_best_trials(2)] == ["0001"]


@pytest.mark.slow
def test_ctrl_c_does_not_count_as_an_attempt(tmp_path):
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


@pytest.mark.slow
def test_earlier_trials_have_the_default_of_an_added_hyperparameter(tmp_path):
    def tuner(build, max_trials):
        directory = str(tmp_path)
        return kte.TPE(build, "val_loss", max_trials=max_trials, seed=0, directory=directory)

    first = searched(tuner(only_rate, 3), epochs=1)
    later = tuner(with_activation, 3)
    assert later.get_best_hyperparameters()[0].get("activation") == "linear"
    weights = [model.get_weights() for model in (first.get_best_models() + later.get_best_models())]
    assert weights[0][0].tolist() == weights[1][0].tolist()


def test_an_earlier_trial_is_resumed_after_a_hyperparameter_is_added(tmp_path):
    def tuner(build):
        settings = {"max_epochs": 4, "max_trials": 2, "seed": 0, "directory": str(tmp_path)}
        return kte.ASHA(build, "val_loss", **settings)

    interrupted(tuner(only_rate), 2)
    again = searched(tuner(with_activation), callbacks=lambda *_: [InterruptedAt(99)])
    for row in again.results():
        assert row["state"] in {"completed", "paused"}, row["message"]


def test_the_state_files_of_a_trial_are_removed_when_it_diverges(tmp_path):
    class Diverges(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = float("nan")

    tuner = searched(asha(tmp_path, max_trials=3), callbacks=lambda *_: [Diverges()])
    assert {row["state"] for row in tuner.results()} == {"infeasible"}
    assert list(tmp_path.rglob("state-*.npz")) == []
