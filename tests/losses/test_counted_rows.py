"""Every loss heeds masks, sample weights and `ignore_class`, whatever the other labels are."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kt_extras import losses
from kt_extras.compat import with_keras_mask
from tests.losses.test_contract import (
    ALL,
    BINARY_MAKERS,
    FEW,
    MAKERS,
    WEIGHTS,
    C,
    labels_for,
    of_logits,
)

OF_BATCHES = {"soft_fbeta", "multi_label_fbeta"}
OF_ROWS = sorted(set(ALL) - OF_BATCHES)
rng = np.random.default_rng(1)
SCORES = rng.normal(size=(2, 4, C)).astype("float32")  # two sequences of four steps
COUNTED = np.array([[True, True, True, False], [True, True, False, False]])
ROW_WEIGHTS = np.array([[1.0, 2.0, 3.0, 4.0], [0.5, 1.5, 2.5, 1.0]], "float32")


def steps(kind, *, wrong=None):
    """Return labels for two sequences of four steps, and wrong ones where `wrong` says so."""
    labels = np.array(labels_for(kind), "float32")
    labels = labels.reshape(2, 4, *labels.shape[1:])
    if wrong is not None:
        labels[wrong] = np.nan if kind == "pinball" else -1
    return labels


def call(loss, y, scores, weights=None, mask=None, **options):
    """Return a loss for scores with a mask, computed in a graph if there are options."""

    def compute(y, scores):
        if mask is not None:
            scores = with_keras_mask(tf.identity(scores), tf.constant(mask))
        return loss(y, scores, weights)

    arguments = tf.constant(y), tf.constant(scores)
    return (tf.function(compute, **options) if options else compute)(*arguments).numpy()


@pytest.mark.parametrize("options", [{}, {"reduce_retracing": True}, {"jit_compile": True}])
@pytest.mark.parametrize("kind", ALL)
def test_a_masked_loss_is_that_of_the_other_rows_alone(kind, options):
    if options and kind not in FEW | OF_BATCHES:
        pytest.skip("a few losses stand for all in graphs")
    loss = of_logits(kind)
    alone = float(loss(steps(kind)[COUNTED], SCORES[COUNTED]))
    y = steps(kind, wrong=~COUNTED)
    assert call(loss, y, SCORES, mask=COUNTED, **options) == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize("kind", OF_ROWS)
def test_mask_and_weights_multiply(kind):
    rows = of_logits(kind, reduction=None)(steps(kind), SCORES).numpy()
    expected = (rows * ROW_WEIGHTS)[COUNTED].sum() / COUNTED.sum()
    y = steps(kind, wrong=~COUNTED)
    assert call(of_logits(kind), y, SCORES, ROW_WEIGHTS, COUNTED) == pytest.approx(expected, 1e-5)


@pytest.mark.parametrize("kind", sorted(OF_BATCHES))
def test_weights_scale_the_loss_of_a_batch_by_their_mean_where_rows_count(kind):
    alone = float(of_logits(kind)(steps(kind)[COUNTED], SCORES[COUNTED]))
    y = steps(kind, wrong=~COUNTED)
    weighted = call(of_logits(kind), y, SCORES, ROW_WEIGHTS, COUNTED)
    assert weighted == pytest.approx(alone * ROW_WEIGHTS[COUNTED].mean(), rel=1e-5)


@pytest.mark.parametrize("kind", OF_ROWS)
def test_labels_of_rows_that_weigh_0_may_be_anything(kind):
    weights = np.where(COUNTED, ROW_WEIGHTS, 0)
    expected = float(of_logits(kind)(steps(kind), SCORES, weights))
    found = call(of_logits(kind), steps(kind, wrong=~COUNTED), SCORES, weights)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", OF_ROWS)
def test_a_weight_of_a_sequence_is_that_of_its_steps(kind):
    loss = of_logits(kind)
    expected = float(loss(steps(kind), SCORES, np.array([[1.0] * 4, [0.0] * 4])))
    y = steps(kind, wrong=np.array([False, True]))
    for weights in (np.array([1.0, 0.0]), np.array([[1.0], [0.0]])):
        assert call(loss, y, SCORES, weights) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("ignored", [-1, 1, 255])
@pytest.mark.parametrize("kind", MAKERS)
def test_rows_of_the_class_to_ignore_do_not_count(kind, ignored):
    y = steps(kind)
    y[~COUNTED] = ignored
    alone = float(of_logits(kind)(y[y != ignored], SCORES[y != ignored]))
    loss = of_logits(kind, ignore_class=ignored)
    for labels in (y, y[..., None], y.astype("int64")):
        assert call(loss, labels, SCORES) == pytest.approx(alone, rel=1e-5)
    if kind in FEW:
        assert call(loss, y, SCORES, jit_compile=True) == pytest.approx(alone, rel=1e-5)
    assert type(loss).from_config(loss.get_config()).ignore_class == ignored


def test_mask_weights_and_the_class_to_ignore_work_together_as_in_keras():
    y = steps("poly")
    y[0, 0] = -1
    ours = losses.Poly1Crossentropy(0.0, from_logits=True, ignore_class=-1)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    expected = call(theirs, y, SCORES, ROW_WEIGHTS, COUNTED)
    assert call(ours, y, SCORES, ROW_WEIGHTS, COUNTED) == pytest.approx(expected, rel=1e-5)


def test_labels_with_a_column_for_each_class_are_not_ignored():
    loss = losses.Poly1Crossentropy(from_logits=True, ignore_class=1)
    one_hot = np.eye(C, dtype="float32")[np.array(labels_for("poly"))].reshape(2, 4, C)
    expected = float(losses.Poly1Crossentropy(from_logits=True)(one_hot, SCORES))
    assert call(loss, one_hot, SCORES) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("wrong", ["0", 0.5, True])
def test_a_class_to_ignore_that_is_not_an_integer_is_rejected(wrong):
    with pytest.raises(ValueError, match="`ignore_class` must be an integer or None, got"):
        losses.WeightedCrossentropy(WEIGHTS, ignore_class=wrong)


@pytest.mark.parametrize("kind", ["weighted", "soft_fbeta"])
def test_a_model_with_a_masking_layer_trains_on_the_steps_that_count(kind):
    x = np.where(COUNTED, [[1, 2, 3, 1], [2, 1, 3, 3]], 0)
    inputs = keras.Input((4,), dtype="int32")
    embedded = keras.layers.Embedding(4, C, mask_zero=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(C, "softmax")(embedded))
    loss = ALL[kind]()
    model.compile("sgd", loss)
    p = model.predict(x, verbose=0)
    alone = float(loss(steps(kind)[COUNTED], p[COUNTED]))
    y = steps(kind, wrong=~COUNTED)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(alone, rel=1e-5)
    assert model.fit(x, y, verbose=0).history["loss"] == pytest.approx([alone], rel=1e-5)


@pytest.mark.parametrize("kind", sorted(BINARY_MAKERS))
def test_masked_steps_of_multi_label_data_may_have_any_labels(kind):
    alone = float(of_logits(kind)(steps(kind)[COUNTED], SCORES[COUNTED]))
    found = call(of_logits(kind), 255 * steps(kind, wrong=~COUNTED) % 254, SCORES, mask=COUNTED)
    assert found == pytest.approx(alone, rel=1e-5)
