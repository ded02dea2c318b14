"""A trial's result does not depend on what ran before it: models are reused or built, and agree."""

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras import compat

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6)).astype("float32")
Y = RNG.normal(size=(24, 1)).astype("float32")
ONLY_KERAS_3 = pytest.mark.skipif(not compat.KERAS_3, reason="Keras 2 draws from operations")


def body(hp):
    return [L.Dense(4, "tanh")]


def build_with(body=body, optimizer=keras.optimizers.Adam, **compiled):
    """Return a `build` whose learning rate is a hyperparameter."""

    def build(hp):
        model = keras.Sequential([keras.Input((6,)), *body(hp), L.Dense(1)])
        rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
        settings = {key: make() for key, make in compiled.items()}
        model.compile(optimizer(rate), **{"loss": "mse", **settings})
        return model

    return build


def searched(hypermodel, reuse, *, tuner=kte.TPE, fit=None, **settings):
    """Run a search; return the history of each trial, and the pool of models."""
    name = f"{tuner.__name__}-{reuse}"
    made = tuner(
        hypermodel,
        "val_loss",
        seed=settings.pop("seed", 1),
        project_name=name,
        reuse_models=reuse,
        trials_at_once=1,
        max_consecutive_failed_trials=9,
        max_failure_fraction=None,
        **({"max_trials": 3} | settings if tuner is kte.TPE else settings),
    )
    epochs = {"epochs": 2} if tuner in (kte.TPE, kte.Evolution) else {}
    given = {"validation_data": (X, Y), "batch_size": 8, "verbose": 0, **epochs, **(fit or {})}
    given = {name: value for name, value in given.items() if value is not None}
    made.search(given.pop("x", X), *([] if "x" in (fit or {}) else [Y]), **given)
    return [made.history(number) for number in range(len(made.results()))], made


def assert_same_histories(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name, values in other.items():
            np.testing.assert_allclose(one[name], values, rtol=1e-5, atol=1e-8, err_msg=name)


def check(hypermodel, *, reused=True, make=None, **settings):
    """Compare a search that reuses models with one that does not."""
    make = make or (lambda: hypermodel)
    expected, _ = searched(make(), 0, **settings)
    found, tuner = searched(make(), 16, **settings)
    assert_same_histories(found, expected)
    pool = tuner._pool
    assert bool(pool.reused) == reused, pool.reasons
    return pool


TUNERS = {
    "TPE": (kte.TPE, {"executions_per_trial": 2}),
    "ASHA": (kte.ASHA, {"max_trials": 5, "max_epochs": 4, "min_epochs": 1, "reduction_factor": 2}),
    "PBT": (kte.PBT, {"population_size": 4, "max_epochs": 4, "interval": 1}),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [n if n == "ASHA" else pytest.param(n, marks=pytest.mark.exhaustive) for n in TUNERS]
)
def test_every_tuner_gives_the_same_histories_with_reuse(name):
    tuner, settings = TUNERS[name]

    def dropping(hp):
        return [L.Dense(4, "tanh"), L.GaussianNoise(hp.Float("noise", 0.1, 0.5))]

    reused = compat.KERAS_3 or name in {"ASHA", "BOHB", "PBT"}
    check(build_with(dropping), reused=reused, tuner=tuner, **settings)


def decaying(rate):
    return keras.optimizers.AdamW(rate, weight_decay=rate / 10, beta_1=1 - rate)


def with_schedule(rate):
    return keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(rate, int(1e4 * rate)))


def averaging(rate):
    return keras.optimizers.SGD(rate, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2)


def normalising(hp):
    return [L.Dense(4), L.BatchNormalization(momentum=hp.Float("m", 0.5, 0.9)), L.ReLU()]


def adapted(hp):
    layer = L.Normalization()
    layer.adapt(X[: hp.Choice("rows", [12, 24])])
    return [layer, L.Dense(4)]


def regularised(hp):
    return [L.Dense(4, kernel_regularizer=keras.regularizers.L2(hp.Float("l2", 1e-3, 0.1)))]


def recurrent(hp):
    return [L.Reshape((3, 2)), L.LSTM(3)]


def stateful(hp):
    del hp
    inputs = keras.Input(batch_shape=(8, 6))
    layers = [L.Reshape((3, 2)), L.LSTM(3, stateful=True), L.Dense(1)]
    return keras.Sequential([inputs, *layers])


class Factor(L.Layer):
    """Has what its configuration does not say."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.values = {"factor": np.array([factor])}

    def call(self, inputs):
        return inputs * float(self.values["factor"][0])

    def get_config(self):
        return super().get_config()


class Counting(L.Layer):
    """Changes whenever it is traced."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = [0]

    def call(self, inputs):
        self.calls[0] += 1
        return inputs * (1 + 0.01 * self.calls[0])


class Drawing(L.Layer):
    """Uses an operation that keeps a state."""

    def call(self, inputs):
        return inputs + 0.1 * tf.random.normal(tf.shape(inputs), seed=3)


UNTRACKED = []


class Hidden(L.Layer):
    """Changes a variable that Keras does not know."""

    def build(self, shape):
        UNTRACKED.append(tf.Variable(1.0, trainable=False))
        self.number = len(UNTRACKED) - 1
        self.built = True

    def call(self, inputs):
        return inputs * UNTRACKED[self.number].assign_add(0.1)


class Calling(L.Layer):
    """Calls Python."""

    def call(self, inputs):
        made = tf.py_function(lambda x: x * 2.0, [inputs], tf.float32)
        made.set_shape(inputs.shape)
        return made

    def compute_output_shape(self, shape):
        return shape


class Largest(keras.metrics.Metric):
    """The largest error of all epochs: it is never reset."""

    def __init__(self):
        super().__init__(name="largest")
        self.largest = self.add_weight(name="largest", shape=(), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.largest.assign(tf.maximum(self.largest, tf.reduce_max(tf.abs(y_true - y_pred))))

    def result(self):
        return tf.convert_to_tensor(self.largest)

    def reset_state(self):
        pass


def layers_of(*classes):
    return lambda _: [L.Dense(4), *(make() for make in classes)]


#: What a model has, how it is compiled, and whether models that have it are reused.
MODELS = {
    "numbers of AdamW": ({"optimizer": decaying}, True),
    "a schedule": ({"optimizer": with_schedule}, True),
    "an average of weights": ({"optimizer": averaging}, True),
    "BatchNormalization": ({"body": normalising}, True),
    "LSTM": ({"body": recurrent}, True),
    "a regularizer": ({"body": regularised}, True),
    "Normalization, adapted": ({"body": adapted}, True),
    "a custom layer": ({"body": lambda hp: [Factor(hp.Choice("f", [0.5, 2.0]))]}, True),
    "a layer that counts calls": ({"body": layers_of(Counting)}, False),
    "random operations": ({"body": layers_of(Drawing)}, False),
    "a variable that is hidden": ({"body": layers_of(Hidden)}, False),
    "a call of Python": ({"body": layers_of(Calling)}, False),
    "a metric without an end": ({"metrics": lambda: [Largest()]}, True),
    "a metric": ({"metrics": lambda: ["mae", keras.metrics.R2Score()]}, True),
}
QUICK = "numbers of AdamW"
SLOW = {"LSTM", "random operations"}


def marks_of(name):
    """Return the marks of a case: some models stand for all others."""
    if name == QUICK:
        return []
    return [pytest.mark.slow if name in SLOW else pytest.mark.exhaustive]


EVERY = [pytest.param(name, marks=marks_of(name)) for name in MODELS]


@pytest.mark.parametrize("name", EVERY)
def test_models_agree_with_and_without_reuse(name):
    settings, reused = MODELS[name]
    reused &= compat.KERAS_3 or name not in {"BatchNormalization", "LSTM"}
    if name == "a metric" and not compat.KERAS_3:
        settings = {"metrics": lambda: ["mae"]}
    pool = check(build_with(**settings), reused=reused, max_trials=4, seed=2)
    assert reused or len(pool.reasons) > 0


@pytest.mark.exhaustive
def test_states_of_a_recurrent_layer_begin_anew_in_each_trial():
    def build(hp):
        model = stateful(hp)
        model.compile(keras.optimizers.SGD(hp.Float("rate", 0.01, 0.1)), "mse")
        return model

    check(build, reused=False, fit={"shuffle": False})


@pytest.mark.exhaustive
def test_text_is_vectorised_as_without_reuse():
    words = np.array(["a b", "b c", "c d a"] * 8, dtype=object)

    def build(hp):
        layer = L.TextVectorization(10, output_sequence_length=3)
        layer.adapt(words[: hp.Choice("rows", [1, 24])])
        embedding = [L.Embedding(10, 2), L.Flatten(), L.Dense(1)]
        inputs = keras.Input((), dtype="string")
        model = keras.Sequential([inputs, layer, *embedding])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 0.01, 0.1)), "mse")
        return model

    data = tf.data.Dataset.from_tensor_slices((words.astype(str), Y)).batch(8)
    fit = {"x": data, "batch_size": None, "validation_data": data}
    check(build, reused=False, fit=fit, max_trials=4)


class ChangesRate(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.001


class Freezes(keras.callbacks.Callback):
    """Freezes a layer after an epoch, and compiles the model again."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.model.layers[0].trainable = False
            self.model.compile(keras.optimizers.SGD(0.01), "mse")
            self.model.make_train_function(force=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("callback", "reused"),
    [pytest.param(ChangesRate, True, marks=pytest.mark.exhaustive), (Freezes, False)],
)
def test_what_a_callback_changes_ends_with_its_trial(callback, reused):
    check(build_with(), reused=reused, fit={"callbacks": [callback()]})


class Fragile(keras_tuner.HyperModel):
    """Fails in its second trial, and diverges in its third."""

    def __init__(self):
        super().__init__()
        self.trials = 0

    def build(self, hp):
        model = build_with(optimizer=keras.optimizers.SGD)(hp)
        self.trials += 1
        if self.trials == 4:  # one is built before the trials
            model.optimizer.learning_rate = 1e38
        return model

    def fit(self, hp, model, *args, **kwargs):
        history = model.fit(*args, batch_size=hp.Choice("batch", [8, 24]), **kwargs)
        if self.trials == 3:
            raise keras_tuner.errors.FailedTrialError("a failure in between")
        return history


@pytest.mark.exhaustive
def test_trials_after_a_failure_and_a_divergence_are_as_without_reuse():
    check(None, make=Fragile, max_trials=6, fit={"batch_size": None})


class KeepsModel(keras_tuner.HyperModel):
    """Trains what it has kept of the model, not the model that it is given."""

    def build(self, hp):
        self.model = build_with()(hp)
        return self.model

    def fit(self, hp, model, *args, **kwargs):
        self.model.layers[0].trainable = False
        return self.model.fit(*args, **kwargs)


@pytest.mark.slow
def test_a_model_that_the_hypermodel_refers_to_is_not_exchanged():
    pool = check(None, make=KeepsModel, reused=False)
    assert list(pool.reasons) == ["the hypermodel refers to it"]


@pytest.mark.exhaustive
def test_models_without_an_input_are_reused():
    def build(hp):
        model = keras.Sequential([L.Dense(4, "relu"), L.Dense(1)])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 0.01, 0.1)), "mse")
        return model

    check(build)


class Interrupting(keras.callbacks.Callback):
    def __init__(self, trials):
        super().__init__()
        self.left = trials

    def __deepcopy__(self, memo):
        return self

    def on_train_end(self, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.exhaustive
def test_a_search_that_is_resumed_is_as_one_without_reuse():
    hypermodel = build_with()
    settings = {"tuner": kte.ASHA, "max_trials": 5, "max_epochs": 4, "reduction_factor": 2}
    found = []
    for reuse in (0, 16):
        with pytest.raises(KeyboardInterrupt):
            searched(hypermodel, reuse, fit={"callbacks": [Interrupting(4)]}, **settings)
        found.append(searched(hypermodel, reuse, **settings)[0])
    assert_same_histories(*found)


@pytest.mark.slow
def test_the_models_of_the_user_are_none_of_those_that_are_kept():
    seen = []

    class Seeing(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(self.model)

    _, tuner = searched(build_with(), 16, fit={"callbacks": lambda *_: [Seeing()]})
    best = tuner.get_best_models(2)
    trial = tuner.oracle.get_best_trials(1)[0]
    refitted = tuner.refit(X, Y, validation_data=(X, Y), epochs=1, verbose=0)
    users = [*best, tuner.load_model(trial), refitted]
    assert len({id(model) for model in seen}) == 1
    assert not {id(model) for model in seen} & {id(model) for model in users}
    assert len({id(model) for model in users}) == 4


@pytest.mark.slow
def test_no_model_is_kept_after_a_search():
    _, tuner = searched(build_with(), 16)
    assert tuner._pool._kept == []
    assert tuner._pool.reused == 2


@pytest.mark.slow
def test_no_more_models_are_kept_than_asked_for():
    def build(hp):
        model = keras.Sequential([keras.Input((6,)), L.Dense(hp.Int("units", 1, 9)), L.Dense(1)])
        model.compile("sgd", "mse")
        return model

    kept = []

    class Watching(kte.TPE):
        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            kept.append([live.model.layers[0].units for live in self._pool._kept])

    tuner = Watching(build, "val_loss", max_trials=4, seed=0, reuse_models=2, trials_at_once=1)
    tuner.search(X, Y, validation_data=(X, Y), epochs=1, verbose=0)
    units = [row["units"] for row in tuner.results()]
    assert all(len(models) <= 2 for models in kept)
    assert kept[-1] == units[-2:]
