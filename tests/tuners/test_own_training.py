"""A training of the user's own, in `HyperModel.fit` or in `run_trial`: as KerasTuner has it."""

import keras
import keras_tuner
import numpy as np
import pytest
from sklearn.model_selection import KFold

import kt_extras as kte
from tests.tuners.models import VALIDATION, XV, YV, X, Y

METRIC = keras_tuner.Objective("my_metric", "min")


def build(hp):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, "softmax")])
    sgd = keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1, sampling="log"))
    model.compile(sgd, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Own(keras_tuner.HyperModel):
    """The model of `build`, with a `fit` of its own."""

    def __init__(self, fit):
        super().__init__()
        self._fit = fit

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        return self._fit(model, *args, **kwargs)


def guides_loop(model, x, y, callbacks=None, **kwargs):
    """The loop of Keras' guide to tuning own training loops."""
    losses = []
    for callback in callbacks:
        callback.set_model(model)
    for epoch in range(3):
        losses.append(float(model.train_on_batch(x, y)[0]))
        for callback in callbacks:
            callback.on_epoch_end(epoch, logs={"my_metric": losses[-1]})
    return min(losses)


def tpe(model, objective=METRIC, **kwargs):
    return kte.TPE(model, objective, **{"max_trials": 1, "seed": 0, **kwargs})


def states(tuner):
    return [row["state"] for row in tuner.results()]


def returned(model, *args, **kwargs):
    """Return the best value as a dictionary, which says nothing of epochs."""
    losses = model.fit(*args, **kwargs).history["val_loss"]
    return {"val_loss": min(losses)}


# Loops.


@pytest.mark.parametrize("kind", [kte.TPE, kte.Evolution])
def test_the_loop_of_keras_guide_runs(kind):
    tuner = kind(Own(guides_loop), METRIC, max_trials=2, seed=0)
    tuner.search(X, Y, verbose=0)
    assert states(tuner) == ["completed"] * 2
    assert [row["best_epoch"] for row in tuner.results()] == [2, 2]
    model = tuner.get_best_models()[0]
    best = tuner.oracle.get_best_trials()[0]
    before = tuner.history(best.trial_id)["my_metric"][-1]
    assert model.evaluate(X, Y, verbose=0)[0] < before == best.score


def test_a_pruner_ends_a_loop_that_does_not_look_at_stop_training():
    epochs = []

    def loop(model, *args, callbacks, **kwargs):
        for callback in callbacks:
            callback.set_model(model)
        for epoch in range(5):
            epochs.append(epoch)
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"my_metric": 1.0})
        return 1.0

    tuner = tpe(Own(loop), pruner=kte.ThresholdPruner(upper=0.5), max_trials=2)
    tuner.search(X, Y, verbose=0)
    assert epochs == [0, 1, 0, 1]  # the second epoch is not looked at
    assert [(row["state"], row["epochs"]) for row in tuner.results()] == [("pruned", 1)] * 2
    assert tuner.get_best_models()


SCHEDULED = {
    "asha": lambda model, **kwargs: kte.ASHA(model, METRIC, max_epochs=4, **kwargs),
    "bohb": lambda model, **kwargs: kte.BOHB(model, METRIC, max_epochs=4, **kwargs),
    "pbt": lambda model, **kwargs: kte.PBT(model, METRIC, max_epochs=4, interval=2, **kwargs),
}


@pytest.mark.parametrize("kind", sorted(SCHEDULED))
def test_a_loop_that_cannot_be_resumed_is_refused_at_once(kind):
    tuner = SCHEDULED[kind](Own(guides_loop), seed=0)
    with pytest.raises(ValueError, match=r"`callback.on_train_begin\(\)` must be called"):
        tuner.search(X, Y, verbose=0)
    assert tuner.oracle.totals.epochs == 0


def test_a_loop_that_is_not_resumed_runs_under_a_scheduler_that_stops():
    tuner = kte.ASHA(Own(guides_loop), METRIC, max_epochs=2, max_trials=4, mode="stopping", seed=0)
    tuner.search(X, Y, verbose=0)
    assert {row["epochs"] for row in tuner.results()} <= {1, 2}
    assert set(states(tuner)) <= {"completed", "pruned"}


def test_a_model_without_its_optimizer_is_refused_under_a_scheduler():
    def loop(model, *args, callbacks, **kwargs):
        plain = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, "softmax")])
        for callback in callbacks:
            callback.set_model(plain)
            callback.on_train_begin()
        for callback in callbacks:
            callback.on_epoch_end(0, {"my_metric": 1.0})

    with pytest.raises(ValueError, match="`model` must be compiled with the optimizer"):
        SCHEDULED["asha"](Own(loop), seed=0).search(X, Y, verbose=0)


def folds(model, x, y, **kwargs):
    """Cross-validate on three folds, each with a model of its own."""
    histories = []
    for train, test in KFold(3).split(x):
        fold = keras.models.clone_model(model)
        fold.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        data = {"validation_data": (x[test], y[test])}
        histories.append(fold.fit(x[train], y[train], **{**kwargs, **data}))
    return histories


@pytest.mark.parametrize("mode", ["promotion", "stopping"])
def test_folds_are_refused_under_a_scheduler(mode):
    tuner = kte.ASHA(Own(folds), "val_accuracy", max_epochs=9, max_trials=3, mode=mode, seed=0)
    with pytest.raises(ValueError, match="`fit` is called a second time in one trial"):
        tuner.search(X, Y, verbose=0)
    assert not tuner.oracle.end_order


def test_folds_are_executions_and_their_mean_is_the_score():
    tuner = tpe(Own(folds), "val_accuracy")
    tuner.search(X, Y, epochs=2, verbose=0)
    history, row = tuner.history(0), tuner.results()[0]
    assert history["execution"] == [0, 0, 1, 1, 2, 2]
    best = [max(history["val_accuracy"][i : i + 2]) for i in (0, 2, 4)]
    assert row["score"] == pytest.approx(np.mean(best))
    assert row["epochs"] == 6


def test_a_pruner_compares_first_folds_and_ends_the_trial_with_its_fold():
    pruner = kte.ThresholdPruner(lower=2.0)  # stops every trial
    tuner = tpe(Own(folds), "val_accuracy", pruner=pruner)
    tuner.search(X, Y, epochs=2, verbose=0)
    row = tuner.results()[0]
    assert (row["state"], row["epochs"]) == ("pruned", 1)
    assert row["score"] == tuner.history(0)["val_accuracy"][0]


# Best epochs.


@pytest.mark.parametrize("fit", [returned, lambda *a, **k: returned(*a, **k)["val_loss"]])
def test_the_best_epoch_is_that_of_the_reported_curve(fit):
    tuner = tpe(Own(fit), "val_loss")
    tuner.search(X, Y, validation_data=VALIDATION, epochs=4, verbose=0)
    row, losses = tuner.results()[0], tuner.history(0)["val_loss"]
    assert row["best_epoch"] == int(np.argmin(losses)) == 3
    again = tuner.refit(X, Y, validation_data=VALIDATION, verbose=0)
    assert again.evaluate(XV, YV, verbose=0)[0] == pytest.approx(row["score"])


def test_the_best_epoch_is_the_last_when_only_the_end_gives_the_objective():
    def fit(model, *args, **kwargs):
        model.fit(*args, **kwargs)
        return 0.25

    tuner = tpe(Own(fit), keras_tuner.Objective("quality", "max"))
    tuner.search(X, Y, epochs=3, verbose=0)
    assert [(row["score"], row["best_epoch"]) for row in tuner.results()] == [(0.25, 2)]


def test_refit_asks_for_epochs_when_none_was_reported(tmp_path):
    def fit(model, *args, callbacks=None, epochs=None, **kwargs):
        return min(model.fit(*args, epochs=epochs or 2, **kwargs).history["val_loss"])

    def tuner():
        return tpe(Own(fit), "val_loss", directory=str(tmp_path))

    tuner().search(X, Y, validation_data=VALIDATION, verbose=0)
    for found in (tuner(), tuner()):
        assert found.results()[0]["best_epoch"] is None
        with pytest.raises(ValueError, match="`epochs` must be given to `refit`"):
            found.refit(X, Y, validation_data=VALIDATION, verbose=0)
    for epochs in (1, None):
        model = found.refit(X, Y, epochs=epochs, validation_data=VALIDATION, verbose=0)
        assert int(model.optimizer.iterations) == 8 * (epochs or 2)


def test_a_scheduler_scores_by_the_reported_epochs():
    tuner = kte.ASHA(
        Own(lambda *a, **k: {**returned(*a, **k), "val_loss": 0.0, "more": 7.0}),
        "val_loss", max_epochs=2, max_trials=2, seed=0,
    )  # fmt: skip
    tuner.search(X, Y, validation_data=VALIDATION, verbose=0)
    for row in tuner.results():
        assert row["score"] == min(tuner.history(row["number"])["val_loss"])


def test_an_objective_that_only_the_end_gives_is_refused_under_a_scheduler():
    tuner = kte.ASHA(Own(returned), METRIC, max_epochs=2, seed=0)
    tuner.hypermodel._fit = lambda *a, **k: {**returned(*a, **k), "my_metric": 1.0}
    with pytest.raises(ValueError, match="must be among the metrics of every epoch"):
        tuner.search(X, Y, validation_data=VALIDATION, verbose=0)
