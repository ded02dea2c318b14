"""The same metrics by scikit-learn and NumPy, for class numbers and probabilities."""

import math
import warnings

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import gmean
from sklearn import metrics as sk

from kt_extras import metrics

COSTS = [[0, 1, 2], [3, 0, 1], [9, 4, 0]]
BINARY_COSTS = [[0, 1], [20, 0]]


def quiet(function):
    """Return the function without its warnings about what is undefined."""

    def call(*arguments, **keywords):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return float(function(*arguments, **keywords))

    return call


def f1(average):
    return quiet(lambda y, d, w: sk.f1_score(y, d, average=average, sample_weight=w))


def kappa(weighting):
    def score(y, d, w):
        return sk.cohen_kappa_score(y, d, labels=range(3), weights=weighting, sample_weight=w)

    return quiet(score)


@quiet
def geometric_mean(y, d, w):
    return gmean([sk.recall_score(y == c, d == c, sample_weight=w) for c in np.unique(y)])


@quiet
def specificity(y, d, w):
    of_class = [
        sk.recall_score(y != c, d != c, sample_weight=w, zero_division=0) for c in np.union1d(y, d)
    ]
    return np.mean(of_class)


def expected_cost(y, d, w):
    return float(np.average(np.array(COSTS)[y, d], weights=w))


#: A maker for three classes, and the value for labels, decisions and weights.
DECIDED = {
    "balanced_accuracy": (
        lambda **k: metrics.BalancedAccuracy(3, **k),
        quiet(lambda y, d, w: sk.balanced_accuracy_score(y, d, sample_weight=w)),
    ),
    "geometric_mean": (lambda **k: metrics.GeometricMean(3, **k), geometric_mean),
    "specificity": (lambda **k: metrics.Specificity(3, **k), specificity),
    "mcc": (
        lambda **k: metrics.MatthewsCorrelationCoefficient(3, **k),
        quiet(lambda y, d, w: sk.matthews_corrcoef(y, d, sample_weight=w)),
    ),
    "kappa": (lambda **k: metrics.CohenKappa(3, **k), kappa(None)),
    "linear_kappa": (lambda **k: metrics.CohenKappa(3, "linear", **k), kappa("linear")),
    "quadratic_kappa": (lambda **k: metrics.CohenKappa(3, "quadratic", **k), kappa("quadratic")),
    "macro_f1": (lambda **k: metrics.F1Score(3, **k), f1("macro")),
    "micro_f1": (lambda **k: metrics.F1Score(3, "micro", **k), f1("micro")),
    "weighted_f1": (lambda **k: metrics.F1Score(3, "weighted", **k), f1("weighted")),
    "expected_cost": (lambda **k: metrics.ExpectedCost(3, COSTS, **k), expected_cost),
}


def brier(y, p, w):
    if len(np.unique(w)) == 1 or p.shape[1] == 2:
        scores = p[:, 1] if p.shape[1] == 2 else p
        return sk.brier_score_loss(y, scores, sample_weight=w, labels=range(p.shape[1]))
    return float(np.average(((p - np.eye(p.shape[1])[y]) ** 2).sum(1), weights=w))


def calibration_error(y, p, w, bins=15):
    """Follow Guo et al. 2017, eq. 3, with bins that are open below."""
    confidence, correct = p.max(1), p.argmax(1) == y
    error = 0.0
    for low in range(bins):
        inside = (confidence * bins > low) & (confidence * bins <= low + 1)
        inside |= (low == 0) & (confidence == 0)
        error += abs(np.sum(w[inside] * (correct[inside] - confidence[inside])))
    return error / np.sum(w)


def adaptive_calibration_error(y, p, w, bins=15):
    """Put equally many rows, by rising confidence, into each bin."""
    order = np.argsort(p.max(1), kind="stable")
    confidence, correct, w = p.max(1)[order], (p.argmax(1) == y)[order], w[order]
    place = (np.cumsum(w) - w / 2) / np.sum(w) * bins
    error = 0.0
    for low in range(bins):
        inside = np.floor(place) == low
        error += abs(np.sum(w[inside] * (correct[inside] - confidence[inside])))
    return error / np.sum(w)


def refinement(y, p, w):
    """Search the least cross-entropy of ``softmax(b log p)`` over b."""
    z = np.log(p.astype(np.float64))

    def loss(log_inverse):
        scaled = np.exp(log_inverse) * z
        return np.average(logsumexp(scaled, axis=1) - scaled[np.arange(len(y)), y], weights=w)

    return minimize_scalar(loss, bounds=(-4, 4), options={"xatol": 1e-9}).fun


#: The same for probabilities in the place of decisions.
SCORED = {
    "brier": (lambda **k: metrics.BrierScore(3, **k), brier),
    "ece": (lambda **k: metrics.ExpectedCalibrationError(3, **k), calibration_error),
    "adaptive_ece": (
        lambda **k: metrics.ExpectedCalibrationError(3, 3, strategy="quantile", **k),
        lambda y, p, w: adaptive_calibration_error(y, p, w, bins=3),
    ),
    "refinement": (lambda **k: metrics.Refinement(3, **k), refinement),
}

ALL = {**DECIDED, **SCORED}

#: The same metrics for two classes.
BINARY = {
    "balanced_accuracy": lambda **k: metrics.BalancedAccuracy(2, **k),
    "geometric_mean": lambda **k: metrics.GeometricMean(2, **k),
    "specificity": lambda **k: metrics.Specificity(2, **k),
    "mcc": lambda **k: metrics.MatthewsCorrelationCoefficient(2, **k),
    "kappa": lambda **k: metrics.CohenKappa(2, **k),
    "macro_f1": lambda **k: metrics.F1Score(2, **k),
    "binary_f1": lambda **k: metrics.F1Score(2, "binary", **k),
    "expected_cost": lambda **k: metrics.ExpectedCost(2, BINARY_COSTS, **k),
    "brier": lambda **k: metrics.BrierScore(2, **k),
    "ece": lambda **k: metrics.ExpectedCalibrationError(2, **k),
    "refinement": lambda **k: metrics.Refinement(2, **k),
}


def value(metric, y, scores, weights=None):
    metric.reset_state()
    metric.update_state(y, scores, weights)
    return float(metric.result())


def equal(a, b, tolerance=2e-6):
    return (math.isnan(a) and math.isnan(b)) or abs(a - b) <= tolerance
