"""What a model costs, against arithmetic and TensorFlow's profiler."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras import compat
from kt_extras.costs import COSTS, CostMeter, flops, latency, model_size, parameters

layers = keras.layers


def dense(units=3, name=None, rate=0.5):
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(units, name=name), layers.Dropout(rate), layers.Dense(1)]
    )


def model_of(shape, *made):
    return keras.Sequential([keras.Input(shape), *made])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)
        self.drop = layers.Dropout(0.5)

    def call(self, x, training=False):
        return self.drop(self.dense(x["a"]), training=True) * x["b"]


class Draws(layers.Layer):
    """Draws random numbers in predictions, too."""

    def __init__(self):
        super().__init__()
        self.drop = layers.Dropout(0.5, seed=1)

    def call(self, x):
        return self.drop(x, training=True)


def with_two_inputs():
    row, word = keras.Input((4,), name="row"), keras.Input((3,), dtype="int32", name="word")
    words = layers.Flatten()(layers.Embedding(5, 2)(word))
    outputs = layers.Dense(2)(layers.concatenate([row, words]))
    return keras.Model({"row": row, "word": word}, outputs)


def text_model():
    text = keras.Input((1,), dtype="string")
    vectors = layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=5)
    words = layers.Embedding(4, 2)(vectors(text))
    return keras.Model(text, layers.Dense(1)(layers.Flatten()(words)))


def test_parameters_are_those_that_are_trained_and_those_that_are_not():
    model = model_of((4,), layers.Dense(3), layers.BatchNormalization())
    assert parameters(model) == model.count_params() == 4 * 3 + 3 + 4 * 3


def test_flops_of_a_dense_layer_are_its_products_sums_and_biases():
    model = model_of((7,), layers.Dense(5, activation="relu"))
    assert flops(model) == 2 * 7 * 5 + 5 + 5
    assert flops(model, batch_size=3) == 3 * flops(model)


def test_flops_of_a_convolution_count_each_place_of_its_kernel():
    model = model_of((8, 8, 3), layers.Conv2D(4, 3, padding="same", use_bias=False))
    assert flops(model) == 2 * 8 * 8 * 4 * 3 * 3 * 3
    strided = model_of((8, 8, 4), layers.Conv2D(6, 3, strides=2, groups=1, use_bias=False))
    assert flops(strided) == 2 * 3 * 3 * 6 * 3 * 3 * 4


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (layers.DepthwiseConv2D(3, use_bias=False), (5, 5, 2), 2 * 3 * 3 * 2 * 9),
        (layers.Conv2DTranspose(2, 3, use_bias=False), (4, 4, 3), 2 * 4 * 4 * 3 * 9 * 2),
        (layers.Conv1D(4, 3, use_bias=False), (6, 2), 2 * 4 * 4 * 3 * 2),
        (layers.Conv3D(2, 2, use_bias=False), (3, 3, 3, 1), 2 * 8 * 2 * 8),
        (layers.MaxPooling2D(2), (4, 4, 3), 2 * 2 * 3 * 4),
        (layers.GlobalAveragePooling1D(), (6, 2), 12),
        (layers.Flatten(), (6, 2), 0),
        (layers.Softmax(), (6,), 30),
        (layers.EinsumDense("xyz,zw->xyw", output_shape=(None, 5)), (6, 2), 2 * 6 * 2 * 5),
    ],
)
def test_flops_of_other_layers_are_as_computed_by_hand(layer, shape, expected):
    assert flops(model_of(shape, layer)) == expected


def test_flops_of_a_recurrent_layer_count_each_step():
    def of(steps):
        return flops(model_of((steps, 8), layers.LSTM(4)))

    step = 2 * 8 * 16 + 2 * 4 * 16 + 2 * 16 + 5 * 4 + 4 * 4  # products, sums, functions, state
    assert of(7) - of(4) == 3 * step


def test_flops_of_attention_count_its_scores():
    def of(length):
        inputs = keras.Input((length, 4))
        outputs = layers.MultiHeadAttention(2, 3)(inputs, inputs)
        return flops(keras.Model(inputs, outputs))

    second_difference = of(8) - 2 * of(6) + of(4)  # what grows with the square of the length
    products = 2 * 2 * 2 * 3  # queries with keys, and weights with values, of two heads
    assert second_difference >= 2 * 2**2 * products


def test_flops_are_those_of_the_profiler_of_tensorflow():
    model = model_of(
        (8, 8, 3),
        layers.Conv2D(4, 3, use_bias=True),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(5),
        layers.Softmax(),
    )
    call = tf.function(lambda x: model(x, training=False))
    graph = call.get_concrete_function(tf.TensorSpec((2, 8, 8, 3))).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    profile = tf.compat.v1.profiler.profile(graph, options=options)
    assert flops(model, batch_size=2) == profile.total_float_ops


@pytest.mark.parametrize("make", [with_two_inputs, text_model, dense])
def test_a_batch_has_the_shapes_and_types_of_the_inputs(make):
    model = make()
    assert flops(model, batch_size=2) == 2 * flops(model) > 0
    assert latency(model, repeats=2) > 0


def test_a_subclassed_model_is_measured_once_it_was_called():
    model = Subclassed()
    with pytest.raises(ValueError, match=r"must be built.*call it once"):
        flops(model)
    model({"a": np.zeros((2, 4), "float32"), "b": np.zeros((2, 1), "float32")})
    assert parameters(model) == 10
    assert flops(model) >= 2 * 4 * 2
    assert latency(model, repeats=1) > 0
    assert model_size(model) > 40


@pytest.mark.parametrize("cost", COSTS.values())
def test_a_model_without_weights_yet_is_an_error_that_says_what_to_do(cost):
    with pytest.raises(ValueError, match=r"must be built.*keras\.Input"):
        cost(keras.Sequential([layers.Dense(1)]))


def test_a_shape_that_is_not_fixed_is_an_error():
    model = model_of((None, 4), layers.LSTM(2))
    with pytest.raises(ValueError, match="fixed shape"):
        flops(model)


def test_an_operation_that_cannot_be_counted_is_named():
    inverse = layers.Lambda(lambda x: tf.linalg.inv(x + tf.eye(3)), output_shape=(3, 3))
    with pytest.raises(ValueError, match="cannot count a 'MatrixInverse'"):
        flops(model_of((3, 3), inverse))


def test_latency_is_that_of_a_call_and_not_of_its_trace():
    model = dense()
    assert latency(model) < 0.05
    with pytest.raises(ValueError, match="repeats"):
        latency(model, repeats=0)


def test_measuring_changes_neither_the_model_nor_random_generators():
    model = model_of((4,), layers.Dense(3), Draws(), layers.BatchNormalization(), layers.Dense(1))
    model.compile("adam", "mse")
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)

    def numbers():
        keras.utils.set_random_seed(3)
        held = [one.numpy() for one in compat.state_variables(model)]
        slots = [one.numpy() for one in compat.optimizer_variables(model)]
        return [*held, *slots]

    before, draws = numbers(), (random.random(), np.random.rand(), float(tf.random.normal([])))  # noqa: NPY002
    sizes = [parameters(model), model_size(model)]
    keras.utils.set_random_seed(3)
    for cost in COSTS.values():
        cost(model)
    assert draws == (random.random(), np.random.rand(), float(tf.random.normal([])))  # noqa: NPY002
    for one, other in zip(before, numbers(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.optimizer is optimizer
    assert sizes == [parameters(model), model_size(model)]
    assert not tf.config.functions_run_eagerly()


def test_the_size_on_disk_is_the_same_after_the_training():
    model = dense()
    model.compile("adam", "mse", run_eagerly=True)
    before = model_size(model)
    model.fit(np.ones((4, 4)), np.ones((4, 1)), verbose=0)
    assert model_size(model) == before > 4 * parameters(model)


def test_models_of_one_architecture_are_measured_once():
    meter = CostMeter(["latency", "flops", "parameters", "model_size"], batch_size=2)
    first = meter.measure(dense(name="one"))
    assert first == meter.measure(dense(name="two", rate=0.1))
    assert first["flops"] == flops(dense(), batch_size=2)
    assert meter.measure(dense(units=5))["parameters"] == 31


def test_what_changes_the_cost_is_another_architecture():
    meter = CostMeter(["flops"])
    models = [model_of((n, 4), layers.Conv1D(2, 2, strides=s)) for n, s in [(4, 1), (5, 1), (4, 2)]]
    assert len({meter.measure(model)["flops"] for model in models}) == 3


def test_a_subclassed_model_is_always_measured():
    meter, models = CostMeter(["flops"]), [Subclassed(), Subclassed()]
    for columns, model in enumerate(models, 3):
        model({"a": np.zeros((2, columns), "float32"), "b": np.zeros((2, 1), "float32")})
    assert len({meter.measure(model)["flops"] for model in models}) == 2


def test_costs_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match=r"names.*'size'"):
        CostMeter(["size"])
    with pytest.raises(ValueError, match="batch_size"):
        CostMeter(["flops"], batch_size=0)


class Counted(kte.HyperModel):
    """Is scored by its operations, and not trained."""

    def build(self, hp):
        made = dense(hp.Int("units", 1, 64, default=1))
        made.compile("sgd", "mse")
        return made

    def fit(self, hp, model, *args, **kwargs):
        return float(flops(model))


def test_a_constraint_may_bound_the_costs(tmp_path):
    tuner = kte.RandomSearch(
        Counted(),
        max_trials=3,
        seed=0,
        directory=tmp_path,
        constraint=lambda _, model: kte.costs.flops(model) < 400,
    )
    tuner.search(verbose=0)
    scores = [row["score"] for row in tuner.results() if row["state"] == "completed"]
    assert len(scores) == 3
    assert max(scores) < 400
