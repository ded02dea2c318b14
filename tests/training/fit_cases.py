"""Models of the kinds that people write, with their data, for comparisons of trainings."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from kt_extras.compat import KERAS_3

L = keras.layers
ROWS = 22  # the last of three batches of 8 is shorter


def rng():
    return np.random.default_rng(0)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=(ROWS, *shape)).astype("float32")


def classes(n=3):
    return np.random.default_rng(1).integers(0, n, ROWS)


def one_hot(n=3):
    return np.eye(n, dtype="float32")[classes(n)]


def tokens(length=5, words=7):
    return np.random.default_rng(2).integers(0, words, (ROWS, length))


def compiled(model, loss="mse", optimizer=None, **arguments):
    model.compile(optimizer or keras.optimizers.Adam(0.01), loss, **arguments)
    return model


def classifier(*layers, shape=(4,), **arguments):
    body = [keras.Input(shape), *layers, L.Dense(3, activation="softmax")]
    arguments = {"metrics": ["accuracy"], **arguments}
    return compiled(keras.Sequential(body), "sparse_categorical_crossentropy", **arguments)


def dense():
    return classifier(L.Dense(5, activation="relu")), (numbers(4), classes())


def many_metrics():
    metrics = [
        keras.metrics.AUC(multi_label=True, num_labels=3),
        keras.metrics.Precision(),
        keras.metrics.F1Score(average=None),
        keras.metrics.TopKCategoricalAccuracy(2),
        keras.metrics.CosineSimilarity(),
        "mae",
    ]
    model = classifier(L.Dense(4))
    weighted = ["accuracy", keras.metrics.MeanSquaredError(name="weighted")]
    compiled(model, "categorical_crossentropy", metrics=metrics, weighted_metrics=weighted)
    return model, (numbers(4), one_hot(), np.linspace(0.1, 2, ROWS))


def convolutions():
    layers = [
        L.Conv2D(3, 3, padding="same", activation="relu"),
        L.BatchNormalization(),
        L.MaxPooling2D(),
        L.SeparableConv2D(4, 2),
        L.GlobalAveragePooling2D(),
    ]
    return classifier(*layers, shape=(6, 6, 2)), (numbers(6, 6, 2), classes())


def lstm():
    return classifier(L.LSTM(3, dropout=0.2 * KERAS_3), shape=(4, 2)), (numbers(4, 2), classes())


def masked_gru():
    layers = [L.Embedding(7, 3, mask_zero=True), L.Bidirectional(L.GRU(2)), L.Dense(3)]
    return classifier(*layers, shape=(5,)), (tokens(), classes())


def attention():
    inputs = keras.Input((5,), dtype="int32")
    embedded = L.Embedding(7, 4)(inputs)
    attended = L.MultiHeadAttention(2, 3)(embedded, embedded)
    normal = L.LayerNormalization()(L.Add()([embedded, attended]))
    outputs = L.Dense(1)(L.GlobalAveragePooling1D()(normal))
    return compiled(keras.Model(inputs, outputs)), (tokens(), numbers(1))


def several_inputs_and_outputs():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    joined = L.Concatenate()([L.Dense(3)(a), L.Dense(3)(b)])
    outputs = {"c": L.Dense(1, name="c")(joined), "d": L.Dense(2, name="d")(joined)}
    model = keras.Model({"a": a, "b": b}, outputs)
    loss = {"c": "mse", "d": "mae"}
    compiled(model, loss, loss_weights={"c": 0.3, "d": 2.0}, metrics={"c": ["mae"], "d": ["mse"]})
    return model, ({"a": numbers(2), "b": numbers(3)}, {"c": numbers(1), "d": numbers(2)})


def lists_of_inputs():
    a, b = keras.Input((2,)), keras.Input((2,))
    shared = L.Dense(3, activation="tanh")
    outputs = [L.Dense(1)(L.Add()([shared(a), shared(b)])), L.Dense(1)(shared(a))]
    return compiled(keras.Model([a, b], outputs), ["mse", "mae"]), (
        [numbers(2), numbers(2, seed=5)],
        [numbers(1), numbers(1, seed=6)],
    )


def residual():
    inputs = keras.Input((4,))
    x = L.Dense(4, activation="relu")(inputs)
    x = L.Add()([x, inputs])
    return compiled(keras.Model(inputs, L.Dense(1)(x)), "huber"), (numbers(4), numbers(1))


class Subclassed(keras.Model):
    """A model without declared inputs, whose layers are built by the first batch."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = L.Dense(4, activation="relu"), L.Dense(1)

    def call(self, inputs, training=False):
        hidden = self.hidden(inputs)
        return self.out(hidden * 2.0 if training else hidden)


def subclassed():
    return compiled(Subclassed(), metrics=["mae"]), (numbers(4), numbers(1))


def unbuilt():
    return compiled(keras.Sequential([L.Dense(3), L.Dense(1)])), (numbers(4), numbers(1))


class Counting(L.Layer):
    """A layer with a state that each call changes."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")
        super().build(shape)

    def call(self, inputs):
        self.calls.assign_add(1.0)
        return inputs * (1 + 0.01 * self.calls)


def layer_with_state():
    return classifier(Counting(), L.Dense(3)), (numbers(4), classes())


class Penalised(L.Layer):
    """A layer that adds a loss of its own."""

    def call(self, inputs):
        self.add_loss(0.1 * tf.reduce_mean(tf.square(inputs)))
        return inputs


def added_losses():
    regular = L.Dense(
        4,
        kernel_regularizer=keras.regularizers.L2(0.01),
        activity_regularizer=keras.regularizers.L1(0.01),
        kernel_constraint=keras.constraints.MaxNorm(1.0),
    )
    return classifier(regular, Penalised()), (numbers(4), classes())


def dropout():
    layers = [L.Dense(6), L.Dropout(0.4, seed=3), L.GaussianNoise(0.1, seed=4)]
    return classifier(*layers), (numbers(4), classes())


def normalization():
    adapted = L.Normalization()
    adapted.adapt(numbers(4, seed=9) * 3)
    return classifier(adapted, L.Dense(4)), (numbers(4), classes())


def augmentation():
    layers = [L.RandomFlip(seed=1), L.RandomRotation(0.1, seed=2), L.Flatten()]
    return classifier(*layers, shape=(4, 4, 1)), (numbers(4, 4, 1), classes())


def clipped_schedule():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.5)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.01, clipnorm=0.1)
    return classifier(L.Dense(4), optimizer=optimizer), (numbers(4), classes())


def averaged_weights():
    optimizer = keras.optimizers.SGD(
        0.1, momentum=0.9, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2
    )
    return classifier(L.Dense(4), optimizer=optimizer), (numbers(4), classes())


def averaged_at_the_end():
    optimizer = keras.optimizers.Nadam(0.05, use_ema=True, ema_momentum=0.5)
    return classifier(L.Dense(4), optimizer=optimizer), (numbers(4), classes())


def accumulated_gradients():
    optimizer = keras.optimizers.RMSprop(0.01, gradient_accumulation_steps=2)
    return classifier(L.Dense(4), optimizer=optimizer), (numbers(4), classes())


def mixed_precision():
    policy = keras.mixed_precision.Policy("mixed_bfloat16")
    inputs = keras.Input((4,))
    hidden = L.Dense(8, activation="relu", dtype=policy)(inputs)
    return compiled(keras.Model(inputs, L.Dense(1, dtype="float32")(hidden))), (
        numbers(4),
        numbers(1),
    )


def scaled_loss():
    optimizer = keras.mixed_precision.LossScaleOptimizer(keras.optimizers.Adam(0.01))
    return classifier(L.Dense(4), optimizer=optimizer), (numbers(4), classes())


def summed_loss():
    loss = keras.losses.SparseCategoricalCrossentropy(reduction="sum")
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="softmax")])
    return compiled(model, loss, keras.optimizers.SGD(0.01)), (
        numbers(4),
        classes(),
        np.linspace(0, 1, ROWS),
    )


def frozen_layer():
    frozen = L.Dense(4, trainable=False)
    return classifier(frozen, L.Dense(4)), (numbers(4), classes())


class Adversarial(keras.Model):
    """A pair of networks, each with its optimizer, and logs that are no metrics."""

    def __init__(self):
        super().__init__()
        self.generator = keras.Sequential([keras.Input((2,)), L.Dense(4)])
        self.discriminator = keras.Sequential([keras.Input((4,)), L.Dense(1)])

    def compile(self, **arguments):
        super().compile(**arguments)
        self.second = keras.optimizers.RMSprop(0.01)
        self.second.build(self.generator.trainable_variables)

    def call(self, inputs):
        return self.discriminator(inputs)

    def train_step(self, data):
        real = data[0] if isinstance(data, tuple) else data
        noise = tf.ones((tf.shape(real)[0], 2)) * tf.reduce_mean(real)
        with tf.GradientTape(persistent=True) as tape:
            fake = self.discriminator(self.generator(noise))
            good = tf.reduce_mean(tf.square(fake - 1))
            bad = tf.reduce_mean(tf.square(self.discriminator(real) - 1) + tf.square(fake))
        for network, loss, optimizer in (
            (self.discriminator, bad, self.optimizer),
            (self.generator, good, self.second),
        ):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"good": good, "bad": bad}


def adversarial():
    model = Adversarial()
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    return model, (numbers(4),)


class OwnStep(keras.Model):
    """A model with a step and a metric of its own."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.tracker]

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(self(x, training=True) - y))
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}

    def test_step(self, data):
        x, y = data
        self.tracker.update_state(tf.reduce_mean(tf.abs(self(x) - y)))
        return {"loss": self.tracker.result()}


def own_step():
    inputs = keras.Input((4,))
    return compiled(OwnStep(inputs, L.Dense(1)(inputs))), (numbers(4), numbers(1))


class OwnLoss(keras.Model):
    """A model with a `compute_loss` of its own."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **others):
        del x, sample_weight, others
        return tf.reduce_mean(tf.square(y - y_pred)) + 0.1 * tf.reduce_mean(tf.abs(y_pred))


def own_loss():
    inputs = keras.Input((4,))
    return compiled(OwnLoss(inputs, L.Dense(1)(inputs)), None), (numbers(4), numbers(1))


def text():
    words = np.array(["a b", "b c", "c", "a a b"] * 6)[:ROWS]
    vectorize = L.TextVectorization(max_tokens=6, output_sequence_length=3)
    vectorize.adapt(words)
    layers = [vectorize, L.Embedding(6, 2), L.Flatten()]
    body = [keras.Input((1,), dtype="string"), *layers, L.Dense(1, activation="sigmoid")]
    model = compiled(keras.Sequential(body), "binary_crossentropy")
    return model, (tf.constant(words)[:, None], classes(2))


BOTH = [
    dense, many_metrics, convolutions, lstm, masked_gru, attention, several_inputs_and_outputs,
    lists_of_inputs, residual, subclassed, unbuilt, layer_with_state, added_losses, normalization,
    clipped_schedule, averaged_weights, averaged_at_the_end, mixed_precision, scaled_loss,
    summed_loss, frozen_layer, adversarial, own_step, own_loss, text,
]  # fmt: skip
#: On Keras 2 random layers draw other numbers: their seeds depend on the graph that they are in.
KERAS_3_ONLY = [dropout, augmentation, accumulated_gradients]
CASES = BOTH + KERAS_3_ONLY * KERAS_3
#: Those that take a second or two each are tested always, the others with the slow tests.
QUICK = [dense, dropout, subclassed, own_step, adversarial, averaged_weights]
