"""How far predicted probabilities are from observed frequencies.

The calibration error is the mean distance between the two over bins of the predictions, weighted by
the rows in each.  Bins have equal widths (Naeini et al., AAAI 2015; 15 as in Guo et al., ICML 2017)
or, adaptive, equal numbers of rows (Nguyen & O'Connor, EMNLP 2015).

Judged is the probability of the predicted class, against how often it is right; or, of a binary
problem, that of the positive class; or that of every label by itself, averaged, if multi-label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kt_extras.arguments import is_integer
from kt_extras.arrays import FloatArray, IntArray
from kt_extras.calibration.sample import Kind, Sample, check_sample

_ROUNDINGS = 4  # that may separate a probability from the number it stands for

Strategy = Literal["uniform", "quantile"]
Judged = Literal["predicted", "positive"]


@dataclass(frozen=True)
class Reliability:
    """Bins of predictions, those without a row left out.

    Args:
        predicted: Mean prediction in each bin, shape ``(b,)``.
        observed: Fraction of the rows that were positive.
        fractions: Fraction of all rows that lie in the bin; they sum to 1.
    """

    predicted: FloatArray
    observed: FloatArray
    fractions: FloatArray

    @property
    def error(self) -> float:
        """Mean distance of prediction and frequency, in [0, 1]."""
        return float(np.sum(self.fractions * np.abs(self.predicted - self.observed)))


def expected_calibration_error(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    n_bins: int = 15,
    strategy: Strategy = "uniform",
    of: Judged = "predicted",
    sample_weight: ArrayLike | None = None,
    multi_label: bool = False,
) -> float:
    """Return the mean distance of predicted probabilities from observed frequencies, in [0, 1].

    Args:
        y_true: Numbers of classes from 0, shape ``(n,)`` or ``(n, 1)``; or one-hot rows, shape
            ``(n, k)``; if multi-label, 0 or 1 for every label, shape ``(n, k)``.
        y_prob: Probabilities, shape ``(n,)``, ``(n, 1)`` or ``(n, k)``.
        n_bins: At least 1.  A bin of equal width holds its upper edge, to within the rounding of
            the type of `y_prob`. Defaults to `15`.
        strategy: `"uniform"` for bins of equal width, `"quantile"` for bins of equal weight.
            Defaults to `"uniform"`.
        of: The class that is judged; `"positive"` is for a binary problem, and shows more where
            one class is rare. Defaults to `"predicted"`.
        sample_weight: Shape ``(n,)``, at least 0. Defaults to `None`.
        multi_label: Whether the columns are labels that do not exclude each other. Defaults to
            `False`.

    Raises:
        ValueError: Logits instead of probabilities, NaN, labels out of range, shapes that do not
            fit.

    >>> round(expected_calibration_error([0, 0, 0, 1], [0.25, 0.25, 0.25, 0.25]), 3)
    0.0
    >>> round(expected_calibration_error([0, 1, 1], [0.1, 0.6, 0.3]), 3)  # (|.9-1|+|.6-1|+|.7-0|)/3
    0.4
    """
    sample = check_sample(
        y_true, y_prob, sample_weight, multi_label=multi_label, both_classes=False
    )
    curves = reliability(sample, n_bins=n_bins, strategy=strategy, of=of)
    return float(np.mean([curve.error for curve in curves]))


def reliability(
    sample: Sample,
    *,
    n_bins: int = 15,
    strategy: Strategy = "uniform",
    of: Judged = "predicted",
) -> list[Reliability]:
    """Return the bins of a sample: one curve, or one for each label if multi-label.

    >>> from kt_extras.calibration.sample import check_sample
    >>> sample = check_sample([0, 1, 1], [0.2, 0.2, 0.9])
    >>> (curve,) = reliability(sample, n_bins=2, of="positive")
    >>> curve.predicted.tolist(), curve.observed.tolist()
    ([0.2, 0.9], [0.5, 1.0])
    """
    if not (is_integer(n_bins) and n_bins >= 1):
        raise ValueError(f"`n_bins` must be at least 1, got {n_bins!r}; an integer.")
    if strategy not in {"uniform", "quantile"}:
        raise ValueError(f"`strategy` must be 'uniform' or 'quantile', got {strategy!r}.")
    if of not in {"predicted", "positive"} or (of == "positive" and sample.kind is not Kind.BINARY):
        raise ValueError(
            f"`of` must be 'predicted', or 'positive' of a binary problem, got {of!r} of a "
            f"{sample.kind.value} one."
        )
    probabilities = sample.scores.astype(np.float64)
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError(
            f"`y_prob` must lie in [0, 1], got values from {probabilities.min():g} to "
            f"{probabilities.max():g}; apply a sigmoid or a softmax to logits."
        )
    bins = _Bins(n_bins, strategy, float(np.finfo(sample.scores.dtype).eps))
    if sample.kind is Kind.MULTI_LABEL:
        columns = zip(sample.labels.T, probabilities.T, strict=True)
        return [_curve(*column, sample.weights, bins) for column in columns]
    if sample.kind is Kind.BINARY and of == "positive":
        return [_curve(sample.labels, probabilities, sample.weights, bins)]
    if sample.kind is Kind.BINARY:
        probabilities = np.column_stack([1 - probabilities, probabilities])
    right = (probabilities.argmax(axis=1) == sample.labels).astype(np.int64)
    return [_curve(right, probabilities.max(axis=1), sample.weights, bins)]


class _Bins(NamedTuple):
    """How many bins there are, of what kind, and the precision of what is put into them."""

    number: int
    strategy: Strategy
    precision: float

    def of(self, predictions: FloatArray, weights: FloatArray) -> IntArray:
        """Return the number of the bin of each row."""
        if self.strategy == "uniform":
            return _by_width(predictions, self.number, self.precision)
        return _by_weight(predictions, weights, self.number)


def _curve(
    truth: IntArray, predictions: FloatArray, weights: FloatArray, how: _Bins
) -> Reliability:
    n_bins, bins = how.number, how.of(predictions, weights)
    mass = np.bincount(bins, weights, n_bins)
    used = mass > 0
    predicted = np.bincount(bins, weights * predictions, n_bins)[used] / mass[used]
    observed = np.bincount(bins, weights * truth, n_bins)[used] / mass[used]
    return Reliability(predicted, observed, mass[used] / mass.sum())


def _by_width(predictions: FloatArray, n_bins: int, precision: float) -> IntArray:
    """Return the bins (0, 1/b], (1/b, 2/b], ..., of which the first includes 0.

    What is above an edge by no more than rounding, as 0.2 is in single precision, is on it.
    """
    edges = np.arange(1, n_bins) / n_bins * (1 + _ROUNDINGS * precision)
    return np.searchsorted(edges, predictions, side="left").astype(np.int64)


def _by_weight(predictions: FloatArray, weights: FloatArray, n_bins: int) -> IntArray:
    """Return bins of equal weight; equal predictions are in the bin of the middle one of them."""
    _, inverse = np.unique(predictions, return_inverse=True)
    inverse = inverse.reshape(-1)
    mass = np.bincount(inverse, weights)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    return np.minimum((middle * n_bins).astype(np.int64), n_bins - 1)[inverse]
