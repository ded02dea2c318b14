import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    fbeta_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
)

from kt_extras.calibration import (
    ExpectedCost,
    FBeta,
    PrecisionAtRecall,
    RecallAtPrecision,
    fit_thresholds,
)

COST = [[0.0, 1.0], [3.0, 0.5]]


def _recalls(y, d, **w):
    return recall_score(y, d, average=None, zero_division=0, **w)


def _cost(y, d, matrix=COST, sample_weight=None):
    return np.average(np.asarray(matrix)[y, d], weights=sample_weight)


SKLEARN = {
    "f1": lambda y, d, **w: f1_score(y, d, zero_division=0, **w),
    "f2": lambda y, d, **w: fbeta_score(y, d, beta=2, zero_division=0, **w),
    "f0.5": lambda y, d, **w: fbeta_score(y, d, beta=0.5, zero_division=0, **w),
    "youden_j": lambda y, d, **w: _recalls(y, d, **w).sum() - 1,
    "balanced_accuracy": balanced_accuracy_score,
    "geometric_mean": lambda y, d, **w: math.sqrt(_recalls(y, d, **w).prod()),
    "mcc": matthews_corrcoef,
    ExpectedCost(COST): _cost,
    RecallAtPrecision(0.7): lambda y, d, **w: recall_score(y, d, zero_division=0, **w),
    PrecisionAtRecall(0.7): lambda y, d, **w: precision_score(y, d, zero_division=0, **w),
}


def _by_hand(tp, fp, fn, tn):
    """Return each criterion from the counts, by its textbook formula."""
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall, specificity = tp / (tp + fn), tn / (tn + fp)
    sides = (tp + fp) * (fn + tn) * (tp + fn) * (tn + fp)
    return {
        **{f"f{b:g}": (1 + b * b) * tp / ((1 + b * b) * tp + b * b * fn + fp) for b in (1, 2, 0.5)},
        "youden_j": recall + specificity - 1,
        "balanced_accuracy": (recall + specificity) / 2,
        "geometric_mean": math.sqrt(recall * specificity),
        "mcc": (tp * tn - fp * fn) / math.sqrt(sides) if sides else 0.0,
        ExpectedCost(COST): -(fp + 3 * fn + 0.5 * tp) / (tp + fp + fn + tn),
        "precision": precision,
        "recall": recall,
    }


UNCONSTRAINED = [m for m in SKLEARN if not isinstance(m, (RecallAtPrecision, PrecisionAtRecall))]


@st.composite
def problems(draw):
    """Labels of both classes, scores with and without ties, and weights."""
    n = draw(st.integers(2, 12))
    some = st.one_of(st.floats(0, 1, width=32), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    y = [0, 1, *draw(st.lists(st.integers(0, 1), min_size=n - 2, max_size=n - 2))]
    s = draw(st.lists(some, min_size=n, max_size=n))
    w = draw(st.none() | st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.7]), min_size=n, max_size=n))
    return np.array(y), np.array(s), w


def at_every_threshold(y, s, w=None):
    """Return all criteria at every threshold that makes a difference."""
    w = np.ones(len(y)) if w is None else np.array(w)
    decisions = [s >= t for t in [*np.unique(s), np.inf]]
    cells = [(d & (y == 1), d & (y == 0), ~d & (y == 1), ~d & (y == 0)) for d in decisions]
    return [_by_hand(*(w[cell].sum() for cell in four)) for four in cells]


@given(problem=problems())
@settings(max_examples=60)
def test_no_threshold_at_all_is_better(problem):
    y, s, w = problem
    tried = at_every_threshold(y, s, w)
    for metric in UNCONSTRAINED:
        value = fit_thresholds(y, s, metric, sample_weight=w).value
        better = -value if isinstance(metric, ExpectedCost) else value
        assert better == pytest.approx(max(all_of[metric] for all_of in tried), abs=1e-6)


@given(problem=problems(), required=st.sampled_from([0.3, 0.5, 0.75, 1.0]))
@settings(max_examples=60)
def test_recall_is_the_highest_at_the_required_precision(problem, required):
    y, s, w = problem
    found = fit_thresholds(y, s, RecallAtPrecision(required), sample_weight=w)
    tried = at_every_threshold(y, s, w)
    recalls = [all_of["recall"] for all_of in tried if all_of["precision"] >= required - 1e-9]
    assert found.value == pytest.approx(max(recalls, default=0.0))
    if not recalls:
        assert found.decide(s).sum() == 0


@given(problem=problems(), required=st.sampled_from([0.3, 0.5, 0.75, 1.0]))
@settings(max_examples=60)
def test_precision_is_the_highest_at_the_required_recall(problem, required):
    y, s, w = problem
    found = fit_thresholds(y, s, PrecisionAtRecall(required), sample_weight=w)
    tried = at_every_threshold(y, s, w)
    precisions = [all_of["precision"] for all_of in tried if all_of["recall"] >= required - 1e-9]
    assert found.value == pytest.approx(max(precisions))


@pytest.mark.parametrize("metric", SKLEARN, ids=str)
def test_the_reported_value_is_scikit_learns_at_that_threshold(metric):
    rng = np.random.default_rng(0)
    y, w = rng.integers(0, 2, 300), rng.random(300)
    s = rng.normal(y)
    found = fit_thresholds(y, s, metric, sample_weight=w)
    expected = SKLEARN[metric](y, (s >= found.values).astype(int), sample_weight=w)
    assert found.value == pytest.approx(expected)
    assert found.score(y[:99], s[:99], w[:99]) == pytest.approx(
        SKLEARN[metric](y[:99], (s[:99] >= found.values).astype(int), sample_weight=w[:99])
    )


@pytest.mark.skipif(
    not hasattr(sklearn.metrics, "metric_at_thresholds"), reason="scikit-learn 1.9 has it"
)
def test_the_best_of_scikit_learns_metric_at_thresholds_is_found():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 400)
    s = rng.normal(1.3 * y).round(1)
    values, thresholds = sklearn.metrics.metric_at_thresholds(y, s, f1_score)
    found = fit_thresholds(y, s, "f1")
    assert found.value == pytest.approx(values.max())
    assert (found.decide(s) == (s >= thresholds[values.argmax()])).all()


@given(problem=problems())
def test_a_whole_weight_is_as_good_as_as_many_rows(problem):
    y, s, _ = problem
    times = np.arange(len(y)) % 3 + 1
    weighted = fit_thresholds(y, s, "f1", sample_weight=times)
    repeated = fit_thresholds(np.repeat(y, times), np.repeat(s, times), "f1")
    assert weighted.values == repeated.values
    assert weighted.value == pytest.approx(repeated.value)


def test_rows_that_weigh_nothing_make_no_difference():
    y, s = [0, 0, 1, 1, 0], [0.1, 0.2, 0.6, 0.8, 0.55]
    assert fit_thresholds(y, s, sample_weight=[1, 1, 1, 1, 0]).values == pytest.approx(0.4)


def test_a_threshold_worked_out_by_hand():
    # Above 0.5 two of two positives: F1 is 1 anywhere in (0.4, 0.8].
    found = fit_thresholds([0, 0, 1, 1], [0.1, 0.4, 0.8, 0.9], "f1")
    assert (found.values, found.value) == (pytest.approx(0.6), 1.0)


def test_of_equally_good_thresholds_the_one_with_the_widest_gap_is_taken():
    # J is 0.5 above 0.8, in a gap of 0.1, and above 0.2, in one of 0.4.
    found = fit_thresholds([0, 1, 0, 1], [0.2, 0.6, 0.8, 0.9], "youden_j")
    assert found.value == 0.5
    assert found.values == pytest.approx(0.4)


def test_equal_scores_get_the_same_decision():
    found = fit_thresholds([0, 1, 1, 1], [0.3, 0.3, 0.3, 0.7], "mcc")
    assert found.decide([0.3, 0.7]).tolist() == [0, 1]


def test_with_constant_scores_all_or_nobody_is_positive():
    assert fit_thresholds([0, 1], [0.4, 0.4], "f1").values == pytest.approx(0.2)
    assert fit_thresholds([0, 1], [0.4, 0.4], RecallAtPrecision(0.9)).values == pytest.approx(0.7)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_threshold_separates_neighbouring_floats(dtype):
    low = np.asarray(0.7, dtype)
    scores = np.array([low, np.nextafter(low, np.asarray(1, dtype))])
    assert fit_thresholds([0, 1], scores).decide(scores).tolist() == [0, 1]


def test_nobody_is_positive_even_if_scores_have_reached_1():
    scores = np.array([1.0, 1.0, 0.5], "float32")
    found = fit_thresholds([0, 0, 1], scores, RecallAtPrecision(0.9))
    assert found.decide(scores).tolist() == [0, 0, 0]
    assert (scores >= np.float32(found.values)).sum() == 0


def test_logits_have_thresholds_too():
    found = fit_thresholds([0, 0, 1], [-5.0, -3.0, -1.0])
    assert (found.values, found.value) == (-2.0, 1.0)


def test_two_columns_are_a_binary_problem():
    p = np.array([0.1, 0.4, 0.8, 0.9])
    found = fit_thresholds(np.eye(2)[[0, 0, 1, 1]], np.column_stack([1 - p, p]))
    assert found.values == fit_thresholds([0, 0, 1, 1], p).values
    assert found.decide([[0.3, 0.7], [0.5, 0.5]]).tolist() == [1, 0]


def test_every_label_has_its_own_threshold():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (60, 3))
    s = rng.random((60, 3)) * 0.5 + 0.4 * y
    w = rng.random(60)
    found = fit_thresholds(y, s, "f1", sample_weight=w, multi_label=True)
    alone = [fit_thresholds(y[:, k], s[:, k], "f1", sample_weight=w) for k in range(3)]
    assert found.values.tolist() == [one.values for one in alone]
    assert found.value == pytest.approx(np.mean([one.value for one in alone]))
    assert found.decide(s).shape == (60, 3)


def test_a_label_without_positives_keeps_the_neutral_threshold():
    y, s = [[0, 0], [1, 0], [1, 0]], [[0.1, 0.3], [0.3, 0.4], [0.4, 0.5]]
    found = fit_thresholds(y, s, "f1", multi_label=True)
    assert (found.values[1], found.value) == (0.5, 1.0)


def test_a_hundred_thousand_rows_are_fast():
    rng = np.random.default_rng(0)
    y = rng.random(100_000) < 0.07
    s = rng.normal(y)
    assert 0.25 < fit_thresholds(y, s, FBeta(1)).value < 0.35


@pytest.mark.parametrize(
    ("y", "s", "arguments", "message"),
    [
        ([0, 1], [0.1, math.nan], {}, "`y_score` must be finite, got 1 NaN"),
        ([1, 1], [0.1, 0.2], {}, "`y_true` must hold more than one class, got only 1 in 2 rows"),
        ([0, 2], [0.1, 0.2], {}, "`y_true` must hold classes from 0 to 1, got 2"),
        ([0, 0.5], [0.1, 0.2], {}, "`y_true` must hold classes from 0 to 1, got 0.5"),
        ([0, -1], [0.1, 0.2], {}, "`y_true` must hold classes from 0 to 1, got -1"),
        ([0, 3], [[0.2, 0.3, 0.5]] * 2, {}, "must hold classes from 0 to 2, got 3"),
        ([0, 1, 1], [0.1, 0.2], {}, r"`y_true` must have one of the shapes \(2,\), \(2, 1\)"),
        ([0, 1], [], {}, r"`y_score` must have shape \(n,\) or \(n, k\) and at least one row"),
        ([0, 1], [[1.0, 2.0]] * 2, {}, "`y_score` must hold probabilities that sum to 1"),
        ([0, 1], [[1.0, 2, 3]] * 2, {}, "apply a softmax to logits"),
        ([[0, 1, 1], [1, 0, 0]], [[0.2, 0.3, 0.5]] * 2, {}, "pass `multi_label=True`"),
        ([0, 1], [0.1, 0.2], {"multi_label": True}, "`y_score` must have a column for each label"),
        (
            [0, 1],
            [0.1, 0.2],
            {"sample_weight": [1, -1]},
            "`sample_weight` must be finite,",
        ),
        ([0, 1], [0.1, 0.2], {"sample_weight": [1]}, r"`sample_weight` must have shape \(2,\)"),
        ([0, 1], [0.1, 0.2], {"metric": "f"}, "`metric` must be 'f1'"),
        (
            [0, 1],
            [0.1, 0.2],
            {"metric": ExpectedCost(np.ones((3, 3)).tolist())},
            r"`costs` must have shape \(2, 2\) for these classes, got \(3, 3\)",
        ),
    ],
)
def test_bad_input_is_rejected(y, s, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_thresholds(y, s, **arguments)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FBeta(0), "`beta` must be above 0"),
        (lambda: RecallAtPrecision(1.5), r"`precision` must lie in \(0, 1\], got 1.5"),
        (lambda: PrecisionAtRecall(0), r"`recall` must lie in \(0, 1\], got 0"),
        (lambda: ExpectedCost([[0, 1]]), r"`costs` must have a row .* got shape \(1, 2\)"),
        (lambda: ExpectedCost([[0, math.nan], [1, 0]]), "`costs` must be finite"),
    ],
)
def test_arguments_out_of_range_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_thresholds_reject_scores_of_another_kind():
    found = fit_thresholds([0, 1], [0.1, 0.9])
    with pytest.raises(ValueError, match="`y_score` must hold binary scores"):
        found.decide([[0.2, 0.3, 0.5]])
