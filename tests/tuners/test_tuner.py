import math
import threading

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from tests.tuners.models import (
    VALIDATION,
    XV,
    YV,
    X,
    Y,
    build,
    build_subclassed,
    build_two_outputs,
)


def tpe(hypermodel=build, objective="val_accuracy", **kwargs):
    return kte.TPE(hypermodel, objective, **{"max_trials": 2, "seed": 0, **kwargs})


def fit(tuner, *args, **kwargs):
    """Search quietly on the digits, two epochs a trial."""
    args = args or (X, Y)
    tuner.search(*args, **{"validation_data": VALIDATION, "epochs": 2, "verbose": 0, **kwargs})
    return tuner


def two_alike(**kwargs):
    """Return a tuner whose two trials share one program, as their rates alone differ."""
    tuner = tpe(**kwargs)
    tuner.enqueue([{"units": 8, "deep": False, "rate": rate} for rate in (0.01, 0.02)])
    return tuner


def states(tuner):
    return [row["state"] for row in tuner.results()]


@pytest.mark.slow
def test_a_search_keeps_every_epoch_of_every_trial():
    tuner = fit(tpe())
    assert states(tuner) == ["completed"] * 2
    history = tuner.history(0)
    assert set(history) == {
        "execution", "epoch", "loss", "accuracy", "val_loss", "val_accuracy",
    }  # fmt: skip
    assert history["epoch"] == [0, 1]
    row = tuner.results()[0]
    assert row["score"] == max(history["val_accuracy"])
    assert row["best_epoch"] == np.argmax(history["val_accuracy"])
    assert row["epochs"] == 2
    assert row["seconds"] > 0


@pytest.mark.slow
def test_results_and_history_convert_to_data_frames():
    pandas = pytest.importorskip("pandas")
    tuner = fit(tpe())
    assert len(pandas.DataFrame(tuner.results())) == 2
    assert len(pandas.DataFrame(tuner.history("0001"))) == 2


@pytest.mark.slow
def test_the_best_model_has_the_score_of_its_trial():
    tuner = fit(tpe(), epochs=3)
    model = tuner.get_best_models()[0]
    measured = model.evaluate(XV, YV, verbose=0, return_dict=True)["accuracy"]
    assert measured == pytest.approx(tuner.oracle.get_best_trials()[0].score)


@pytest.mark.slow
def test_a_subclassed_model_has_the_score_of_its_trial():
    tuner = fit(tpe(build_subclassed))
    model = tuner.get_best_models()[0]
    measured = model.evaluate(XV, YV, verbose=0, return_dict=True)["accuracy"]
    assert measured == pytest.approx(tuner.oracle.get_best_trials()[0].score)


@pytest.mark.slow
def test_a_name_in_sibling_scopes_is_recorded_as_it_was_trained():
    trained = []

    def build_siblings(hp):
        kind = hp.Choice("kind", ["small", "large"])
        for name, low, high in (("small", 4, 8), ("large", 16, 32)):
            with hp.conditional_scope("kind", [name]):
                units = hp.Int("units", low, high)
                if kind == name:
                    chosen = units
        layers = [keras.layers.Input((64,)), keras.layers.Dense(chosen, "relu")]
        model = keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        trained.append((kind, chosen))
        return model

    tuner = tpe(build_siblings, max_trials=5)
    trained.clear()
    fit(tuner, epochs=1)
    assert states(tuner) == ["completed"] * 5
    assert [(row["kind"], row["units"]) for row in tuner.results()] == trained
    assert {row["kind"] for row in tuner.results()} == {"small", "large"}
    assert all((row["units"] >= 16) == (row["kind"] == "large") for row in tuner.results())


@pytest.mark.slow
def test_the_metric_of_one_output_can_be_the_objective():
    labels = {"digit": Y, "even": Y % 2}
    validation = (XV, {"digit": YV, "even": YV % 2})
    tuner = tpe(build_two_outputs, "val_digit_accuracy")
    fit(tuner, X, labels, validation_data=validation)
    assert tuner.oracle.objective.direction == "max"
    assert states(tuner) == ["completed"] * 2


@pytest.mark.slow
def test_a_search_accepts_datasets():
    train = tf.data.Dataset.from_tensor_slices((X, Y)).batch(32)
    validation = tf.data.Dataset.from_tensor_slices(VALIDATION).batch(32)
    assert states(fit(tpe(), train, validation_data=validation)) == ["completed"] * 2


@pytest.mark.slow
def test_history_has_nan_in_epochs_without_validation():
    tuner = fit(tpe(), epochs=4, validation_freq=2)
    seen = tuner.history(0)["val_accuracy"]
    assert [math.isnan(value) for value in seen] == [True, False, True, False]
    assert tuner.results()[0]["best_epoch"] in (1, 3)


@pytest.mark.slow
def test_executions_are_averaged_and_their_best_weights_kept():
    tuner = fit(tpe(executions_per_trial=2, max_trials=1))
    history = tuner.history(0)
    assert history["execution"] == [0, 0, 1, 1]
    best = [max(history["val_accuracy"][:2]), max(history["val_accuracy"][2:])]
    assert tuner.results()[0]["score"] == pytest.approx(np.mean(best))
    model = tuner.get_best_models()[0]
    measured = model.evaluate(XV, YV, verbose=0, return_dict=True)["accuracy"]
    assert measured == pytest.approx(max(best))


def test_a_seed_fixes_suggestions_and_training():
    one = fit(tpe(directory="one", seed=7, max_trials=1)).results()
    two = fit(tpe(directory="two", seed=7, max_trials=1)).results()
    assert [row["score"] for row in one] == [row["score"] for row in two]


def test_a_pruner_stops_trials_early():
    tuner = tpe(max_trials=3, pruner=kte.MedianPruner(n_startup_trials=2))
    for rate in (1e-2, 2e-2, 1e-4):
        tuner.enqueue({"rate": rate, "units": 32, "deep": False})
    fit(tuner, epochs=3)
    assert states(tuner) == ["completed", "completed", "pruned"]
    assert tuner.results()[2]["epochs"] < 3
    assert tuner.get_best_models(num_models=3)


@pytest.mark.slow
def test_a_trial_is_not_pruned_in_its_last_epoch():
    tuner = tpe(pruner=kte.ThresholdPruner(upper=0.0), objective="val_loss")
    assert states(fit(tuner, epochs=1)) == ["completed"] * 2
    assert states(
        fit(tpe(objective="val_loss", pruner=tuner.oracle.pruner, max_trials=3), epochs=3)
    ) == [
        "completed",
        "completed",
        "pruned",
    ]


def test_a_hypermodel_with_its_own_fit_is_searched():
    class Own(keras_tuner.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            batch = hp.Choice("batch", [32, 64])
            return model.fit(*args, batch_size=batch, verbose=0, **kwargs)

    tuner = kte.TPE(Own(), "val_accuracy", max_trials=1, seed=0)
    tuner.search(X, Y, validation_data=VALIDATION, epochs=2)
    assert states(tuner) == ["completed"]
    assert tuner.results()[0]["batch"] in (32, 64)


@pytest.mark.slow
def test_the_dictionary_that_fit_returns_sets_score_and_metrics():
    class Own(keras_tuner.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            model.fit(*args, **kwargs)
            return {"val_accuracy": 0.125, "size": model.count_params()}

    tuner = fit(tpe(Own()))
    assert [row["score"] for row in tuner.results()] == [0.125, 0.125]
    assert tuner.oracle.get_trial("0000").metrics.get_last_value("size") > 0


@pytest.mark.slow
def test_training_in_two_phases_is_one_curve():
    class Own(keras_tuner.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            model.fit(*args, **kwargs)
            return model.fit(*args, **kwargs)

    tuner = fit(tpe(Own(), max_trials=1))
    assert tuner.history(0)["epoch"] == [0, 1, 2, 3]
    assert set(tuner.history(0)["execution"]) == {0}


def test_run_trial_may_return_any_number():
    class Parabola(kte.Tuner):
        def run_trial(self, trial):
            return np.float32(trial.hyperparameters.Float("x", -1.0, 1.0) ** 2)

    oracle = kte.TPEOracle(max_trials=25, seed=0)
    tuner = Parabola(oracle)
    tuner.search(verbose=0)
    assert len(tuner.results()) == 25
    assert tuner.oracle.get_best_trials()[0].score < 0.05


def test_run_trial_may_report_its_own_epochs():
    class Steps(kte.Tuner):
        def run_trial(self, trial):
            x = trial.hyperparameters.Float("x", 0.0, 1.0)
            for step in range(5):
                report = self.oracle.update_trial(trial.trial_id, {"cost": x / (step + 1)}, step)
                if report.status == "STOPPED":
                    break

    oracle = kte.TPEOracle(
        keras_tuner.Objective("cost", "min"), max_trials=10, seed=0, pruner=kte.MedianPruner(2)
    )
    tuner = Steps(oracle)
    tuner.search(verbose=0)
    assert set(states(tuner)) == {"completed", "pruned"}


def test_callbacks_are_copied_for_each_trial():
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1)
    tuner = fit(two_alike(), callbacks=[stop], epochs=3)
    assert states(tuner) == ["completed"] * 2
    assert stop.model is None


class Locked(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


def test_an_error_suggests_a_function_for_callbacks_with_locks():
    with pytest.raises(TypeError, match=r"holds a Locked.*lambda hp, trial"):
        fit(tpe(), callbacks=[Locked()])


def test_a_function_makes_callbacks_for_each_trial():
    made = []

    def factory(hp, trial):
        made.append((trial.trial_id, hp.get("rate")))
        return [Locked()]

    tuner = fit(two_alike(), callbacks=factory)
    assert made == [(row["trial_id"], row["rate"]) for row in tuner.results()]


@pytest.mark.slow
def test_metrics_that_callbacks_add_can_be_the_objective():
    class Gap(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_gap"] = logs["val_loss"] - logs["loss"]

    objective = keras_tuner.Objective("val_gap", "min")
    assert states(fit(tpe(objective=objective), callbacks=[Gap()])) == ["completed"] * 2


def test_the_hooks_of_a_kerastuner_subclass_are_called():
    class Hooked(kte.TPE):
        calls = []  # noqa: RUF012

        def on_epoch_end(self, trial, model, epoch, logs=None):
            self.calls.append((trial.trial_id, epoch))

        def on_batch_end(self, trial, model, batch, logs=None):
            self.calls.append("batch")

    tuner = fit(Hooked(build, "val_loss", max_trials=1, seed=0), batch_size=128)
    assert tuner.calls == ["batch", "batch", ("0000", 0), "batch", "batch", ("0000", 1)]


def test_a_misspelt_objective_ends_the_search_and_metrics_are_listed():
    objective = keras_tuner.Objective("val_acuracy", "max")
    tuner = tpe(objective=objective, max_trials=1)
    with pytest.raises(ValueError, match=r"val_acuracy.*'accuracy', 'loss', 'val_accuracy'"):
        fit(tuner, epochs=50)
    assert tuner.results()[0]["epochs"] == 0
    fit(tpe(max_trials=1))  # the same project with the right name
    assert states(tpe(max_trials=1)) == ["completed"]


def test_a_validation_objective_is_refused_without_validation_data():
    with pytest.raises(ValueError, match=r"`objective` .* is measured on validation data"):
        tpe().search(X, Y, epochs=2)


@pytest.mark.slow
def test_validation_split_counts_as_validation_data():
    assert states(fit(tpe(), validation_data=None, validation_split=0.25)) == ["completed"] * 2


def test_a_pruner_is_refused_when_run_trial_reports_no_epochs():
    class OneNumber(kte.Tuner):
        def run_trial(self, trial):
            return trial.hyperparameters.Float("x", 0.0, 1.0)

    tuner = OneNumber(kte.TPEOracle(max_trials=3, seed=0, pruner=kte.MedianPruner()))
    with pytest.raises(ValueError, match="`pruner` needs the metrics of every epoch"):
        tuner.search(verbose=0)


def test_a_trial_is_infeasible_when_its_model_is_too_large():
    tuner = tpe(max_trials=4, max_model_size=600, max_consecutive_failed_trials=2)
    for units in (32, 31, 30):
        tuner.enqueue({"units": units, "deep": False})
    tuner.enqueue({"units": 4, "deep": False})
    fit(tuner)
    assert states(tuner) == ["infeasible"] * 3 + ["completed"]
    assert "Oversized model" in tuner.results()[0]["message"]


def test_a_trial_is_infeasible_when_its_loss_is_nan():
    def build_with_nan_loss(hp):
        model = build(hp)
        model.compile("sgd", lambda _, p: tf.reduce_mean(p, axis=-1) * math.nan)
        return model

    tuner = tpe(build_with_nan_loss, "val_loss", max_trials=1)
    assert states(fit(tuner)) == ["infeasible"]


def test_a_trial_is_retried_when_it_crashes():
    attempts = []

    def crash_once(hp):
        model = build(hp)
        if tuner_is_searching:
            attempts.append(hp.get("units"))
            if len(attempts) == 1:
                raise OSError("the disk does not answer")
        return model

    tuner_is_searching = False
    tuner = tpe(crash_once, max_trials=1, max_retries_per_trial=1)
    tuner_is_searching = True
    fit(tuner)
    assert states(tuner) == ["completed"]
    assert attempts[0] == attempts[1]


def test_a_search_ends_after_crashes_in_a_row_and_keeps_its_trials():
    class Broken(keras_tuner.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            raise OSError("no such file: labels.csv")

    tuner = tpe(Broken(), max_trials=9, max_consecutive_failed_trials=2)
    with pytest.raises(RuntimeError, match=r"labels\.csv"):
        fit(tuner)
    assert states(tpe(Broken())) == ["failed"] * 2


def test_an_interrupted_trial_is_run_again_when_the_search_resumes():
    class Interrupting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    tuner = tpe(max_trials=1)
    with pytest.raises(KeyboardInterrupt):
        fit(tuner, callbacks=[Interrupting()])
    fit(tuner)
    assert states(tuner) == ["completed"]
    assert set(tuner.history(0)["execution"]) == {0}


@pytest.mark.slow
def test_a_finished_search_is_unchanged_after_a_reload():
    before = fit(tpe())
    after = tpe()
    assert after.results() == before.results()
    assert after.history(1) == before.history(1)
    assert after.remaining_trials == 0
    weights = [model.get_weights() for t in (before, after) for model in t.get_best_models()]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


@pytest.mark.slow
def test_a_search_of_kerastuner_is_refused_unless_overwritten():
    theirs = keras_tuner.RandomSearch(build, "val_accuracy", max_trials=1)
    theirs.search(X, Y, validation_data=VALIDATION, verbose=0)
    with pytest.raises(ValueError, match=r"`project_name` .* KerasTuner made itself"):
        tpe()
    fit(tpe(overwrite=True))


def test_nothing_is_printed_when_verbose_is_0(capfd):
    tuner = tpe(max_trials=1)
    capfd.readouterr()
    fit(tuner)
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_one_line_is_printed_for_each_trial_in_a_log_file(capsys):
    fit(tpe(), verbose=1)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("trial 2/2")]
    assert len(lines) == 1
    assert "best val_accuracy" in lines[0]
    assert "4 epochs" in lines[0]


@pytest.mark.slow
def test_the_weights_of_a_trial_are_written_once(monkeypatch):
    written = []
    save = keras.Model.save_weights

    def counted(self, path, *args, **kwargs):
        written.append(path)
        return save(self, path, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "save_weights", counted)
    fit(tpe(), epochs=4)
    assert len(written) == 2


def test_an_oracle_of_kerastuner_is_refused():
    theirs = keras_tuner.oracles.RandomSearchOracle("val_loss")
    with pytest.raises(TypeError, match=r"`oracle` must be a `kt_extras\.SamplerOracle`"):
        kte.Tuner(theirs, build)


def test_a_tuner_without_a_model_must_override_run_trial():
    with pytest.raises(ValueError, match="`hypermodel` must be"):
        kte.TPE(objective="val_loss")


@pytest.mark.parametrize(
    ("tuner", "wrong", "right"),
    [
        (kte.TPE, "max_trial", "max_trials"),
        (kte.ASHA, "max_epoch", "max_epochs"),
        (kte.PBT, "population", "population_size"),
        (kte.BOHB, "keep_checkpoint", "keep_checkpoints"),
        (kte.Evolution, "tournament", "tournament_size"),
    ],
)
def test_a_misspelt_argument_is_refused_with_the_right_name(tuner, wrong, right):
    message = f"`{tuner.__name__}` has no argument `{wrong}`; did you mean `{right}`"
    with pytest.raises(TypeError, match=message):
        tuner(build, "val_loss", **{wrong: 3})


@pytest.mark.slow
def test_an_oracle_of_kt_extras_works_in_a_tuner_of_kerastuner():
    tuner = keras_tuner.Tuner(kte.TPEOracle("val_accuracy", max_trials=3, seed=0), build)
    tuner.search(X, Y, validation_data=VALIDATION, epochs=2, verbose=0)
    scores = [trial.score for trial in tuner.oracle.get_best_trials(9)]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
