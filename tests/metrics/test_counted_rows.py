"""Every metric heeds masks, weights of 0 and `ignore_class`, and is NaN for wrong labels in XLA."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from kt_extras import metrics
from kt_extras.compat import with_keras_mask
from tests.cases import some
from tests.metrics.references import ALL, value

rng = np.random.default_rng(3)
Y = rng.integers(0, 3, (10, 4))
P = rng.dirichlet(np.ones(3), (10, 4)).astype("float32")
COUNTED = np.arange(4) < rng.integers(1, 4, (10, 1))


def masked(metric, y, scores, weights=None):
    metric.update_state(y, with_keras_mask(tf.constant(scores), tf.constant(COUNTED)), weights)
    return float(metric.result())


@pytest.mark.parametrize("kind", ALL)
def test_rows_that_a_mask_a_weight_or_a_class_excludes_do_not_count(kind):
    make = ALL[kind][0]
    alone = pytest.approx(value(make(), Y[COUNTED], P[COUNTED]), abs=1e-6)
    labels = np.where(COUNTED, Y, -1)
    scores = np.where(COUNTED[..., None], P, np.nan).astype("float32")
    assert masked(make(), labels, scores) == alone
    assert value(make(), labels, scores, COUNTED.astype("float32")) == alone
    ignoring = make(ignore_class=-1)
    assert value(ignoring, labels[..., None], scores) == alone
    assert ignoring.get_config()["ignore_class"] == -1


@pytest.mark.parametrize("kind", ["macro_f1", "brier"])
def test_mask_and_weights_multiply(kind):
    make, weights = ALL[kind][0], np.arange(10.0)
    every = np.repeat(weights[:, None], 4, 1)[COUNTED]
    alone = value(make(), Y[COUNTED], P[COUNTED], every)
    assert masked(make(), np.where(COUNTED, Y, -1), P, weights) == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize("labels", [Y - 1, Y + 1, np.eye(3)[Y] + np.eye(3)[0]])
@pytest.mark.parametrize(
    "kind", some(["macro_f1", "quadratic_kappa", "brier", "adaptive_ece"], ["macro_f1", "brier"])
)
def test_wrong_labels_make_nan_under_xla(kind, labels):
    metric = ALL[kind][0]()

    @tf.function(jit_compile=True)
    def update(labels, scores):
        metric.update_state(labels, scores)  # whose result cannot be returned on Keras 2

    update(tf.constant(labels, tf.float32), tf.constant(P))
    assert math.isnan(float(metric.result()))


def test_a_masked_multi_label_metric_counts_the_other_rows_alone():
    def make():
        return metrics.MultiLabel(metrics.F1Score(2, "binary"), num_labels=3)

    labels = (P > 0.4).astype("float32")
    alone = value(make(), labels[COUNTED], P[COUNTED])
    assert masked(make(), np.where(COUNTED[..., None], labels, 9), P) == pytest.approx(alone)


def test_a_model_with_a_masking_layer_reports_the_steps_that_count():
    x = np.where(COUNTED, Y + 1, 0)
    inputs = keras.Input((4,), dtype="int32")
    embedded = keras.layers.Embedding(4, 3, mask_zero=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(embedded))
    made = [metrics.F1Score(3), metrics.BrierScore(3)]
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=made)
    logs = model.evaluate(x, Y, verbose=0, return_dict=True)
    p = model.predict(x, verbose=0)
    for metric in made:
        alone = value(type(metric)(3), Y[COUNTED], p[COUNTED])
        assert logs[metric.name] == pytest.approx(alone, abs=1e-5)
