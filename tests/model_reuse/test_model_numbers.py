"""Each number of the table is held in a variable, and a live model then trains like a new one."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from kt_extras import compat
from kt_extras.checkpoints.random_state import set_seed
from kt_extras.model_reuse import model_numbers
from kt_extras.model_reuse.live_model import LiveModel
from kt_extras.model_reuse.model_numbers import numbers
from tests.cases import some

L, R, S = keras.layers, keras.regularizers, keras.optimizers.schedules
RNG = np.random.default_rng(0)
FLAT = RNG.normal(size=(8, 6)).astype("float32")
STEPS = RNG.normal(size=(8, 4, 6)).astype("float32")
IMAGES = RNG.uniform(size=(8, 6, 6, 3)).astype("float32")


def drawing(layer, **settings):
    """Return a layer whose random numbers repeat."""
    seeded = "seed" in inspect.signature(layer).parameters
    return layer(**settings, **({"seed": 3} if seeded else {}))


def attention(rate):
    inputs = keras.Input((4, 6))
    layer = L.MultiHeadAttention(2, 3, dropout=rate)
    return keras.Model(inputs, layer(inputs, inputs))


def by_rate(name):
    return lambda value: drawing(getattr(L, name), rate=value)


def recurrent(name):
    layer = getattr(L, name)
    return lambda value: drawing(layer, units=3, dropout=value, recurrent_dropout=value / 2)


def penalised(regularizer):
    def layer(value):
        return L.Dense(3, kernel_regularizer=regularizer(value), bias_regularizer=R.L2(value))

    return layer


def slope(value):
    return L.LeakyReLU(**{"negative_slope" if compat.KERAS_3 else "alpha": value})


#: The layer of a number, by the class that has it, and the data that it takes.
LAYERS = {
    "ActivityRegularization": (lambda v: L.ActivityRegularization(l1=v, l2=v / 2), FLAT),
    "AlphaDropout": (by_rate("AlphaDropout"), FLAT),
    "BatchNormalization": (lambda v: L.BatchNormalization(momentum=v, epsilon=v / 10), FLAT),
    "Dropout": (by_rate("Dropout"), FLAT),
    "ELU": (lambda v: L.ELU(v), FLAT),
    "GaussianDropout": (by_rate("GaussianDropout"), FLAT),
    "GaussianNoise": (lambda v: drawing(L.GaussianNoise, stddev=v), FLAT),
    "GroupNormalization": (lambda v: L.GroupNormalization(2, epsilon=v), FLAT),
    "GRUCell": (recurrent("GRU"), STEPS),
    "LayerNormalization": (lambda v: L.LayerNormalization(epsilon=v), FLAT),
    "LeakyReLU": (slope, FLAT),
    "LSTMCell": (recurrent("LSTM"), STEPS),
    "MultiHeadAttention": (attention, STEPS),
    "RandomBrightness": (lambda v: L.RandomBrightness(v, (0, 1), seed=3), IMAGES),
    "RandomContrast": (lambda v: L.RandomContrast(v, seed=3), IMAGES),
    "RandomRotation": (lambda v: L.RandomRotation(v, seed=3), IMAGES),
    "RandomTranslation": (lambda v: L.RandomTranslation(v, v / 2, seed=3), IMAGES),
    "RandomZoom": (lambda v: L.RandomZoom(v, seed=3), IMAGES),
    "SimpleRNNCell": (recurrent("SimpleRNN"), STEPS),
    "SpatialDropout1D": (by_rate("SpatialDropout1D"), STEPS),
    "SpatialDropout2D": (by_rate("SpatialDropout2D"), IMAGES),
    "L1": (penalised(R.L1), FLAT),
    "L2": (penalised(R.L2), FLAT),
    "L1L2": (penalised(lambda v: R.L1L2(v, v / 2)), FLAT),
    "OrthogonalRegularizer": (penalised(R.OrthogonalRegularizer), FLAT),
}


def losses():
    """Return the loss of a number, by its class."""
    found = {
        "BinaryCrossentropy": lambda v: keras.losses.BinaryCrossentropy(label_smoothing=v),
        "BinaryFocalCrossentropy": lambda v: keras.losses.BinaryFocalCrossentropy(
            apply_class_balancing=True, alpha=v, gamma=4 * v, label_smoothing=v / 2
        ),
        "CategoricalCrossentropy": lambda v: keras.losses.CategoricalCrossentropy(
            label_smoothing=v
        ),
        "CategoricalFocalCrossentropy": lambda v: keras.losses.CategoricalFocalCrossentropy(
            gamma=4 * v, label_smoothing=v
        ),
        "Huber": keras.losses.Huber,
    }
    return {name: make for name, make in found.items() if hasattr(keras.losses, name)}


SCHEDULES = {
    "CosineDecay": lambda v: S.CosineDecay(v, int(40 * v), alpha=v / 2),
    "ExponentialDecay": lambda v: S.ExponentialDecay(v, int(40 * v), 1.5 * v),
    "InverseTimeDecay": lambda v: S.InverseTimeDecay(v, int(40 * v), v),
    "PolynomialDecay": lambda v: S.PolynomialDecay(v, int(40 * v), v / 9, power=3 * v),
}


def with_layer(make, data):
    def build(value):
        layer = make(value)
        end = [L.Flatten(), L.Dense(1)]
        model = keras.Sequential([keras.Input(data.shape[1:]), L.Activation("linear"), layer, *end])
        model.compile(keras.optimizers.SGD(0.01), "mse")
        return model

    return build


def with_loss(make):
    def build(value):
        model = keras.Sequential([keras.Input((6,)), L.Dense(3, "softmax")])
        model.compile(keras.optimizers.SGD(0.1), make(value))
        return model

    return build


def with_schedule(make):
    def build(value):
        model = keras.Sequential([keras.Input((6,)), L.Dense(1)])
        model.compile(keras.optimizers.SGD(make(value)), "mse")
        return model

    return build


CASES = {name: (with_layer(make, data), data, 1) for name, (make, data) in LAYERS.items()}
CASES |= {name: (with_loss(make), FLAT, 3) for name, make in losses().items()}
CASES |= {name: (with_schedule(make), FLAT, 1) for name, make in SCHEDULES.items()}
CONSTANTS = {name: CASES.pop(name) for name in compat.CONSTANTS_ONLY & CASES.keys()}


def history(model, data, outputs):
    """Train as a trial does, and validate; the draws of the training are the same each time."""
    y = np.eye(outputs, dtype="float32")[np.arange(len(data)) % outputs]
    fit = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}
    compat.make_randomness_restorable(model)
    return model.fit(data, y, validation_data=(data, y), **fit).history


def built(build, value):
    set_seed(5)
    return build(value)


CHOSEN = {
    *("CosineDecay", "Dropout", "L2", "BatchNormalization", "CategoricalFocalCrossentropy"),
    *("MultiHeadAttention", "RandomRotation", "LeakyReLU"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", some(sorted(CASES), CHOSEN))
def test_a_live_model_with_another_number_trains_like_a_new_one(name):
    build, data, outputs = CASES[name]
    live = LiveModel(built(build, 0.25), {})
    before = history(live.model, data, outputs)
    live.trained()
    for value in (0.4, 0.3):
        differing = live.differing(new := built(build, value))
        assert differing
        if not live.take_state(new):
            assert not compat.KERAS_3  # which has no variables for random numbers
            return
        live.set(differing)
        expected = history(built(build, value), data, outputs)
        found = history(live.model, data, outputs)
        assert found.keys() == expected.keys()
        for metric, values in expected.items():
            np.testing.assert_allclose(found[metric], values, rtol=1e-5, err_msg=metric)
        assert not np.allclose(expected["loss"], before["loss"], rtol=1e-5)
        assert numbers(live.model) == numbers(built(build, value))


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_a_number_that_no_tensor_can_replace_needs_a_new_model(name):
    build, _, _ = CONSTANTS[name]
    assert LiveModel(build(0.25), {}).differing(build(0.4)) is None


def test_every_row_of_the_table_has_a_case():
    known = {one.__name__ for one in model_numbers._BOUNDS}
    assert known - {"Attention", "SpatialDropout3D"} <= CASES.keys()
    assert CONSTANTS.keys() <= compat.CONSTANTS_ONLY


def traces(make, values):
    """Count the traces of a layer over trainings with several values of its number."""
    count = [0]

    class Counting(L.Layer):
        def call(self, inputs):
            count[0] += not isinstance(inputs, getattr(keras, "KerasTensor", ()))
            return inputs

    def build(value):
        layers = [make(value), Counting(), L.Dense(1)]
        model = keras.Sequential([keras.Input((6,)), *layers])
        model.compile("sgd", "mse")
        return model

    live, found = LiveModel(build(values[0]), {}), []
    for value in values:
        live.set(live.differing(build(value)))
        before = count[0]
        live.model.fit(FLAT, FLAT[:, :1], verbose=0)
        found.append(count[0] - before)
    return found


def test_only_the_first_change_of_a_number_needs_a_trace():
    first, second, *others = traces(L.GaussianNoise, (0.25, 0.5, 0.1, 0.3))
    assert first > 0
    assert second > 0
    assert others == [0, 0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (L.Dropout(0.3), L.Dropout(0.0)),
        (L.Dropout(0.3), L.Dropout(1.0)),
        (L.RandomRotation((-0.1, 0.1)), L.RandomRotation((0.05, 0.1))),
        (L.Dense(1, kernel_regularizer=R.L1L2(0.1, 0.1)), L.Dense(1, kernel_regularizer=R.L1(0.1))),
        (L.Dense(1, kernel_regularizer=R.L2(0.1)), L.Dense(1)),
    ],
)
def test_a_number_that_appears_or_changes_its_sign_is_another_structure(one, other):
    def model(layer):
        made = keras.Sequential([keras.Input((6, 6, 3)), layer])
        made.compile("sgd", "mse")
        return made

    assert LiveModel(model(one), {}).differing(model(other)) is None


def test_a_model_of_lower_precision_is_built_anew():
    def model(rate):
        layers = [L.Dense(2, dtype="mixed_bfloat16"), L.Dropout(rate, dtype="mixed_bfloat16")]
        made = keras.Sequential([keras.Input((6,)), *layers])
        made.compile("sgd", "mse")
        return made

    assert LiveModel(model(0.25), {}).differing(model(0.5)) is None
    assert LiveModel(model(0.25), {}).differing(model(0.25)) == {}


def test_a_held_number_is_a_number_in_comparisons():
    held = model_numbers.HeldNumber(tf.constant(0.25, "float64"), 0.25)
    assert (0.0 < held < 1.0, held == 0.25, held != 0, bool(held)) == (True,) * 4
    assert float(np.array((2 * held - 0.5 + 1 / (4 * held)) * tf.constant(1.0))) == 1.0
    assert float(np.array(held**2 * tf.constant(4.0))) == 0.25
    assert float(-held * tf.constant(1.0)) == -0.25
