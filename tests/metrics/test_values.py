"""Metrics have scikit-learn's values, whatever the rows and however they come."""

import itertools
import math
import warnings

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kt_extras import metrics
from tests.metrics.references import (
    ALL,
    BINARY,
    BINARY_COSTS,
    DECIDED,
    SCORED,
    calibration_error,
    equal,
    value,
)

rng = np.random.default_rng(2)
Y = rng.integers(0, 3, 200)
Z = rng.normal(size=(200, 3)) + np.eye(3)[Y]
P = (np.exp(Z) / np.exp(Z).sum(1, keepdims=True)).astype("float32")
WEIGHTS = rng.uniform(0, 3, 200)

# One metric of each kind serves all examples: making its variables takes longer than using them.
METRICS = {kind: maker() for kind, (maker, _) in ALL.items()}
classes = st.integers(0, 2)
few_rows = st.lists(
    st.tuples(classes, classes, st.sampled_from([0.25, 1.0, 3.0])), min_size=1, max_size=12
)


@given(few_rows)
@example([(1, 1, 1.0)])
@example([(0, 2, 3.0), (0, 2, 0.25)])
@example([(0, 0, 1.0), (1, 2, 0.25)])
@example([(0, 1, 1.0), (1, 1, 0.25), (2, 1, 3.0)])
@settings(max_examples=6)
def test_values_of_decisions_are_those_of_scikit_learn(rows):
    y, d, w = (np.array(column) for column in zip(*rows, strict=True))
    for kind, (_, reference) in DECIDED.items():
        for weights in (None, w):
            ours = value(METRICS[kind], y, np.eye(3)[d], weights)
            assert equal(ours, reference(y, d, np.ones(len(y)) if weights is None else w)), kind


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("weights", [np.ones(200), WEIGHTS])
def test_values_of_many_rows_are_those_of_scikit_learn(kind, weights):
    given_p = P if kind in SCORED else P.argmax(1)
    tolerance = {"adaptive_ece": 2e-3, "refinement": 1e-4}.get(kind, 2e-6)
    expected = ALL[kind][1](Y, given_p, weights)
    assert equal(value(METRICS[kind], Y, P, weights), expected, tolerance)


@given(
    rows=st.lists(st.tuples(classes, st.integers(334, 999)), min_size=1, max_size=12),
    parts=st.lists(st.integers(0, 12), max_size=4),
)
@settings(max_examples=5)
def test_any_split_into_batches_gives_the_same_value(rows, parts):
    y, top = (np.array(column) for column in zip(*rows, strict=True))
    p = np.stack([top / 1000, (1 - top / 1000) * 0.7, (1 - top / 1000) * 0.3], 1).astype("float32")
    w = np.linspace(0.1, 2, len(y))
    borders = [0, *sorted(min(part, len(y)) for part in parts), len(y)]
    for kind, metric in METRICS.items():
        whole = value(metric, y, p, w)
        metric.reset_state()
        for start, end in itertools.pairwise(borders):  # some of them empty
            metric.update_state(y[start:end], p[start:end], w[start:end])
        assert equal(float(metric.result()), whole, 1e-6), kind


@given(st.lists(st.tuples(classes, st.integers(334, 999)), min_size=2, max_size=12))
@settings(max_examples=20)
def test_equal_mass_is_exact_for_confidences_in_cells_of_their_own(rows):
    y, top = (np.array(column) for column in zip(*rows, strict=True))
    top = np.unique(top)
    y = y[: len(top)]
    p = np.stack([top / 1000, 0 * top, 1 - top / 1000], 1).astype("float32")
    p[p.argmax(1) == 2] = [0.9995, 0.0, 0.0005]  # of which there is at most one kind
    expected = SCORED["adaptive_ece"][1](y, p, np.ones(len(y)))
    if len(np.unique(p.max(1))) == len(y):
        assert equal(value(METRICS["adaptive_ece"], y, p), expected, 1e-5)


@pytest.mark.parametrize("kind", ALL)
def test_without_rows_a_metric_is_0(kind):
    metric = METRICS[kind]
    metric.reset_state()
    assert float(metric.result()) == 0.0
    metric.update_state(np.zeros(0, int), np.zeros((0, 3)))
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("kind", BINARY)
def test_one_score_a_row_is_the_same_as_two(kind):
    metric, y, p = BINARY[kind](), np.minimum(Y, 1), P[:, 0]
    two = value(metric, y, np.stack([1 - p, p], 1))
    assert two not in (0.0, 1.0)
    for one in (p, p[:, None]):
        for labels in (y, y[:, None], np.eye(2)[y], y.astype("float32")):
            assert value(metric, labels, one) == pytest.approx(two, abs=1e-6)


@pytest.mark.parametrize("kind", sorted(set(BINARY) - {"brier", "ece", "refinement"}))
def test_a_threshold_moves_the_decision(kind):
    y, p = np.minimum(Y, 1), P[:, 0]
    hard = value(BINARY[kind](), y, (p > 0.3).astype("float32"))
    assert value(BINARY[kind](threshold=0.3), y, p) == pytest.approx(hard)
    assert value(BINARY[kind](threshold=0.3), y, np.stack([1 - p, p], 1)) == pytest.approx(hard)


def test_two_classes_have_the_values_of_scikit_learn():
    y, p = np.minimum(Y, 1), P[:, 0]
    d = (p > 0.5).astype(int)
    expected = {
        "specificity": sk.recall_score(y, d, pos_label=0, sample_weight=WEIGHTS),
        "binary_f1": sk.f1_score(y, d, sample_weight=WEIGHTS),
        "mcc": sk.matthews_corrcoef(y, d, sample_weight=WEIGHTS),
        "brier": sk.brier_score_loss(y, p, sample_weight=WEIGHTS),
        "expected_cost": np.average(np.array(BINARY_COSTS)[y, d], weights=WEIGHTS),
        "ece": calibration_error(y, np.stack([1 - p, p], 1), WEIGHTS),
    }
    for kind, number in expected.items():
        assert value(BINARY[kind](), y, p, WEIGHTS) == pytest.approx(number, abs=2e-6), kind


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_the_probability_of_the_positive_class_can_be_judged(strategy):
    y, p = np.array([0, 0, 0, 1, 0]), np.array([0.2, 0.2, 0.2, 0.2, 0.9])
    metric = metrics.ExpectedCalibrationError(2, 5, strategy=strategy, of="positive")
    assert metrics.ExpectedCalibrationError.from_config(metric.get_config()).of == "positive"
    for scores in (p, np.stack([1 - p, p], 1)):  # (4 * |0.2 - 1/4| + |0.9 - 0|) / 5
        assert value(metric, y, scores) == pytest.approx(0.22, abs=1e-6)


def test_a_class_that_is_missing_is_left_out():
    y, scores = [0, 0, 1, 1], np.eye(3)[[0, 1, 1, 1]]  # no row of class 2
    assert value(METRICS["balanced_accuracy"], y, scores) == 0.75
    assert value(METRICS["macro_f1"], y, scores) == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_kappa_is_nan_when_chance_agrees_as_well():
    assert math.isnan(value(METRICS["kappa"], [1, 1], np.eye(3)[[1, 1]]))


def test_a_thousand_classes_do_not_make_the_geometric_mean_underflow():
    y = np.repeat(np.arange(1100), 2)
    decided = np.where(np.arange(2200) % 2, y, (y + 1) % 1100)
    metric = metrics.GeometricMean(1100)
    metric.update_state(y, np.eye(1100, dtype="float32")[decided])
    assert float(metric.result()) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["brier", "ece", "refinement"])
def test_logits_give_the_same_value_as_probabilities(kind):
    expected = value(ALL[kind][0](), Y, P)
    assert value(ALL[kind][0](from_logits=True), Y, Z) == pytest.approx(expected, abs=1e-6)
    logits = np.log(P[:, 0] / (1 - P[:, 0]))
    expected = value(BINARY[kind](), np.minimum(Y, 1), P[:, 0])
    ours = value(BINARY[kind](from_logits=True), np.minimum(Y, 1), logits)
    assert ours == pytest.approx(expected, abs=1e-6)


def test_macro_f1_is_that_of_keras_if_all_classes_occur():
    theirs = keras.metrics.F1Score(average="macro")
    theirs.update_state(np.eye(3)[Y], P)
    assert value(METRICS["macro_f1"], Y, P) == pytest.approx(float(theirs.result()), abs=1e-6)


def test_tensorflow_addons_have_the_same_values():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tfa = pytest.importorskip("tensorflow_addons")
    theirs = {
        "mcc": tfa.metrics.MatthewsCorrelationCoefficient(num_classes=3),
        "kappa": tfa.metrics.CohenKappa(num_classes=3),
        "quadratic_kappa": tfa.metrics.CohenKappa(num_classes=3, weightage="quadratic"),
        "macro_f1": tfa.metrics.F1Score(num_classes=3, average="macro"),
        "weighted_f1": tfa.metrics.F1Score(num_classes=3, average="weighted"),
    }
    for kind, metric in theirs.items():
        for part in (slice(0, 150), slice(150, 200)):
            metric.update_state(np.eye(3, dtype="float32")[Y[part]], P[part])
        assert value(METRICS[kind], Y, P) == pytest.approx(float(metric.result()), abs=2e-6), kind
