"""Losses have the values of their papers and of other libraries."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.metrics import fbeta_score, log_loss, mean_pinball_loss

from kt_extras import losses

C = 4
rng = np.random.default_rng(1)
Z = rng.normal(size=(30, C)).astype("float32") * 2
Y = rng.integers(0, C, 30)
LABELS = rng.integers(0, 2, (30, C))
W = np.array([1.0, 0.5, 3.0, 8.0])
COUNTS = np.array([1000, 300, 40, 10])
T = np.arange(30), Y  # the place of each row's own class


def approx(value):
    return pytest.approx(value, rel=2e-5, abs=1e-6)


def addons():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("tensorflow_addons")


def test_weights_multiply_the_crossentropy_as_sample_weights_do():
    loss = float(losses.WeightedCrossentropy(W, from_logits=True)(Y, Z))
    expected = log_loss(Y, softmax(Z, 1), sample_weight=W[Y], labels=range(C)) * W[Y].mean()
    assert loss == approx(expected)


def test_smoothed_labels_are_weighted_class_by_class():
    soft = 0.9 * np.eye(C)[Y] + 0.1 / C
    loss = losses.WeightedCrossentropy(W, from_logits=True, reduction=None)(soft, Z)
    np.testing.assert_allclose(loss, -(soft * W * log_softmax(Z, 1)).sum(1), rtol=1e-4)


def test_weights_of_one_are_keras_crossentropies():
    ours = losses.WeightedCrossentropy(np.ones(C), from_logits=True)(Y, Z)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(Y, Z)
    assert float(ours) == approx(float(theirs))
    ours = losses.WeightedBinaryCrossentropy([1, 1], from_logits=True)(LABELS, Z)
    theirs = keras.losses.BinaryCrossentropy(from_logits=True)(LABELS, Z)
    assert float(ours) == approx(float(theirs))


def test_each_label_has_its_own_weights():
    weights = rng.uniform(0.1, 5, (C, 2))
    loss = losses.WeightedBinaryCrossentropy(weights, from_logits=True, reduction=None)
    each = -weights[:, 1] * LABELS * log_expit(Z) - weights[:, 0] * (1 - LABELS) * log_expit(-Z)
    np.testing.assert_allclose(loss(LABELS, Z), each.mean(1), rtol=1e-4)


def test_one_label_may_come_with_or_without_an_axis():
    loss = losses.WeightedBinaryCrossentropy({0: 1, 1: 3}, from_logits=True, reduction=None)
    rows = [loss(y, z) for y in (LABELS[:, 0], LABELS[:, :1]) for z in (Z[:, 0], Z[:, :1])]
    assert all(row.shape == (30,) for row in rows)
    np.testing.assert_allclose(rows[1:], [rows[0]] * 3, rtol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("alpha", [0.25, W.tolist()])
def test_sparse_focal_is_keras_focal_on_one_hot_labels(gamma, alpha):
    ours = losses.SparseFocalCrossentropy(alpha, gamma, from_logits=True)(Y, Z)
    theirs = keras.losses.CategoricalFocalCrossentropy(alpha, gamma, from_logits=True)
    assert float(ours) == approx(float(theirs(np.eye(C)[Y], Z)))


def test_sparse_focal_of_two_classes_equals_sigmoid_focal_of_addons():
    theirs = addons().losses.SigmoidFocalCrossEntropy(from_logits=True, alpha=0.3, gamma=1.5)
    logits = np.stack([np.zeros(30), Z[:, 0]], axis=1)
    ours = losses.SparseFocalCrossentropy([0.7, 0.3], 1.5, from_logits=True, reduction="none")
    labels = LABELS[:, :1].astype("float32")
    np.testing.assert_allclose(ours(labels, logits), theirs(labels, Z[:, :1]), rtol=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_sparse_smoothing_is_keras_smoothing_of_one_hot_labels(smoothing):
    ours = losses.SparseSmoothedCrossentropy(smoothing, from_logits=True)(Y, Z)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    assert float(ours) == approx(float(theirs(np.eye(C)[Y], Z)))


def test_ldam_takes_a_margin_off_the_true_class():
    delta = 0.5 * (COUNTS.min() / COUNTS) ** 0.25
    adjusted = 30 * (Z - np.eye(C)[Y] * delta[Y][:, None])
    expected = -log_softmax(adjusted.astype("float64"), 1)[T] * W[Y]
    loss = losses.LDAM(COUNTS, weights=W, reduction=None)
    np.testing.assert_allclose(loss(Y, Z), expected, rtol=1e-4, atol=1e-5)


def test_ldam_without_margin_is_the_crossentropy_of_scaled_logits():
    loss = losses.LDAM(COUNTS, max_margin=0, scale=2.0)(Y, Z)
    assert float(loss) == approx(log_loss(Y, softmax(2 * Z, 1), labels=range(C)))


@pytest.mark.parametrize("tau", [0.0, 1.0, 2.0])
def test_logit_adjustment_adds_the_logarithm_of_the_prior(tau):
    adjusted = Z + tau * np.log(COUNTS / COUNTS.sum())
    loss = losses.LogitAdjustedCrossentropy(COUNTS, tau=tau)(Y, Z)
    assert float(loss) == approx(-log_softmax(adjusted, 1)[T].mean())


def test_balanced_softmax_multiplies_by_the_counts():
    weighed = COUNTS * np.exp(Z)
    expected = -np.log(weighed[T] / weighed.sum(1)).mean()
    assert float(losses.BalancedSoftmax(COUNTS)(Y, Z)) == approx(expected)


def test_with_logit_adjustment_the_best_constant_scores_are_equal():
    y = np.repeat([0, 1], [90, 10])
    scores = tf.Variable([[0.3, -0.2]])
    loss = losses.LogitAdjustedCrossentropy([90, 10])
    for _ in range(100):
        with tf.GradientTape() as tape:
            value = loss(y, tf.repeat(scores, 100, axis=0))
        scores.assign_sub(5.0 * tape.gradient(value, scores))
    assert float(scores[0, 0]) == pytest.approx(float(scores[0, 1]), abs=1e-3)


def test_asymmetric_loss_without_its_arguments_is_the_binary_crossentropy():
    ours = losses.AsymmetricLoss(0, 0, 0)(LABELS, Z)
    theirs = keras.losses.BinaryCrossentropy(from_logits=True)(LABELS, Z)
    assert float(ours) == approx(float(theirs))


@pytest.mark.parametrize("arguments", [(0, 4, 0.05), (1, 2, 0.0), (0.5, 0, 0.2)])
def test_asymmetric_loss_is_the_formula_of_its_paper(arguments):
    g_positive, g_negative, m = arguments
    p = expit(Z.astype("float64"))
    p_m = np.maximum(p - m, 0)
    positive = (1 - p) ** g_positive * np.log(p)
    negative = p_m**g_negative * np.log(1 - p_m)
    expected = -np.where(LABELS == 1, positive, negative).mean(1)
    loss = losses.AsymmetricLoss(*arguments, reduction=None)(LABELS, Z)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("epsilon", [-1.0, 0.0, 2.0])
def test_poly1_adds_epsilon_times_one_minus_the_probability(epsilon):
    p = softmax(Z, 1)[T]
    loss = losses.Poly1Crossentropy(epsilon, from_logits=True)(Y, Z)
    assert float(loss) == approx((-np.log(p) + epsilon * (1 - p)).mean())


def test_expected_cost_is_the_mean_cost_of_decisions_drawn_at_random():
    costs = rng.uniform(1, 9, (C, C))
    np.fill_diagonal(costs, 0)
    loss = losses.ExpectedCostLoss(costs, from_logits=True, reduction=None)(Y, Z)
    np.testing.assert_allclose(loss, (softmax(Z, 1) * costs[Y]).sum(1), rtol=1e-4)


def test_equal_costs_are_the_probability_of_a_mistake():
    loss = losses.ExpectedCostLoss(1 - np.eye(C), from_logits=True)(Y, Z)
    assert float(loss) == approx(1 - softmax(Z, 1)[T].mean())


@given(
    pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=12),
    beta=st.sampled_from([0.5, 1.0, 2.0]),
    average=st.sampled_from(["macro", "micro"]),
)
@settings(max_examples=30)
def test_soft_fbeta_of_certain_predictions_is_fbeta(pairs, beta, average):
    y, decided = np.array(pairs).T
    loss = losses.SoftFBetaLoss(beta, average=average)(y, np.eye(3)[decided])
    labels = np.unique(y)  # classes that the batch lacks are left out of the mean
    score = fbeta_score(
        y, decided, beta=beta, average=average, labels=labels if average == "macro" else None
    )
    assert float(loss) == pytest.approx(1 - score, abs=1e-4)


def test_soft_fbeta_of_one_column_is_that_of_the_positive_class():
    y, decided = np.array([1, 1, 0, 0, 1]), np.array([1.0, 0.0, 1.0, 0.0, 1.0])
    expected = 1 - fbeta_score(y, decided, beta=2)
    loss = losses.SoftFBetaLoss(2.0)
    for predicted in (decided, decided[:, None]):
        assert float(loss(y, predicted)) == pytest.approx(expected, abs=1e-4)


def test_soft_fbeta_is_0_in_a_batch_without_positives():
    assert float(losses.SoftFBetaLoss()(np.zeros(3), np.full(3, 0.4))) == 0.0


def test_sample_weights_scale_the_soft_fbeta_of_a_batch():
    loss, weights = losses.SoftFBetaLoss(from_logits=True), np.linspace(0, 2, 30)
    expected = float(loss(Y, Z)) * weights.mean()
    for given_weights in (weights, weights[:, None]):
        assert float(loss(Y, Z, given_weights)) == approx(expected)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.95])
def test_pinball_loss_is_that_of_scikit_learn(quantile):
    loss = losses.PinballLoss(quantile)
    expected = mean_pinball_loss(Z[:, 0], Z[:, 1], alpha=quantile)
    forms = [(Z[:, 0], Z[:, 1]), (Z[:, :1], Z[:, 1]), (Z[:, 0], Z[:, 1:2]), (Z[:, :1], Z[:, 1:2])]
    for truth, predicted in forms:
        assert float(loss(truth, predicted)) == approx(expected)


def test_several_quantiles_are_columns_of_one_prediction():
    quantiles = [0.1, 0.4, 0.6, 0.9]
    expected = np.mean(
        [mean_pinball_loss(Y, Z[:, i], alpha=quantile) for i, quantile in enumerate(quantiles)]
    )
    for truth in (Y, Y[:, None]):
        assert float(losses.PinballLoss(quantiles)(truth, Z)) == approx(expected)
    with pytest.raises(ValueError, match="`quantiles` has 2 entries"):
        losses.PinballLoss([0.1, 0.9])(Y, Z)


@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_pinball_loss_is_that_of_tensorflow_addons(tau):
    theirs = addons().losses.PinballLoss(tau=tau)(Z[:, :2], Z[:, 2:])
    assert float(losses.PinballLoss(tau)(Z[:, :2], Z[:, 2:])) == approx(float(theirs))
