"""The average of weights is exact, can be validated, and is kept over a pause."""

import copy
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from kt_extras.callbacks import StochasticWeightAveraging, update_batch_statistics
from kt_extras.compat import KERAS_3, PyDataset
from tests.cases import some

X = np.random.default_rng(0).normal(2.0, 3.0, size=(20, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def make(*, batch_norm=False, rate=0.01, momentum=0.9):
    keras.utils.set_random_seed(0)
    norm = [keras.layers.BatchNormalization(name="norm")] if batch_norm else []
    model = keras.Sequential([keras.layers.Input((3,)), *norm, keras.layers.Dense(1, name="out")])
    # So few steps are faster without a trace.
    model.compile(keras.optimizers.SGD(rate, momentum), "mse", run_eagerly=True)
    return model


class Recorded(keras.callbacks.Callback):
    """Keeps the weights at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


def fit(model, callbacks, epochs=6, initial_epoch=0, **options):
    settings = {"batch_size": 20, "verbose": 0, "shuffle": False, "callbacks": callbacks}
    settings |= {"epochs": epochs, "initial_epoch": initial_epoch, **options}
    return model.fit(X, Y, **settings).history


def mean(weights):
    return [np.mean(layer, axis=0) for layer in zip(*weights, strict=True)]


def assert_same(first, second, rtol=1e-5):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)


def last_weight(averaging, trained):
    """Return the weight at the end of a training, given what it is after each epoch."""
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    averaging.set_model(model)
    averaging.set_params({"epochs": len(trained)})
    averaging.on_train_begin()
    for epoch, weight in enumerate(trained):
        averaging.on_epoch_begin(epoch)
        model.set_weights([np.full((1, 1), weight)])
        averaging.on_epoch_end(epoch, {})
    averaging.on_train_end()
    return float(model.get_weights()[0][0, 0])


@pytest.mark.parametrize(
    ("start", "every", "averaged"),
    [(0, 1, [1, 2, 4, 8, 16, 32]), (2, 2, [4, 16]), (0.5, 1, [8, 16, 32]), (5, 1, [32])],
)
def test_the_last_weights_are_the_mean_of_those_of_the_chosen_epochs(start, every, averaged):
    averaging = StochasticWeightAveraging(start, every)
    for training in range(2):
        scale = 10.0**training
        found = last_weight(averaging, scale * np.array([1, 2, 4, 8, 16, 32]))
        assert averaging.count == len(averaged)
        assert found == pytest.approx(scale * np.mean(averaged))


class Temperature(keras.layers.Layer):
    def build(self, shape):
        self.value = self.add_weight(shape=(), initializer="ones", name="temperature")

    def call(self, x):
        return x * self.value


def test_a_weight_without_dimensions_is_averaged():
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1), Temperature()])
    model.compile(keras.optimizers.SGD(0.001), "mse", run_eagerly=True)
    recorded = Recorded()
    fit(model, [recorded, StochasticWeightAveraging(start=2)])
    assert_same(model.get_weights(), mean(recorded.weights[2:]))


def test_a_training_that_ends_before_the_average_begins_keeps_its_weights():
    with pytest.warns(UserWarning, match="No epoch was averaged: the average begins with epoch 3"):
        assert last_weight(StochasticWeightAveraging(3), [1, 2, 4]) == 4.0


def test_the_training_is_the_same_with_and_without_averaging():
    plain, validated = Recorded(), Recorded()
    fit(make(batch_norm=True), [plain])
    averaging = StochasticWeightAveraging(1, data=X, validate=True)
    fit(make(batch_norm=True), [validated, averaging])
    # `validated` stands before the callback but behind the validation, of which there is none.
    for epoch in range(6):
        assert_same(validated.weights[epoch], plain.weights[epoch])


def test_validation_and_later_callbacks_see_the_average():
    plain, seen = Recorded(), Recorded()
    fit(make(), [plain])
    model = make()
    averaging = StochasticWeightAveraging(2, validate=True)
    history = fit(model, [averaging, seen], validation_data=(X, Y))
    for epoch in range(6):
        expected = mean(plain.weights[2 : epoch + 1]) if epoch >= 2 else plain.weights[epoch]
        assert_same(seen.weights[epoch], expected)
    loss = model.evaluate(X, Y, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert_same(model.get_weights(), seen.weights[-1], rtol=0)


@pytest.mark.parametrize("validate", some([False, True], [True]))
def test_a_training_that_was_paused_ends_with_the_same_average(validate):
    options = {"batch_norm": True, "momentum": 0.0}  # so that the optimizer has no state

    def averaging():
        return StochasticWeightAveraging(1, data=X, validate=validate)

    whole = make(**options)
    fit(whole, [averaging()])

    first, before = make(**options), averaging()
    fit(first, [before], epochs=3)
    second, after = make(**options), averaging()
    second.set_weights(first.get_weights())
    state = {name: copy.deepcopy(value) for name, value in before.get_state().items()}

    class Restoring(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            after.set_state(state)

    fit(second, [after, Restoring()], initial_epoch=3)
    assert after.count == 5
    assert_same(second.get_weights(), whole.get_weights())


def test_each_training_has_its_own_average_and_shares_the_data():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(20)
    averaging = StochasticWeightAveraging(3, data=data)
    first, second = make(batch_norm=True), make(batch_norm=True)
    fit(first, [averaging])
    other = copy.deepcopy(averaging)
    assert (other.count, other.data) == (0, data)
    fit(second, [other])
    assert_same(first.get_weights(), second.get_weights(), rtol=1e-6)


def test_statistics_of_batches_are_those_of_the_averaged_weights():
    model = make(batch_norm=True)
    fit(model, [StochasticWeightAveraging(2, data=X, batch_size=20)])
    norm = model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean.numpy(), X.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance.numpy(), X.var(axis=0), rtol=1e-4)


def test_batch_normalisation_without_data_fails_when_training_begins():
    with pytest.raises(ValueError, match=r"`data` must be given, for the model has batch .*'norm'"):
        fit(make(batch_norm=True), [StochasticWeightAveraging()])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": -1}, "`start` must be an epoch from 0, or a fraction"),
        ({"start": 1.5}, "`start` must be an epoch from 0, or a fraction"),
        ({"start": True}, "`start` must be an epoch from 0, or a fraction"),
        ({"every": 0}, "`every` must be an integer from 1"),
        ({"steps": 0}, "`steps` must be a whole number"),
    ],
)
def test_a_wrong_argument_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        StochasticWeightAveraging(**options)


def norm_and_model(**options):
    norm = keras.layers.BatchNormalization(**options)
    return norm, keras.Sequential([keras.layers.Input((3,)), norm])


class Rows(PyDataset):
    """The data by the numbers of batches."""

    def __init__(self):
        if KERAS_3:  # or it warns
            super().__init__()

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[8 * index : 8 * index + 8], Y[8 * index : 8 * index + 8]


class RowsAgain(Rows):
    """The same without an end."""

    @property
    def num_batches(self):
        return None

    def __getitem__(self, index):
        return super().__getitem__(index % 3)


def sets():
    """Return the same data in each form that they may have."""
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    found = {"array": X, "dataset": dataset, "without_end": dataset.repeat(), "by_number": Rows()}
    return {**found, "by_number_without_end": RowsAgain()} if KERAS_3 else found


@pytest.mark.parametrize("form", sets())
def test_statistics_are_means_over_batches_by_their_rows(form):
    norm, model = norm_and_model()
    update_batch_statistics(model, sets()[form], batch_size=8, steps=3)
    batches = [X[:8], X[8:16], X[16:]]
    variance = np.average([b.var(axis=0) for b in batches], axis=0, weights=[8, 8, 4])
    np.testing.assert_allclose(norm.moving_mean.numpy(), X.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance.numpy(), variance, rtol=1e-4)
    assert norm.momentum == 0.99


@pytest.mark.parametrize("form", [form for form in sets() if form.endswith("without_end")])
def test_data_without_an_end_need_a_number_of_steps(form):
    with pytest.raises(ValueError, match="`steps` must be given for `data` without an end"):
        update_batch_statistics(norm_and_model()[1], sets()[form])
    with pytest.raises(ValueError, match="`steps` must be given for `data` without an end"):
        StochasticWeightAveraging(data=sets()[form])


def test_a_layer_that_is_not_trained_keeps_its_statistics():
    norm, model = norm_and_model()
    norm.trainable = False
    update_batch_statistics(model, X)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), 0.0)


def test_data_without_a_batch_are_rejected():
    with pytest.raises(ValueError, match="`data` must hold at least one batch"):
        update_batch_statistics(norm_and_model()[1], X[:0])


@pytest.mark.parametrize(("start", "every"), [(2, 1), (1, 2)])
def test_with_one_step_an_epoch_the_average_is_that_of_tensorflow_addons(start, every):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tfa = pytest.importorskip("tensorflow_addons")
    ours, theirs = make(momentum=0.0), make(momentum=0.0)
    averaged = tfa.optimizers.SWA(keras.optimizers.legacy.SGD(0.01), start, every)
    theirs.compile(averaged, "mse", run_eagerly=True)
    fit(theirs, [])
    averaged.assign_average_vars(theirs.trainable_variables)
    fit(ours, [StochasticWeightAveraging(start, every)])
    assert_same(ours.get_weights(), theirs.get_weights(), rtol=1e-6)
