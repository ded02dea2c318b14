"""Trials that are trained once a fold."""

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    TimeSeriesSplit,
)

import kt_extras as kte
from kt_extras.hypermodels import CrossValidation
from kt_extras.search.folds import FoldPruner

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3)).astype("float32")
Y = (X.sum(1) > 0).astype("float32")


def build(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    rate = hp.Float("rate", 1e-4, 1.0, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def searched(cross_validation=None, hypermodel=build, fit=None, **settings):
    folds = cross_validation or CrossValidation(KFold(3), p_threshold=None)
    given = {"max_trials": 3, "seed": 0, "project_name": "folds", **settings}
    tuner = kte.RandomSearch(hypermodel, "val_loss", cross_validation=folds, **given)
    tuner.search(X, Y, **{"epochs": 2, "verbose": 0, "batch_size": 10, **(fit or {})})
    return tuner


def test_the_score_is_the_mean_over_the_folds():
    tuner = searched()
    row, trial = tuner.results()[0], tuner.search_data().trials[0]
    scores = [min(run["metrics"]["val_loss"]) for run in trial.executions]
    assert len(scores) == 3
    assert row["score"] == pytest.approx(np.mean(scores))
    assert row["standard_error"] == pytest.approx(np.std(scores, ddof=1) / np.sqrt(3))
    assert row["epochs"] == 6

    columns = tuner.cv_results()
    assert columns["split1_test_score"][0] == pytest.approx(-scores[1])
    assert columns["mean_test_score"].tolist() == [-row["score"] for row in tuner.results()]
    best = int(np.argmin(columns["rank_test_score"]))
    assert columns["params"][best] == tuner.get_best_hyperparameters()[0].values
    assert columns["param_rate"][best] == columns["params"][best]["rate"]


def numbered(hp, seen):
    """Return a model that notes the first column of what it is called with."""
    del hp

    class Noting(keras.Model):
        def train_step(self, data):
            seen[-1][0].update(int(v) for v in data[0][:, 0])
            return {"loss": tf.constant(1.0)}

        def test_step(self, data):
            seen[-1][1].update(int(v) for v in data[0][:, 0])
            return {"loss": tf.constant(1.0)}

    inputs = keras.Input((1,))
    model = Noting(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse", run_eagerly=True)
    seen.append((set(), set()))
    return model


def as_dataset(x, y):
    return (tf.data.Dataset.from_tensor_slices((x, y)).batch(4),)


@pytest.mark.parametrize("form", [lambda x, y: (x, y), as_dataset], ids=["arrays", "data set"])
@pytest.mark.parametrize(
    ("splitter", "groups"),
    [
        (StratifiedKFold(3), None),
        (GroupKFold(3), np.arange(30) % 5),
        (TimeSeriesSplit(3), None),
    ],
    ids=["stratified", "groups", "time series"],
)
def test_each_fold_trains_and_validates_on_its_rows(splitter, groups, form):
    seen = []
    x = np.arange(30.0)[:, None]
    folds = CrossValidation(splitter, groups=groups)
    tuner = kte.RandomSearch(
        lambda hp: numbered(hp, seen), "val_loss", max_trials=1, seed=0, cross_validation=folds
    )
    seen.clear()
    tuner.search(*form(x, Y), epochs=1, verbose=0)
    expected = [(set(a), set(b)) for a, b in splitter.split(x, Y, groups)]
    assert [rows for rows in seen if rows[0]] == expected


def test_nests_frames_and_weights_are_split():
    pandas = pytest.importorskip("pandas")
    x = {"a": pandas.DataFrame({"n": range(6)}), "b": [np.arange(6), tf.range(6)]}
    given = CrossValidation(KFold(3)).folds((x, np.arange(6)), {"sample_weight": np.arange(6)})[1]
    assert given["x"]["a"]["n"].tolist() == [0, 1, 4, 5]
    assert given["x"]["b"][1].numpy().tolist() == [0, 1, 4, 5]
    held_out, y, weight = given["validation_data"]
    assert held_out["b"][0].tolist() == y.tolist() == weight.tolist() == [2, 3]


def test_preprocessing_is_fitted_in_each_fold():
    fitted = []

    class Scaler:
        def fit(self, x, y=None):
            fitted.append(x.mean())

        def transform(self, x):
            return x

    space = kte.TrainingSpace(build, preprocessing=lambda _: Scaler())
    searched(hypermodel=space, max_trials=1)
    assert fitted == [X[train].mean() for train, _ in KFold(3).split(X)]


class Silent(keras_tuner.HyperModel):
    """Trains without a word, whatever `search` says."""

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, verbose=0, **kwargs)


def test_a_fit_of_ones_own_gets_the_rows_of_each_fold():
    tuner = searched(hypermodel=Silent(), max_trials=1)
    assert tuner.results()[0]["state"] == "completed"
    assert len(tuner.search_data().trials[0].executions) == 3


def test_a_trial_stops_when_its_folds_are_worse_than_those_of_the_best():
    tuner = searched(CrossValidation(KFold(5), p_threshold=0.25), max_trials=8)
    rows = tuner.results()
    folds = [len(trial.executions) for trial in tuner.search_data().trials]
    states = [row["state"] for row in rows]
    assert states[0] == "completed"
    assert [count for count, state in zip(folds, states, strict=True) if state == "completed"]
    assert "pruned" in states
    for count, row in zip(folds, rows, strict=True):
        assert (count < 5) == (row["state"] == "pruned")
        assert row["epochs"] == 2 * count  # whole folds


@pytest.mark.slow
def test_a_resumed_search_ends_like_an_uninterrupted_one():
    class Interrupting(keras.callbacks.Callback):
        left = 5

        def on_train_end(self, logs=None):
            Interrupting.left -= 1
            if not Interrupting.left:
                raise KeyboardInterrupt

    expected = [row["score"] for row in searched(project_name="other").results()]
    with pytest.raises(KeyboardInterrupt):
        searched(fit={"callbacks": [Interrupting()]})
    assert [row["score"] for row in searched().results()] == pytest.approx(expected)


def test_the_worse_folds_decide():
    assert FoldPruner(0.25).should_stop([2.0, 3.0], [1.0, 2.0, 9.0])
    assert not FoldPruner(0.2).should_stop([2.0, 3.0], [1.0, 2.0, 9.0])
    assert not FoldPruner(0.25).should_stop([2.0], [1.0])
    assert not FoldPruner(0.5).should_stop([1.0, 1.0], [1.0, 1.0])
    assert FoldPruner(0.1).should_stop([np.inf, 1.0], [2.0, 2.0])


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"splitter": 1}, "`splitter` must be"),
        ({"splitter": "KFold"}, "`splitter` must be a number of folds or a splitter"),
        ({"splitter": KFold(3, shuffle=True)}, "integer `random_state`"),
        ({"splitter": LeaveOneGroupOut()}, "Splitters by groups need `groups`"),
        ({"p_threshold": 2}, "`p_threshold` must be a number between 0 and 1"),
        ({"min_folds": 1}, "`min_folds` must be"),
    ],
)
def test_wrong_arguments_are_refused(wrong, match):
    with pytest.raises((TypeError, ValueError), match=match):
        CrossValidation(**wrong)


class Own(kte.TPE):
    def run_trial(self, trial, *args, **kwargs):
        return 1.0


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda cv: kte.ASHA(build, "val_loss", cross_validation=cv), "can't be used with"),
        (
            lambda cv: Own(build, "val_loss", cross_validation=cv).search(X, Y),
            "a `run_trial` of your own",
        ),
        (lambda _: kte.TPE(build, "val_loss", cross_validation=5), "must be a `kt_extras.Cross"),
        (
            lambda cv: kte.TPE(build, "val_loss", cross_validation=cv, executions_per_trial=2),
            "each fold is an execution",
        ),
        (
            lambda cv: kte.TPE(build, objectives=["val_loss", "val_accuracy"],
                               cross_validation=cv),
            "`p_threshold` of `CrossValidation` must be None",
        ),
        (
            lambda cv: kte.TPE(build, "val_loss", cross_validation=cv).search(
                X, Y, validation_split=0.2),
            "`validation_split` can't be passed",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(make, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make(CrossValidation(3))


def test_predictions_are_by_the_models_that_have_not_seen_the_row():
    tuner = searched(max_trials=2)
    folds = tuner.refit_folds(X, Y, batch_size=10, verbose=0)
    best = tuner.oracle.get_best_trials()[0]
    losses = []
    for model, (_, held_out) in zip(folds.models, KFold(3).split(X), strict=True):
        np.testing.assert_allclose(
            folds.predictions[held_out], model.predict(X[held_out], verbose=0), rtol=1e-5
        )
        losses.append(model.evaluate(X[held_out], Y[held_out], verbose=0)[0])
    assert np.mean(losses) == pytest.approx(best.score, rel=1e-4)
    assert folds.covered.all()
    mean = np.mean([model.predict(X, verbose=0) for model in folds.models], axis=0)
    np.testing.assert_allclose(folds.average().predict(X, verbose=0), mean, rtol=1e-4)


def test_folds_need_a_cross_validation():
    with pytest.raises(ValueError, match="needs a tuner with `cross_validation`"):
        kte.TPE(build, "val_loss").refit_folds(X, Y)
