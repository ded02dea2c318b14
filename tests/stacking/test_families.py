"""Layers, optimizers, losses and metrics in a stack against plain `fit`."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kt_extras.stacking.model_stack import ModelStack
from kt_extras.stacking.refusal import NotStackable
from kt_extras.training.fit_data import array_data
from tests.cases import some
from tests.stacking.comparison import assert_as_alone, built

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
L, O, K = keras.layers, keras.optimizers, keras  # noqa: E741
RATES = (0.01, 0.003, 0.03)

rng = np.random.default_rng(0)
ROWS = rng.normal(size=(40, 6)).astype("float32")
IMAGES = rng.normal(size=(40, 8, 8, 2)).astype("float32")
SERIES = rng.normal(size=(40, 6, 3)).astype("float32")
WORDS = rng.integers(0, 9, (40, 6)).astype("int32")
CLASSES = rng.integers(0, 3, 40).astype("int32")
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
LABELS = (CLASSES > 0).astype("float32")[:, None]
WEIGHTS = rng.uniform(0.5, 2, 40).astype("float32")


def network(layers, x, *, optimizer=None, loss="sparse_categorical_crossentropy", **kwargs):
    """Return a function that builds a network; `layers` and `optimizer` are functions too."""

    def build(number):
        head = [] if kwargs.get("bare") else [L.Flatten(), L.Dense(3, "softmax")]
        model = K.Sequential([K.Input(x.shape[1:], dtype=x.dtype.name), *layers(number), *head])
        made = optimizer(number) if optimizer else O.Adam(RATES[number])
        model.compile(made, loss, metrics=kwargs.get("metrics", ["accuracy"]))
        return model

    return build


LAYERS = {
    "BatchNormalization": (ROWS, lambda _: [L.Dense(8, use_bias=False), L.BatchNormalization()]),
    "normalizations": (
        ROWS,
        lambda _: [L.Dense(8), L.LayerNormalization(), L.UnitNormalization(), L.Dense(8),
                   L.GroupNormalization(2), L.RMSNormalization()],
    ),
    "activations": (
        ROWS,
        lambda _: [L.Dense(8, "gelu"), L.Dense(8, "selu"), L.PReLU(), L.LeakyReLU(0.2),
                   L.ELU(0.5),
                   L.Dense(8, "swish"), L.Softmax()],
    ),
    "noises": (
        ROWS,
        lambda n: [L.GaussianNoise(0.1 + 0.1 * n), L.Dense(8), L.GaussianDropout(0.1 + 0.1 * n),
                   L.AlphaDropout(0.1 + 0.1 * n)],
    ),
    "EinsumDense": (ROWS, lambda _: [L.EinsumDense("ab,bc->ac", 8)]),
    "Rescaling": (ROWS, lambda _: [L.Rescaling(0.5), L.Normalization(mean=0.1, variance=2.0)]),
    "strided": (IMAGES, lambda _: [L.Conv2D(4, 3, strides=2), L.Conv2D(4, 2, padding="same")]),
    "dilated": (IMAGES, lambda _: [L.Conv2D(4, 3, dilation_rate=2), L.Conv2D(4, 3)]),
    "grouped": (IMAGES, lambda _: [L.Conv2D(4, 3, groups=2), L.Conv2D(6, 3, groups=2)]),
    "depthwise": (IMAGES, lambda _: [L.DepthwiseConv2D(3), L.SeparableConv2D(4, 3)]),
    "transposed": (
        IMAGES, lambda _: [L.Conv2DTranspose(4, 3, strides=2, padding="same"), L.Conv2D(2, 3)]
    ),
    "convolution and normalization": (
        IMAGES,
        lambda n: [L.Conv2D(4, 3, use_bias=False), L.BatchNormalization(), L.ReLU(),
                   L.SpatialDropout2D(0.1 + 0.1 * n), L.Conv2D(4, 3)],
    ),
    "Conv3D": (
        IMAGES.reshape(len(IMAGES), 8, 4, 4, 1), lambda _: [L.Conv3D(3, 2), L.Conv3D(2, 2)]
    ),
    "pooling": (
        IMAGES,
        lambda _: [L.Conv2D(4, 3, padding="same"), L.MaxPooling2D(), L.AveragePooling2D(2),
                   L.UpSampling2D(), L.ZeroPadding2D(), L.GlobalAveragePooling2D()],
    ),
    "Conv1D": (
        SERIES,
        lambda _: [L.Conv1D(4, 3, padding="causal", activation="relu"), L.MaxPooling1D(),
                   L.Conv1D(4, 2, strides=2), L.GlobalMaxPooling1D()],
    ),
    "separable and transposed Conv1D": (
        SERIES, lambda _: [L.SeparableConv1D(4, 3), L.Conv1DTranspose(4, 3)]
    ),
    "LSTM": (SERIES, lambda _: [L.LSTM(4)]),
    "LSTM after Dense": (
        SERIES, lambda _: [L.Dense(4), L.LSTM(4, return_sequences=True), L.GRU(4)]
    ),
    "GRU after Embedding": (WORDS, lambda _: [L.Embedding(9, 4, mask_zero=True), L.GRU(4)]),
    "Bidirectional": (
        WORDS, lambda n: [L.Embedding(9, 4), L.Bidirectional(L.LSTM(4, dropout=0.1 + 0.1 * n))]
    ),
    "SimpleRNN": (SERIES, lambda _: [L.Dense(4), L.SimpleRNN(4, recurrent_dropout=0.2)]),
    "ConvLSTM1D": (SERIES[..., None], lambda _: [L.ConvLSTM1D(2, 2)]),
    "TimeDistributed": (SERIES, lambda _: [L.TimeDistributed(L.Dense(4, "relu"))]),
    "Embedding": (WORDS, lambda _: [L.Embedding(9, 4), L.GlobalAveragePooling1D()]),
    "Embedding with a mask": (
        WORDS, lambda _: [L.Embedding(9, 4, mask_zero=True), L.GlobalAveragePooling1D()]
    ),
    "shapes": (
        IMAGES,
        lambda _: [L.Permute((2, 1, 3)), L.Reshape((16, 8)), L.Dense(4), L.Cropping1D(2),
                   L.UpSampling1D(2), L.ZeroPadding1D(1)],
    ),
    "regularizers": (
        ROWS,
        lambda n: [L.Dense(8, kernel_regularizer=K.regularizers.L1L2(0.01, RATES[n]),
                           bias_regularizer="l1"), L.ActivityRegularization(l2=0.01)],
    ),
    "constraints": (
        ROWS, lambda _: [L.Dense(8, kernel_constraint="max_norm", bias_constraint="non_neg")]
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    some(
        LAYERS,
        {
            *("noises", "convolution and normalization", "pooling"),
            *("LSTM", "GRU after Embedding", "regularizers"),
        },
    ),
)
def test_layers_train_as_alone(name):
    x, layers = LAYERS[name]
    assert_as_alone(network(layers, x), x, CLASSES)


@pytest.mark.exhaustive
def test_convolutions_train_as_alone_without_onednn():
    """TensorFlow uses it on some processors only, and lacks gradients without it."""
    code = (
        "from tests.stacking.test_families import test_layers_train_as_alone as train\n"
        "for name in ('convolution and normalization', 'grouped'): train(name)"
    )
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)


def optimizers():
    def settings(number, **own):
        return {"learning_rate": RATES[number], **{k: v[number] for k, v in own.items()}}

    def schedule(number):
        return O.schedules.ExponentialDecay(RATES[number], 3, 0.9 - 0.1 * number)

    betas = {"beta_1": (0.9, 0.8, 0.7), "beta_2": (0.999, 0.99, 0.9)}
    decay = {"weight_decay": (0.01, 0.1, 0.001)}
    momentum = {"momentum": (0.9, 0.8, 0.5)}
    found = {
        "SGD": lambda n: O.SGD(**settings(n)),
        "momentum": lambda n: O.SGD(**settings(n, **momentum, **decay)),
        "Nesterov": lambda n: O.SGD(**settings(n, **momentum), nesterov=True),
        "RMSprop": lambda n: O.RMSprop(
            **settings(n, rho=(0.9, 0.8, 0.7), **momentum), centered=True
        ),
        "Adam": lambda n: O.Adam(**settings(n, **betas, epsilon=(1e-7, 1e-3, 1e-5))),
        "AMSGrad": lambda n: O.Adam(**settings(n, **betas), amsgrad=True),
        "AdamW": lambda n: O.AdamW(**settings(n, **betas, **decay)),
        "Adadelta": lambda n: O.Adadelta(**settings(n, rho=(0.9, 0.8, 0.7))),
        "Adagrad": lambda n: O.Adagrad(**settings(n, epsilon=(1e-7, 1e-3, 1e-5))),
        "Adamax": lambda n: O.Adamax(**settings(n, **betas)),
        "Adafactor": lambda n: O.Adafactor(**settings(n, clip_threshold=(1.0, 0.5, 2.0))),
        "Nadam": lambda n: O.Nadam(**settings(n, **betas)),
        "Ftrl": lambda n: O.Ftrl(**settings(n, l2_regularization_strength=(0.1, 0.2, 0.3))),
        "Lion": lambda n: O.Lion(
            **settings(n, beta_1=(0.9, 0.8, 0.7), beta_2=(0.99, 0.9, 0.8), **decay)
        ),
        "Lamb": lambda n: O.Lamb(**settings(n, **betas, **decay)),
        "clipnorm": lambda n: O.Adam(**settings(n, clipnorm=(0.01, 0.1, 1.0))),
        "clipvalue": lambda n: O.SGD(**settings(n, clipvalue=(0.01, 0.1, 1.0))),
        "global_clipnorm": lambda n: O.SGD(**settings(n, global_clipnorm=(0.01, 0.1, 1.0))),
        "EMA": lambda n: O.Adam(**settings(n, ema_momentum=(0.9, 0.8, 0.7)), use_ema=True),
        "EMA that overwrites": lambda n: O.SGD(
            **settings(n), use_ema=True, ema_overwrite_frequency=2
        ),
        "loss scale": lambda n: O.SGD(**settings(n), loss_scale_factor=8.0),
        "ExponentialDecay": lambda n: O.SGD(schedule(n)),
        "CosineDecay": lambda n: O.Adam(
            O.schedules.CosineDecay(RATES[n], 9, 0.1, warmup_target=0.05, warmup_steps=2)
        ),
    }
    if hasattr(O, "Muon"):
        found["Muon"] = lambda n: O.Muon(**settings(n, momentum=(0.95, 0.9, 0.8)))
    return found


@pytest.mark.parametrize(
    "name",
    some(
        optimizers(),
        {"momentum", "RMSprop", "AdamW", "clipnorm", "EMA", "CosineDecay"},
    ),
)
def test_optimizers_train_as_alone(name):
    build = network(lambda _: [L.Dense(8, "tanh")], ROWS, optimizer=optimizers()[name])
    assert_as_alone(build, ROWS, CLASSES)


SPARSE = ("SGD", "AdamW", "Ftrl", "Lamb", "clipnorm")


@pytest.mark.parametrize("name", some(SPARSE, {"AdamW", "Ftrl"}))
def test_embeddings_with_optimizers_train_as_alone(name):
    layers = lambda _: [L.Embedding(9, 4), L.GlobalAveragePooling1D()]  # noqa: E731
    assert_as_alone(network(layers, WORDS, optimizer=optimizers()[name]), WORDS, CLASSES)


M, S = keras.metrics, keras.losses
TASKS = {
    "several classes": (
        CLASSES, "sparse_categorical_crossentropy",
        lambda: ["accuracy", M.SparseTopKCategoricalAccuracy(2), M.SparseCategoricalCrossentropy()],
    ),
    "one-hot classes": (
        ONE_HOT, S.CategoricalCrossentropy(label_smoothing=0.1),
        lambda: [M.AUC(multi_label=True, num_thresholds=20), M.Precision(), M.Recall(), M.F1Score(),
                 M.CategoricalAccuracy(), M.TopKCategoricalAccuracy(2), M.OneHotMeanIoU(3)],
    ),
    "numbers": (
        ONE_HOT, "mse",
        lambda: ["mae", M.RootMeanSquaredError(), M.R2Score(), M.CosineSimilarity(),
                 M.MeanAbsolutePercentageError(), M.LogCoshError()],
    ),
    "robust loss": (ONE_HOT, S.Huber(0.5, reduction="sum"), lambda: ["mse"]),
    "divergence": (ONE_HOT, "kl_divergence", lambda: ["kl_divergence", M.Poisson()]),
    "focal loss": (ONE_HOT, S.CategoricalFocalCrossentropy(), lambda: ["accuracy"]),
}  # fmt: skip


@pytest.mark.parametrize("name", some(TASKS, {"several classes", "numbers"}))
def test_losses_and_metrics_are_as_alone(name):
    y, loss, metrics = TASKS[name]

    def build(number):
        model = K.Sequential([K.Input((6,)), L.Dense(8, "relu"), L.Dense(3, "softmax")])
        copy = loss if isinstance(loss, str) else type(loss).from_config(loss.get_config())
        model.compile(O.Adam(RATES[number]), copy, metrics=metrics(), weighted_metrics=["accuracy"])
        return model

    validation = ROWS[:12] + 0.1, y[:12]
    assert_as_alone(build, ROWS, y, sample_weight=WEIGHTS, validation_data=validation)


def test_binary_losses_and_metrics_are_as_alone():
    def build(number):
        model = K.Sequential([K.Input((6,)), L.Dense(8, "relu"), L.Dense(1, "sigmoid")])
        metrics = [
            *("accuracy", M.AUC(num_thresholds=20), M.Precision(), M.Recall(), M.F1Score()),
            *(M.PrecisionAtRecall(0.5, 20), M.BinaryIoU([0, 1]), M.FalseNegatives()),
        ]
        model.compile(O.Adam(RATES[number]), "binary_crossentropy", metrics=metrics)
        return model

    assert_as_alone(build, ROWS, LABELS, class_weight={0: 0.5, 1: 2.0})


def attention(number):
    inputs = K.Input((6, 3))
    x = L.MultiHeadAttention(2, 4, dropout=0.1)(inputs, inputs)
    x = L.LayerNormalization()(L.Add()([inputs, x]))
    x = L.Attention()([x, x])
    model = K.Model(inputs, L.Dense(3, "softmax")(L.GlobalAveragePooling1D()(x)))
    optimizer = O.SGD(RATES[number], momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_attention_trains_as_alone():
    assert_as_alone(attention, SERIES, CLASSES)


def two_in_two_out(number):
    first, second = K.Input((6,), name="a"), K.Input((6, 3), name="b")
    x = L.Concatenate()([L.Dense(4, "relu")(first), L.Flatten()(second)])
    outputs = {"c": L.Dense(3, "softmax", name="c")(x), "d": L.Dense(1, name="d")(x)}
    model = K.Model({"a": first, "b": second}, outputs)
    losses = {"c": "sparse_categorical_crossentropy", "d": "mse"}
    metrics = {"c": ["accuracy"], "d": ["mae"]}
    model.compile(O.Adam(RATES[number]), losses, metrics=metrics, loss_weights={"c": 1.0, "d": 0.5})
    return model


@pytest.mark.parametrize("rows", [32, 40])
def test_several_inputs_and_outputs_train_as_alone(rows):
    x = {"a": ROWS[:rows], "b": SERIES[:rows]}
    y = {"c": CLASSES[:rows], "d": LABELS[:rows]}
    assert_as_alone(two_in_two_out, x, y)


class OwnLoss(keras.Model):
    """A subclassed model with a loss and a layer of its own."""

    def __init__(self):
        super().__init__()
        self.hidden, self.head = L.Dense(8, "relu"), L.Dense(3)
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x, training=False):
        x = self.hidden(x) * self.scale
        if training:
            self.add_loss(0.01 * keras.ops.sum(keras.ops.square(x)))
        return self.head(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        return loss + 0.1 * keras.ops.mean(keras.ops.abs(y_pred))


def test_a_subclassed_model_with_its_own_loss_trains_as_alone():
    def build(number):
        model = OwnLoss()
        loss = S.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(O.Adam(RATES[number]), loss, metrics=["accuracy"])
        model(ROWS[:1])  # which creates its variables
        return model

    assert_as_alone(build, ROWS, CLASSES)


def refusal(build, x=ROWS, y=CLASSES):
    models, same = built(build, 2), built(build, 2)
    data = array_data(models[0], x, y, batch_size=16)
    with pytest.raises(NotStackable) as caught:
        ModelStack(models, data).train_epoch()
    for one, other in zip(models, same, strict=True):
        for left, right in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(left.numpy(), right.numpy())
    return str(caught.value)


@pytest.mark.parametrize("name", ["RMSprop", "Adagrad", "Adadelta"])
def test_embeddings_with_other_optimizers_are_refused(name):
    layers = lambda _: [L.Embedding(9, 4), L.GlobalAveragePooling1D()]  # noqa: E731
    assert "mapped" in refusal(network(layers, WORDS, optimizer=optimizers()[name]), WORDS)


def test_a_long_recurrent_layer_is_refused():
    x = np.zeros((40, 120, 3), "float32")
    assert "120 time steps" in refusal(network(lambda _: [L.LSTM(2)], x), x)
