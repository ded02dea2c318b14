"""What criteria are worth along a path is what they are worth at each confusion matrix on it."""

import numpy as np
import pytest

from kt_extras.calibration.confusion import ConfusionPath, confusion_matrix
from kt_extras.calibration.constraints import PrecisionAtRecall, RecallAtPrecision
from kt_extras.calibration.criteria import ExpectedCost, criterion_of

NAMES = ("f1", "f0.5", "youden_j", "balanced_accuracy", "geometric_mean", "mcc")
CRITERIA = [
    *map(criterion_of, NAMES),
    RecallAtPrecision(0.4),
    PrecisionAtRecall(0.4),
    ExpectedCost([[0, 2, 3, 9], [1, 0, 1, 4], [7, 1, 0, 1], [2, 2, 3, 0]]),
]


def path_and_matrices(seed, weighted):
    rng = np.random.default_rng(seed)
    n, k, target = 40, 4, int(rng.integers(4))
    truth = rng.choice(k, n, p=[0.5, 0.3, 0.2, 0.0])  # one class without a row
    decisions = rng.integers(k, size=n)
    weights = rng.uniform(0.1, 2, n) if weighted else np.ones(n)
    movers = rng.permutation(np.flatnonzero(decisions != target))
    stops = np.unique(rng.integers(len(movers) + 1, size=20))
    start = confusion_matrix(truth, decisions, weights, k)
    path = ConfusionPath(start, truth[movers], decisions[movers], target, weights[movers], stops)
    matrices = []
    for stop in stops:
        moved = decisions.copy()
        moved[movers[:stop]] = target
        matrices.append(confusion_matrix(truth, moved, weights, k))
    return path, matrices


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda criterion: criterion.name)
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_of_a_path_equal_those_of_its_confusion_matrices(criterion, weighted):
    for seed in range(20):
        path, matrices = path_and_matrices(seed, weighted)
        each = [ConfusionPath.of(matrix) for matrix in matrices]
        np.testing.assert_allclose(
            criterion.values(path), [criterion.values(one).item() for one in each], atol=1e-12
        )
        expected = np.transpose([np.ravel(criterion.preferences(one)) for one in each])
        np.testing.assert_allclose(criterion.preferences(path), expected, atol=1e-12)
