"""What `kt_extras.training.fit` does besides training: callbacks, data, programs, and `fit`."""

import functools
import inspect
import signal
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras import compat
from kt_extras.compat import KERAS_3
from kt_extras.training.epoch_program import run_epoch
from kt_extras.training.fallback_reasons import reason_to_fall_back
from kt_extras.training.fit import fit
from kt_extras.training.fit_data import EpochOrder, array_data

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(20, 1)).astype("float32")
DATA = tf.data.Dataset.from_tensor_slices((X, Y)).batch(6)
UNKNOWN = "The number of batches of `validation_data` is not known."


def made(cls=keras.Sequential, **arguments):
    model = cls([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"], **arguments)
    return model


def reason(model=None, x=X, y=Y, **given):
    """Return why `fit` falls back, None if it does not."""
    bound = inspect.signature(keras.Model.fit).bind(None, x, y, **given)
    bound.apply_defaults()
    return reason_to_fall_back(model or made(), bound.arguments, datasets=True)


class ByBatches(keras.callbacks.Callback):
    """A callback that is called for each batch."""

    def on_train_batch_end(self, batch, logs=None):
        pass


def with_own_hook():
    callback = keras.callbacks.Callback()
    callback.on_test_batch_begin = print
    return callback


@pytest.mark.parametrize(
    ("callback", "name"),
    [
        (ByBatches, "ByBatches"),
        (with_own_hook, "Callback"),
        (keras.callbacks.TerminateOnNaN, "TerminateOnNaN"),
        (lambda: keras.callbacks.TensorBoard("b", update_freq=2), "TensorBoard"),
        (lambda: keras.callbacks.ModelCheckpoint("m.keras", save_freq=2), "ModelCheckpoint"),
        (lambda: keras.callbacks.LambdaCallback(on_train_batch_end=print), "LambdaCallback"),
    ],
)
def test_a_callback_for_batches_falls_back(callback, name):
    assert reason(callbacks=[callback()]) == f"`{name}` is called for each batch."


def test_callbacks_for_epochs_do_not_fall_back():
    callbacks = [
        keras.callbacks.TensorBoard("board", write_graph=KERAS_3),
        keras.callbacks.ModelCheckpoint("model.weights.h5", save_weights_only=True),
        keras.callbacks.EarlyStopping("loss", patience=9),
        keras.callbacks.CSVLogger("log.csv"),
        keras.callbacks.ReduceLROnPlateau("loss"),
        *([keras.callbacks.BackupAndRestore("backup")] * KERAS_3),
    ]
    assert reason(callbacks=callbacks) is None
    assert fit(made(), X, Y, epochs=2, verbose=0, callbacks=callbacks).epoch == [0, 1]


class OwnFit(keras.Sequential):
    """A model with a `fit` of its own."""

    def fit(self, *args, **kwargs):
        return super().fit(*args, **kwargs)


class OwnFunction(keras.Sequential):
    """A model that makes its functions itself."""

    def make_train_function(self, force=False):
        return super().make_train_function(force)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (lambda: made(OwnFit), "The model has `fit` of its own."),
        (lambda: made(OwnFunction), "The model has `make_train_function` of its own."),
        (lambda: made(run_eagerly=True), "The model runs eagerly."),
    ],
)
def test_a_model_that_works_by_batches_falls_back(model, expected):
    assert reason(model()) == expected


def test_steps_per_execution_make_no_difference():
    several, one = made(steps_per_execution=3), made()
    several.set_weights(one.get_weights())
    given = {"batch_size": 6, "epochs": 2, "shuffle": False, "verbose": 0}
    history = fit(several, X, Y, validation_data=(X, Y), **given).history
    expected = one.fit(X, Y, validation_data=(X, Y), **given).history
    assert history.keys() == expected.keys()
    for name, values in history.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-6)


def test_a_distributed_model_falls_back():
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        model = made()
    assert reason(model) == "The model is distributed by `tf.distribute`."


def test_a_fit_that_a_tracker_has_put_into_keras_is_called(monkeypatch):
    plain, calls = keras.Model.fit, []

    @functools.wraps(plain)
    def recorded(self, *args, **kwargs):
        calls.append(kwargs["epochs"])
        return plain(self, *args, **kwargs)

    model = made()
    monkeypatch.setattr(keras.Model, "fit", recorded)
    assert reason(model) == "`keras.Model.fit` was replaced."
    assert fit(model, X, Y, epochs=2, verbose=0).epoch == [0, 1]
    assert calls == [2]


def test_a_train_function_of_ones_own_falls_back():
    model = made()
    model.train_function = print
    assert reason(model) == "The model has `train_function` of its own."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"shuffle": "batch"}, "`shuffle='batch'` is passed."),
        ({"x": iter([(X, Y)]), "y": None}, "`x` holds other data than arrays."),
        (
            {"x": DATA.filter(lambda *_: True), "y": None},
            "The number of batches of `x` is not known.",
        ),
        ({"x": DATA.repeat(), "y": None}, "The number of batches of `x` is not known."),
        ({"x": DATA.take(0), "y": None}, "`x` is empty."),
        (
            {"x": DATA, "y": None, "steps_per_epoch": 2},
            "The steps given for `x` are not its number of batches.",
        ),
        ({"validation_data": DATA.filter(lambda *_: True)}, UNKNOWN),
        (
            {"batch_size": 5, "steps_per_epoch": 3},
            "`steps_per_epoch` does not divide the number of batches.",
        ),
    ],
)
def test_data_that_do_not_make_whole_epochs_fall_back(given, expected):
    assert reason(**given) == expected


def test_the_reason_is_printed_once_unless_verbose_is_0(capsys):
    for _ in range(2):
        kte.training.fit(made(run_eagerly=True), X, Y, verbose=2)
    kte.training.fit(made(run_eagerly=True), X, Y, verbose=0)
    assert capsys.readouterr().out.count("batch by batch: The model runs eagerly.") == 1


def test_fit_without_compile_raises_the_error_of_keras():
    with pytest.raises((ValueError, RuntimeError), match="compile"):
        fit(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]), X, Y, verbose=0)


def test_an_unknown_argument_raises_the_error_of_keras():
    with pytest.raises(TypeError, match="unexpected keyword argument 'epoch'"):
        fit(made(), X, Y, epoch=3)


def test_a_shuffled_training_repeats_with_a_seed():
    losses = []
    for _ in range(2):
        keras.utils.set_random_seed(4)
        losses.append(fit(made(), X, Y, batch_size=5, epochs=3, verbose=0).history["loss"])
    assert losses[0] == losses[1]


def test_the_order_changes_with_each_epoch_and_has_all_rows():
    keras.utils.set_random_seed(4)
    order = EpochOrder(9, 2, shuffle=True)
    first, second = order.next(), order.next()
    assert first.tolist() != second.tolist()
    assert sorted(first) == sorted(second) == list(range(9))


def test_epochs_of_some_steps_share_an_order():
    order = EpochOrder(9, 2, shuffle=True, steps=1)
    parts = [order.next() for _ in range(5)]
    assert [len(part) for part in parts] == [2, 2, 2, 2, 1]
    assert sorted(np.concatenate(parts)) == list(range(9))


@pytest.mark.parametrize(
    "given",
    [
        {"validation_split": 0.3, "validation_batch_size": 4, "initial_epoch": 1},
        {
            "validation_data": (X, Y, np.ones(20)),
            "validation_freq": 2,
            "validation_steps": 2,
            "sample_weight": np.linspace(0, 1, 20),
        },
        {
            "validation_data": (X, Y),
            "validation_freq": [1, 3],
            "steps_per_epoch": 2,
            "batch_size": 5,
        },
    ],
)
def test_arguments_mean_what_they_mean_to_fit(given):
    histories = []
    for train in (lambda model, *args, **rest: model.fit(*args, **rest), fit):
        keras.utils.set_random_seed(0)
        history = train(made(), X, Y, epochs=3, shuffle=False, verbose=0, **given)
        histories.append((history.epoch, history.history))
    (epochs, found), (known_epochs, known) = histories
    assert (epochs, list(found)) == (known_epochs, list(known))
    for name, values in known.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6)


@pytest.mark.parametrize(
    ("data", "given"),
    [
        (DATA, {"validation_data": DATA.take(2)}),
        (DATA.repeat(), {"steps_per_epoch": 3, "validation_data": (X, Y)}),
        pytest.param(DATA.take(3), {"steps_per_epoch": 3}, marks=pytest.mark.exhaustive),
        pytest.param(
            DATA,
            {"validation_data": DATA.repeat(), "validation_steps": 5},
            marks=pytest.mark.exhaustive,
        ),
        (DATA.map(lambda x, y: (x, tf.cast(y > 0, tf.int32))), {"class_weight": {0: 0.3, 1: 2.0}}),
    ],
)
def test_results_on_a_data_set_are_those_of_fit(data, given):
    histories = []
    for train in (lambda model, *args, **rest: model.fit(*args, **rest), fit):
        keras.utils.set_random_seed(0)
        model = made()
        history = train(model, data, epochs=3, shuffle=False, verbose=0, **given)
        histories.append((history.history, model.get_weights()))
    (found, weights), (known, known_weights) = histories
    for name, values in known.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6)
    for array, known_array in zip(weights, known_weights, strict=True):
        np.testing.assert_allclose(array, known_array, rtol=1e-6)


def test_a_data_set_that_shuffles_itself_has_the_order_that_it_has_in_fit():
    losses = []
    for train in (lambda model, *args, **rest: model.fit(*args, **rest), fit):
        keras.utils.set_random_seed(0)
        data, others = DATA.shuffle(20, seed=3), DATA.shuffle(9, seed=4)
        given = {"validation_data": others, "shuffle": False, "epochs": 3, "verbose": 0}
        losses.append(train(made(), data, **given).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_class_weights_are_those_of_fit():
    losses = []
    for train in (lambda model, *args, **rest: model.fit(*args, **rest), fit):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
        model.compile("sgd", "binary_crossentropy")
        labels, weights = (Y > 0).astype(int), {0: 0.2, 1: 3.0}
        history = train(model, X, labels, class_weight=weights, shuffle=False, verbose=0)
        losses += history.history["loss"]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)


def test_data_frames_are_taken():
    pandas = pytest.importorskip("pandas")
    frames = pandas.DataFrame(X), pandas.Series(Y[:, 0])
    assert reason(None, *frames) is None
    assert len(fit(made(), *frames, verbose=0).epoch) == 1


def test_a_callback_can_end_the_training():
    stop = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=1e9)
    assert fit(made(), X, Y, epochs=5, verbose=0, callbacks=[stop]).epoch == [0, 1]


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin"])
def test_a_training_that_is_ended_before_its_first_batch_ends_after_it(hook):
    found = []
    for train in (lambda model, *args, **rest: model.fit(*args, **rest), fit):
        model, callback = made(), keras.callbacks.Callback()

        def stop(*_, model=model, **__):
            model.stop_training = True

        setattr(callback, hook, stop)
        history = train(model, X, Y, batch_size=5, epochs=3, verbose=0, callbacks=[callback])
        found.append((history.epoch, int(model.optimizer.iterations)))
    assert found[0] == found[1] == ([0], 1)


def test_a_changed_learning_rate_is_used_without_a_new_trace():
    model = made()
    fit(model, X, Y, verbose=0)
    before = model.get_weights()
    model.optimizer.learning_rate = 0.0
    fit(model, X, Y, verbose=0)
    assert all(map(np.array_equal, before, model.get_weights()))


class CountedSGD(keras.optimizers.SGD):
    """An optimizer that counts how often its update is traced."""

    traces = 0

    def apply_gradients(self, *args, **kwargs):
        self.traces += 1
        return super().apply_gradients(*args, **kwargs)


def counted():
    model = made()
    model.compile(CountedSGD(0.1), "mse", metrics=["mae"])
    return model


def test_a_new_model_is_traced_once():
    model = counted()
    fit(model, X, Y, epochs=2, verbose=0)
    assert model.optimizer.traces == 1 + (not KERAS_3)


def test_a_program_serves_all_trainings_with_batches_of_its_size():
    model = counted()
    fit(model, X, Y, batch_size=5, verbose=0)
    traces = model.optimizer.traces
    fit(model, X, Y, batch_size=5, epochs=2, verbose=0)
    fit(model, X[:15], Y[:15], batch_size=5, verbose=0)
    assert model.optimizer.traces == traces
    fit(model, X, Y, batch_size=4, verbose=0)
    assert model.optimizer.traces > traces


@pytest.mark.parametrize("drop", [compat.retrace, lambda m: m.compile(m.optimizer, "mae")])
def test_a_program_is_dropped_with_the_functions_of_keras(drop):
    model = counted()
    fit(model, X, Y, verbose=0)
    traces = model.optimizer.traces
    drop(model)
    fit(model, X, Y, verbose=0)
    assert model.optimizer.traces > traces


def test_a_long_epoch_runs_in_parts():
    model = made()
    data = array_data(model, X, Y, batch_size=2)
    run_epoch(model, data, np.arange(20), training=True)
    assert int(model.optimizer.iterations) == 10
    (_, programs) = vars(model)["_kt_extras_epoch_programs"]["train_function"]
    assert next(iter(programs.values()))._calls > 1


def test_a_model_can_be_saved_and_copied_after_it():
    model = made()
    fit(model, X, Y, verbose=0)
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    assert keras.models.clone_model(model).count_params() == model.count_params()


def test_the_line_of_an_epoch_is_printed(capsys):
    fit(made(), X, Y, epochs=2, verbose=2)
    out = capsys.readouterr().out
    assert "Epoch 2/2" in out
    assert "1/1" in out
    assert "loss" in out


@pytest.mark.slow
def test_an_epoch_ends_at_once_when_it_is_interrupted():
    model = made()
    data = array_data(model, X, Y, batch_size=1)
    run_epoch(model, data, np.arange(20), training=True)
    timer = threading.Timer(1.0, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):  # the epoch would take minutes
        run_epoch(model, data, np.zeros(10**7, int), training=True)


def test_tensorflow_does_not_warn_of_new_models(caplog):
    for _ in range(6):
        fit(made(), X, Y, verbose=0)
    assert "retracing" not in caplog.text
