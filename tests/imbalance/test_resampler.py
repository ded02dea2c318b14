import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras.imbalance import Resampler, resample
from kt_extras.imbalance.resampling import METHODS, WITH_NEIGHBORS, WITH_RATIO

RNG = np.random.default_rng(0)
Y = np.arange(60) % 5 == 0  # one in five, evenly spread
X = (RNG.normal(0, 1, (60, 2)) + Y[:, None]).astype("float32")
Y = Y.astype("int64")


def chosen(**values):
    hp = keras_tuner.HyperParameters()
    hp.values = values
    return hp


class Recorder:
    """Stands in for a model, and keeps the arguments of `fit`."""

    def fit(self, x, y, **arguments):
        self.x, self.y, self.arguments = x, y, arguments
        return "history"


def rows(x):
    return {tuple(row) for row in np.asarray(x).tolist()}


def test_method_ratio_and_neighbours_are_one_conditional_block():
    hp = keras_tuner.HyperParameters()
    Resampler(hp)
    method, ratio, neighbors = hp.space
    assert (method.name, tuple(method.values), method.default) == ("resampling", METHODS, "none")
    assert (ratio.name, neighbors.name) == ("resampling_ratio", "resampling_k_neighbors")
    assert tuple(ratio.conditions[0].values) == WITH_RATIO
    assert set(neighbors.conditions[0].values) == set(WITH_NEIGHBORS)
    assert hp.values == {"resampling": "none"}


@pytest.mark.parametrize("method", METHODS)
def test_every_choice_resamples_as_it_says(method):
    hp = chosen(resampling=method, resampling_ratio=0.5, resampling_k_neighbors=4)
    resampler = Resampler(hp, seed=2)
    assert resampler.ratio == (0.5 if method in WITH_RATIO else None)
    assert resampler.k_neighbors == (4 if method in WITH_NEIGHBORS else None)
    found = resampler.fit_resample(X, Y)
    expected = resample(X, Y, method, ratio=0.5, k_neighbors=4, seed=2)
    assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))


def test_numbers_and_the_method_may_be_fixed_and_methods_left_out():
    hp = keras_tuner.HyperParameters()
    resampler = Resampler(hp, methods=["smote"], ratio=0.7, k_neighbors=3, prefix="my_")
    assert [(each.name, type(each).__name__) for each in hp.space] == [("my_resampling", "Fixed")]
    assert (resampler.method, resampler.ratio, resampler.k_neighbors) == ("smote", 0.7, 3)
    hp = keras_tuner.HyperParameters()
    Resampler(hp, methods=["none", "tomek_links"])
    assert [each.name for each in hp.space] == ["resampling"]


@pytest.mark.parametrize("methods", [["random_over", "smote"], ["smote"]])
def test_in_a_scope_that_is_not_active_nothing_is_resampled(methods):
    hp = keras_tuner.HyperParameters()
    hp.Choice("correction", ["none", "resampling"])
    with hp.conditional_scope("correction", ["resampling"]):
        resampler = Resampler(hp, methods=methods)
    assert resampler.method == "none"
    assert resampler.fit_resample(X, Y)[0] is X


@pytest.mark.parametrize("fraction", [0.2, 0.25, 0.33])
def test_the_validation_split_is_that_of_keras_before_resampling(fraction):
    model = Recorder()
    resampler = Resampler(chosen(resampling="smote"))
    assert resampler.fit(model, X, Y, validation_split=fraction, epochs=3) == "history"
    assert model.arguments["epochs"] == 3
    validation_x, validation_y = model.arguments["validation_data"]
    end = int(60 * (1 - fraction))
    assert np.array_equal(validation_x, X[end:])
    assert np.array_equal(validation_y, Y[end:])
    assert not rows(model.x) & rows(validation_x)
    expected = resample(X[:end], Y[:end], "smote")
    assert np.array_equal(model.x, expected[0])
    assert np.array_equal(model.y, expected[1])


def test_validation_data_that_are_given_are_passed_on_as_they_are():
    model, validation = Recorder(), (X[:5], Y[:5])
    Resampler(chosen(resampling="random_over")).fit(
        model, X, Y, validation_data=validation, validation_split=0.5
    )
    assert model.arguments == {"validation_data": validation}
    assert np.bincount(model.y).tolist() == [48, 48]


def test_without_a_split_there_is_no_validation():
    model = Recorder()
    Resampler(chosen()).fit(model, X, Y)
    assert model.arguments == {"validation_data": None}
    assert model.x is X


class Seen(keras.callbacks.Callback):
    """Counts the rows that training and validation go through."""

    trained, validated = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.trained.append(round(logs["rows"]))
        self.validated.append(round(logs["val_rows"]))


@keras.saving.register_keras_serializable(package="tests")
class Rows(keras.metrics.Sum):
    """The number of rows that a model has seen."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(tf.ones_like(y_pred))


class Small(keras_tuner.HyperModel):
    """A model that is fitted to resampled data."""

    def declare_hyperparameters(self, hp):
        Resampler(hp, ratio=1.0)

    def build(self, hp):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
        rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
        model.compile(
            keras.optimizers.SGD(rate), "binary_crossentropy", metrics=[Rows(name="rows")]
        )
        return model

    def fit(self, hp, model, *args, **kwargs):
        return Resampler(hp, ratio=1.0).fit(model, *args, **kwargs)


@pytest.mark.parametrize("arguments", [{"validation_split": 0.25}, {"validation_data": (X, Y)}])
def test_a_search_resamples_training_data_but_not_validation_data(arguments):
    methods = ["random_under", "smote", "none"]
    tuner = kte.TPE(Small(), objective="val_loss", max_trials=3, seed=0, directory="here")
    for method in methods:
        tuner.enqueue({"resampling": method})
    Seen.trained.clear()
    Seen.validated.clear()
    tuner.search(X, Y, epochs=1, verbose=0, callbacks=[Seen()], **arguments)
    found = {row["resampling"]: row for row in tuner.results()}
    assert set(found) == set(methods)
    assert all(row["state"] == "completed" for row in found.values())
    assert set(Seen.validated) == {15 if "validation_split" in arguments else 60}
    expected = {18, 72, 45} if "validation_split" in arguments else {24, 96, 60}
    assert set(Seen.trained) == expected


def test_the_space_is_known_before_the_first_trial():
    tuner = kte.TPE(Small(), objective="val_loss", max_trials=1, directory="here")
    names = [each.name for each in tuner.oracle.get_space().space]
    assert {"resampling", "resampling_k_neighbors", "rate"} <= set(names)


@pytest.mark.parametrize("method", ["none", "random_over", "smote"])
def test_nan_is_rejected_at_the_first_trial_if_any_method_rejects_it(method):
    x = X.copy()
    x[7, 0] = np.nan
    with pytest.raises(ValueError, match=r"`x` must be finite .*1 of 60 rows"):
        Resampler(chosen(resampling=method)).fit_resample(x, Y)


def test_nan_is_accepted_if_all_methods_draw_rows():
    x = X.copy()
    x[7, 0] = np.nan
    resampler = Resampler(chosen(), methods=["random_over", "random_under"])
    assert len(resampler.fit_resample(x, Y)[0]) == 96


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": ["smotes"]}, "`methods` must be some of .*got 'smotes'"),
        ({"methods": []}, "`methods` must have one of none, .*, got none"),
        ({"ratio": (0.0, 1.0)}, "`ratio` must be above 0"),
        ({"ratio": (1.0, 0.5)}, r"`ratio` must be a number or a pair \(low, high\)"),
        ({"k_neighbors": 0}, "`k_neighbors` must be an integer from 1, got 0"),
        ({"k_neighbors": (2.5, 5)}, r"`k_neighbors` must be an integer from 1, got 2\.5"),
        ({"methods": "smote"}, r"`methods` must be a list, got 'smote'; pass \['smote'\]"),
        ({"ratio": "0.5"}, "`ratio` must be a number or a pair .*got '0.5'"),
        ({"ratio": [0.1, 0.2, 0.3]}, "`ratio` must be a number or a pair"),
    ],
)
def test_invalid_methods_and_ranges_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        Resampler(keras_tuner.HyperParameters(), **arguments)


def test_a_range_may_be_a_list():
    hp = keras_tuner.HyperParameters()
    Resampler(hp, ratio=[0.3, 0.9])
    ratio = next(each for each in hp.space if each.name == "resampling_ratio")
    assert (ratio.min_value, ratio.max_value) == (0.3, 0.9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_weight": np.ones(60)}, "`sample_weight` can't be given here"),
        ({"validation_split": 1.0}, "`validation_split` must be at least 0 and below 1"),
        ({"validation_split": 0.999}, "`validation_split` must leave rows for both parts"),
        ({"validation_split": 0.2, "y": Y[:50]}, "must have the same number of rows"),
        ({"x": {"a": X}}, "`x` must be one array with a row for each label, got a dict of 1"),
        ({"x": [X, X], "validation_split": 0.2}, "`x` must be one array .*got a list of 2"),
    ],
)
def test_invalid_arguments_of_fit_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        Resampler(chosen()).fit(Recorder(), **{"x": X, "y": Y, **arguments})
