import numpy as np
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
)

from kt_extras.calibration import (
    ExpectedCost,
    PrecisionAtRecall,
    RecallAtPrecision,
    criterion_of,
    fit_thresholds,
)


def recalls(y, d):
    return recall_score(y, d, average=None)


def rows(n=400, k=4, seed=0):
    """Return labels of unequal classes and the probabilities of a mediocre model."""
    rng = np.random.default_rng(seed)
    fractions = np.arange(1, k + 1) ** 2 / np.sum(np.arange(1, k + 1) ** 2)
    y = rng.choice(k, size=n, p=fractions)
    y[:k] = np.arange(k)
    odds = np.exp(rng.normal(size=(n, k)) + 1.2 * np.eye(k)[y] + np.log(fractions))
    return y, odds / odds.sum(axis=1, keepdims=True)


MACRO = {
    "f1": lambda y, d: f1_score(y, d, average="macro"),
    "balanced_accuracy": balanced_accuracy_score,
    "geometric_mean": lambda y, d: recalls(y, d).prod() ** (1 / len(set(y))),
    "mcc": matthews_corrcoef,
    ExpectedCost((1 - np.eye(4)).tolist()): lambda y, d: np.mean(y != d),
    PrecisionAtRecall(0.1): lambda y, d: precision_score(y, d, average="macro"),
    RecallAtPrecision(0.3): lambda y, d: recall_score(y, d, average="macro"),
}


@pytest.mark.parametrize("metric", MACRO, ids=str)
def test_the_value_of_class_thresholds_is_scikit_learns(metric):
    y, p = rows()
    found = fit_thresholds(y, p, metric)
    assert found.values.sum() == pytest.approx(1.0)
    assert found.value == pytest.approx(MACRO[metric](y, found.decide(p)))


@pytest.mark.parametrize("metric", list(MACRO)[:5], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_class_thresholds_are_better_than_the_plain_argmax(metric, seed):
    y, p = rows(seed=seed)
    gain = fit_thresholds(y, p, metric).value - MACRO[metric](y, p.argmax(axis=1))
    assert (gain if criterion_of(metric).name != "expected_cost" else -gain) >= 0.003


def test_no_single_class_threshold_can_be_improved_much():
    y, p = rows(n=150)
    found = fit_thresholds(y, p, "f1")
    for k in range(4):
        for factor in np.geomspace(0.1, 10, 60):
            moved = found.values.copy()
            moved[k] *= factor
            assert MACRO["f1"](y, np.argmax(p / moved, axis=1)) < found.value + 5e-4


def test_class_thresholds_of_the_best_cost_follow_the_costs():
    y, p = rows(n=2000)
    dear = 1 - np.eye(4)
    dear[0] *= 20
    plain = fit_thresholds(y, p, ExpectedCost((1 - np.eye(4)).tolist()))
    found = fit_thresholds(y, p, ExpectedCost(dear.tolist()))
    assert found.values[0] < 0.3 * plain.values[0]


def test_a_class_without_a_row_keeps_a_threshold_and_does_not_count():
    y, p = rows(k=4)
    kept = y != 2
    found = fit_thresholds(y[kept], p[kept], "balanced_accuracy")
    assert (found.values > 0).all()
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = balanced_accuracy_score(y[kept], found.decide(p[kept]))
    assert found.value == pytest.approx(expected)


def test_scores_of_exactly_0_and_1_are_accepted():
    p = np.array([[1.0, 0, 0], [0, 1.0, 0], [0.2, 0.8, 0], [0, 0.6, 0.4], [0, 0, 1.0]])
    found = fit_thresholds([0, 1, 0, 2, 2], p, "f1")
    assert found.value == 1.0
    assert found.decide(p).tolist() == [0, 1, 0, 2, 2]


def test_classes_without_a_hit_at_first_are_found_one_by_one():
    p = np.repeat([[0.6, 0.2, 0.2], [0.6, 0.3, 0.1], [0.6, 0.1, 0.3]], 4, axis=0)
    found = fit_thresholds(np.repeat([0, 1, 2], 4), p, "geometric_mean")
    assert found.value == 1.0
