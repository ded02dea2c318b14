"""What is wrong with labels or scores is refused in every mode, or makes the loss NaN under XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kt_extras import losses
from tests.cases import some
from tests.losses.test_contract import (
    ALL,
    BINARY_MAKERS,
    FEW,
    INTEGERS_ONLY,
    LOGITS,
    MAKERS,
    ONE_HOT,
    C,
    P,
    Y,
    labels_for,
    of_logits,
)

IN_GRAPH = [{}, {"jit_compile": True}]


def refuser(loss, *, jit_compile=False):
    """Return a function that tells whether a graph refuses a batch.

    Under XLA, it tells whether loss and slopes are NaN.
    """

    @tf.function(jit_compile=jit_compile)
    def step(y, scores):
        value = loss(y, scores)
        return value, tf.gradients(value, scores)[0]

    def refuses(y, scores):
        try:
            value, slopes = step(tf.constant(y), tf.constant(scores))
        except tf.errors.InvalidArgumentError as error:
            return not jit_compile and "`y_" in str(error)
        return jit_compile and bool(np.isnan(value) and np.isnan(slopes).any())

    return refuses


def wrong_labels(kind):
    y = np.array(labels_for(kind), "float32")
    if kind in BINARY_MAKERS:
        return [255 * y, -y, np.where(y == 1, np.nan, y)]
    number = [np.where(Y == 2, wrong, y) for wrong in (-1.0, 3.0, 0.5, np.nan)]
    multi_hot = np.maximum(ONE_HOT, np.eye(C, dtype="float32")[0])
    return number if kind in INTEGERS_ONLY else [*number, multi_hot, 0 * ONE_HOT]


@pytest.mark.parametrize("options", IN_GRAPH)
@pytest.mark.parametrize("kind", some([*MAKERS, *BINARY_MAKERS], FEW))
def test_wrong_labels_are_refused_or_make_nan(kind, options):
    refuses = refuser(of_logits(kind), **options)
    for labels in wrong_labels(kind):
        assert refuses(labels.astype("float32"), LOGITS)


@pytest.mark.parametrize("options", IN_GRAPH)
@pytest.mark.parametrize("kind", some([*MAKERS, *BINARY_MAKERS], FEW))
def test_logits_for_probabilities_are_refused_or_make_nan(kind, options):
    refuses = refuser(ALL[kind](from_logits=False), **options)
    assert refuses(labels_for(kind), LOGITS)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("options", IN_GRAPH)
@pytest.mark.parametrize("kind", some(MAKERS, FEW))
def test_probabilities_for_logits_are_refused_or_make_nan(kind, options, dtype):
    refuses = refuser(of_logits(kind), **options)
    assert refuses(Y, P.astype(dtype).astype("float32"))


def test_a_single_row_of_logits_may_sum_to_1_by_chance():
    loss = losses.BalancedSoftmax([5, 3, 2])
    for scores in (P[:1], np.repeat(P[:1], 8, 0)):
        y = np.zeros(len(scores), int)
        assert np.isfinite(loss(y, scores))
        assert not refuser(loss)(y, scores)


def softmax_behind(name):
    inputs = keras.Input((C,))
    layers = keras.layers
    dtype = "mixed_float16" if name == "mixed precision" else None
    p = layers.Dense(C, "softmax", dtype=dtype)(inputs)
    if name == "dropout":
        p = layers.Dropout(0.5)(p)
    if name == "reshape":
        p = layers.Reshape((C, 1))(p)
        p = layers.Reshape((C,))(p)
    if name == "concatenate":
        p = layers.Concatenate()([layers.Dense(1, "sigmoid")(inputs) for _ in range(C)])
    if name == "permute":
        p = layers.Permute((2, 1))(layers.Permute((2, 1))(layers.Reshape((1, C))(p)))
        p = layers.Reshape((C,))(p)
    return keras.Model(inputs, p)


@pytest.mark.parametrize(
    "name", ["mixed precision", "dropout", "reshape", "concatenate", "permute"]
)
@pytest.mark.parametrize("kind", ["balanced_softmax", "asymmetric"])
def test_an_activation_behind_other_layers_is_refused_where_logits_are_wanted(kind, name):
    model = softmax_behind(name)
    model.compile("sgd", of_logits(kind))
    with pytest.raises(ValueError, match="`y_pred` comes from a softmax or sigmoid, but"):
        model.fit(LOGITS, labels_for(kind), verbose=0)


@pytest.mark.parametrize("kind", ["balanced_softmax", "asymmetric"])
def test_gates_and_scaled_features_are_logits(kind):
    inputs = keras.Input((C,))
    gate = keras.layers.Dense(C, "sigmoid")(inputs)
    gated = keras.layers.Multiply()([gate, keras.layers.Dense(C)(inputs)])
    model = keras.Model(inputs, keras.layers.Dropout(0.5)(gated))
    model.compile("sgd", of_logits(kind))
    assert np.isfinite(model.train_on_batch(LOGITS, labels_for(kind)))


@pytest.mark.parametrize("kind", ["weighted_binary", "asymmetric", "multi_label_fbeta"])
def test_image_masks_of_0_and_255_end_the_training(kind):
    model = keras.Sequential([keras.Input((C,)), keras.layers.Dense(C)])
    model.compile("sgd", of_logits(kind))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`y_true` must lie between 0 and 1"):
        model.fit(LOGITS, 255 * ONE_HOT, verbose=0)


def test_a_model_compiled_by_xla_reports_nan_for_wrong_labels():
    model = keras.Sequential([keras.Input((C,)), keras.layers.Dense(C, "softmax")])
    model.compile("sgd", losses.Poly1Crossentropy(), jit_compile=True)
    assert np.isnan(model.fit(LOGITS, Y + 1, verbose=0).history["loss"]).all()
    assert np.isnan(model.get_weights()[0]).any()


@pytest.mark.parametrize("kind", some(MAKERS, FEW))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_of_unknown_shape_are_taken_in_any_precision(kind, dtype):
    expected = float(of_logits(kind)(Y, LOGITS))
    for shape in ((None, None), None):
        call = tf.function(
            of_logits(kind),
            input_signature=[tf.TensorSpec(shape, "int64"), tf.TensorSpec((None, C), dtype)],
        )
        value = call(tf.constant(Y[:, None]), tf.constant(LOGITS, dtype))
        assert float(value) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", sorted(INTEGERS_ONLY))
def test_a_sequence_of_batches_may_have_labels_of_one_column(kind):
    class Batches(getattr(keras.utils, "PyDataset", keras.utils.Sequence)):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return LOGITS[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4, None]

    model = keras.Sequential([keras.Input((C,)), keras.layers.Dense(C)])
    model.compile("sgd", of_logits(kind))
    assert np.isfinite(model.fit(Batches(), verbose=0).history["loss"]).all()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("LDAM", lambda: losses.LDAM([5, 3])),
        ("SoftFBetaLoss", losses.SoftFBetaLoss),
        ("PinballLoss", losses.PinballLoss),
    ],
)
def test_another_backend_than_tensorflow_is_refused(monkeypatch, name, make):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=f"`{name}` needs Keras to run on TensorFlow, got .*jax"):
        make()
