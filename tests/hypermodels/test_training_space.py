"""A hypermodel whose batch size, epochs, data, callbacks and weights are hyperparameters."""

import keras
import keras_tuner
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

import kt_extras as kte
from kt_extras import compat

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, size=(40, 3)).astype("float32")
Y = (X.sum(1) > 9).astype("float32")


def build(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    rate = hp.Float("rate", 1e-3, 0.1, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy")
    return model


def searched(space, tuner=kte.RandomSearch, objective="val_loss", fit=None, **settings):
    settings = {"max_trials": 3, "seed": 0, "project_name": "space", **settings}
    made = tuner(space, objective, **settings)
    made.search(X, Y, **{"validation_split": 0.25, "verbose": 0, **(fit or {})})
    return made


class Noting(keras.callbacks.Callback):
    """Notes what models train with."""

    def __init__(self, notes):
        super().__init__()
        self.notes = notes

    def __deepcopy__(self, memo):
        return self

    def on_train_begin(self, logs=None):
        self.notes.append(dict(self.params))


def test_all_hyperparameters_are_declared_before_the_first_trial():
    space = kte.TrainingSpace(
        build,
        batch_size=kte.Choice([4, 8]),
        epochs=kte.Int(1, 3),
        shuffle=kte.Boolean(),
        class_weight=lambda hp: {0: 1.0, 1: hp.Float("weight", 1.0, 3.0)},
        callbacks=lambda hp: keras.callbacks.EarlyStopping(patience=hp.Int("patience", 1, 2)),
        preprocessing=lambda hp: StandardScaler(with_std=hp.Boolean("scaled")),
        data=lambda hp, x, y: (x[: hp.Int("rows", 8, 16)], y[: hp.get("rows")]),
    )
    tuner = kte.RandomSearch(space, "val_loss", max_trials=1, seed=0)
    names = {hp.name for hp in tuner.oracle.get_space().space}
    expected = {"rate", "batch_size", "epochs", "shuffle", "weight", "patience", "scaled"}
    assert names == expected
    seen = []
    tuner.oracle.create_trial = lambda tuner_id, ask=tuner.oracle.create_trial: (
        seen.append({hp.name for hp in tuner.oracle.get_space().space}) or ask(tuner_id)
    )
    tuner.search(X, Y, validation_split=0.25, verbose=0)
    assert seen[0] == expected | {"rows"}
    assert tuner.results()[0]["state"] == "completed"


@pytest.mark.parametrize("at_once", [1, "auto"])
def test_trials_train_as_long_and_in_batches_as_their_values_say(at_once):
    notes = []
    space = kte.TrainingSpace(
        build,
        batch_size=kte.Choice([5, 15]),
        epochs=kte.Int(1, 3),
        callbacks=lambda _: [Noting(notes)],
    )
    tuner = searched(space, max_trials=4, trials_at_once=at_once)
    rows = tuner.results()
    assert len({row["batch_size"] for row in rows}) == 2
    assert [row["epochs"] for row in rows] == [row["values.epochs"] for row in rows]
    steps = sorted((note["epochs"], note["steps"]) for note in notes)
    assert steps == sorted((row["epochs"], 30 // row["batch_size"]) for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(not compat.KERAS_3, reason="stacks need Keras 3")
def test_trials_of_a_batch_size_are_stacked_and_end_as_alone():
    def space():
        return kte.TrainingSpace(build, batch_size=kte.Choice([5, 15]), epochs=2)

    found = [
        searched(space(), max_trials=6, trials_at_once=n, project_name=f"at once {n}")
        for n in (1, 4)
    ]
    assert found[1]._time_report.stacked > 2
    scores = [[row["score"] for row in tuner.results()] for tuner in found]
    np.testing.assert_allclose(*scores, rtol=1e-5)


def test_preprocessing_sees_the_training_rows_alone():
    seen, fitted = [], []

    class Scaler(StandardScaler):
        def fit(self, x, y=None):
            fitted.append(np.array(x))
            return super().fit(x, y)

    def data(hp, x, y):
        seen.append(x)
        return x, y

    space = kte.TrainingSpace(build, epochs=1, preprocessing=lambda _: Scaler(), data=data)
    tuner = searched(space, max_trials=1)
    assert all(len(rows) == 30 for rows in [*seen, *fitted])
    np.testing.assert_array_equal(fitted[-1], X[:30])
    np.testing.assert_allclose(seen[-1].mean(0), 0, atol=1e-5)

    transform = space.fitted(tuner.get_best_hyperparameters()[0], X[:30])
    model = tuner.get_best_models()[0]
    loss = model.evaluate(transform(X[30:]), Y[30:], verbose=0)
    assert loss == pytest.approx(tuner.results()[0]["score"], rel=1e-4)


def test_a_layer_of_keras_is_adapted_to_the_training_rows():
    space = kte.TrainingSpace(build, preprocessing=lambda _: keras.layers.Normalization())
    given = space.fit_arguments(None, (X, Y), {"validation_data": (X[:5] + 9, Y[:5])})
    np.testing.assert_allclose(given["x"].mean(0), 0, atol=1e-4)
    assert given["validation_data"][0].mean() > 3


def test_a_scheduler_sets_the_epochs():
    space = kte.TrainingSpace(build, batch_size=kte.Choice([5, 15]))
    tuner = searched(space, kte.ASHA, max_epochs=2)
    assert max(row["epochs"] for row in tuner.results()) == 2
    with pytest.raises(ValueError, match="`epochs` of a `TrainingSpace` must be None"):
        searched(kte.TrainingSpace(build, epochs=3), kte.ASHA, max_epochs=2, project_name="other")


def test_a_refit_trains_as_the_trial_did():
    notes = []
    space = kte.TrainingSpace(
        build,
        batch_size=kte.Choice([5, 15]),
        epochs=kte.Int(1, 3),
        callbacks=lambda _: [Noting(notes)],
        preprocessing=lambda _: StandardScaler(),
    )
    tuner = searched(space)
    best = min(tuner.results(), key=lambda row: row["score"])
    notes.clear()
    model = tuner.refit(X, Y, validation_split=0.25, verbose=0)
    (note,) = notes
    assert note["steps"] == 30 // best["batch_size"]
    transform = space.fitted(None, X[:30])
    loss = model.evaluate(transform(X[30:]), Y[30:], verbose=0)
    assert loss == pytest.approx(best["score"], rel=1e-4)


def test_a_tuner_of_keras_tuner_takes_it_too(tmp_path):
    space = kte.TrainingSpace(build, batch_size=kte.Choice([5, 15]), epochs=2)
    tuner = keras_tuner.RandomSearch(space, "val_loss", max_trials=1, directory=tmp_path)
    tuner.search(X, Y, validation_split=0.25, verbose=0)
    assert set(tuner.get_best_hyperparameters()[0].values) == {"rate", "batch_size"}


def test_an_argument_that_is_given_twice_is_refused():
    with pytest.raises(TypeError, match="`batch_size` is set by the `TrainingSpace`"):
        searched(kte.TrainingSpace(build, batch_size=4), fit={"batch_size": 8})


class Fits(keras_tuner.HyperModel):
    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, **kwargs)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"build": Fits()}, "without a `fit` of its own"),
        ({"build": 3}, "`build` must be a function"),
        ({"batch_size": 0}, "`batch_size` must be an integer from 1 in all trials, got 0"),
        ({"epochs": kte.Int(0, 3)}, "`epochs` must be an integer from 1"),
        ({"batch_size": kte.Choice([0.5, 8])}, "got 0.5"),
        ({"data": lambda hp: hp}, "`data` must be a function of `hp, x, y`"),
        ({"callbacks": [keras.callbacks.TerminateOnNaN()]}, "`callbacks` must be a function"),
        ({"class_weight": lambda a, b: (a, b)}, "`class_weight` must be a function of `hp` or"),
    ],
)
def test_wrong_arguments_are_refused_at_once(wrong, match):
    with pytest.raises((TypeError, ValueError), match=match):
        kte.TrainingSpace(**{"build": build, **wrong})


def test_rows_without_their_weights_are_refused():
    space = kte.TrainingSpace(build, data=lambda _, x, y: (x, y))
    with pytest.raises(keras_tuner.errors.FatalTypeError, match="`sample_weight` was passed"):
        space.fit_arguments(None, (X, Y), {"sample_weight": Y})
