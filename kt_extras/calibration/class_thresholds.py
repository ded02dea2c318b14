"""Thresholds of a multi-class problem, whose decision is the largest ``score / threshold``.

While the other thresholds stay, a row goes to class k as soon as the offset of k, the logarithm of
1 / threshold, exceeds the row's margin: what its best other class is ahead by.  Sorted by margin
the rows make a path through confusion matrices, and the best stop on it is exact.  The classes take
turns, from equal thresholds or from the shares of the classes, which balance recalls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.calibration.confusion import ConfusionPath, confusion_matrix
from kt_extras.calibration.contest import Contest, Rivals
from kt_extras.calibration.criteria import Criterion
from kt_extras.calibration.sample import Sample
from kt_extras.calibration.selection import best_stop, is_better

_MOST_ROUNDS = 10
_LEAST_GAIN = 1e-4  # of all classes; what is less is chance
_SUM = 1e-3


def fit_class_thresholds(sample: Sample, criterion: Criterion) -> FloatArray:
    """Return thresholds, shape ``(k,)``, above 0 and summing to 1.

    Args:
        sample: A multi-class problem; its scores must be probabilities.
        criterion: What they are best for.

    Raises:
        ValueError: The scores are logits.

    >>> from kt_extras.calibration.criteria import FBeta
    >>> from kt_extras.calibration.sample import check_sample
    >>> scores = [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.6, 0.0, 0.4]]
    >>> thresholds = fit_class_thresholds(check_sample([0, 1, 2], scores), FBeta())
    >>> (np.array(scores) / thresholds).argmax(axis=1).tolist()
    [0, 1, 2]
    """
    scores = sample.scores.astype(np.float64)
    if scores.min() < 0 or np.abs(scores.sum(axis=1) - 1).max() > _SUM:
        raise ValueError(
            "`y_score` of a multi-class problem must hold probabilities that sum to 1 in each row, "
            f"got values from {scores.min():g} to {scores.max():g}; apply a softmax to logits, or "
            "pass `multi_label=True` if the labels do not exclude each other."
        )
    with np.errstate(divide="ignore"):
        logs = np.log(scores)
    shares = np.bincount(sample.labels, sample.weights, scores.shape[1]) / sample.weights.sum()
    balanced = -np.log(np.where(shares > 0, shares, 1.0))
    starts = (
        Contest.between(sample.labels, sample.weights, logs, offsets)
        for offsets in (np.zeros_like(shares), balanced)
    )
    contest = _settled(max(starts, key=lambda start: _preferences(start, criterion)), criterion)
    thresholds: FloatArray = np.exp(contest.offsets.min() - contest.offsets)
    return thresholds / thresholds.sum()


def _settled(contest: Contest, criterion: Criterion) -> Contest:
    """Let the classes that occur take turns until no offset of them can be improved."""
    reached = _preferences(contest, criterion)
    classes = contest.classes.tolist()
    settled = 0
    for k in classes * _MOST_ROUNDS:
        rivals = contest.without(k)
        path, offsets, gaps = _path(contest, k, rivals)
        preferences = criterion.preferences(path)
        stop = best_stop(preferences, gaps)
        candidate = _at(preferences, stop)
        settled += 1
        if is_better(candidate, reached, least=_LEAST_GAIN / len(classes)):
            contest, reached, settled = contest.moved(k, offsets[stop], rivals), candidate, 1
        if settled == len(classes):
            break
    return contest


def _preferences(contest: Contest, criterion: Criterion) -> list[float]:
    path = ConfusionPath.of(_confusion(contest, contest.winners))
    return _at(criterion.preferences(path), 0)


def _at(preferences: Sequence[FloatArray], stop: int) -> list[float]:
    return [float(preference[stop]) for preference in preferences]


def _confusion(contest: Contest, decisions: IntArray) -> FloatArray:
    return confusion_matrix(contest.labels, decisions, contest.weights, len(contest.offsets))


def _path(contest: Contest, k: int, rivals: Rivals) -> tuple[ConfusionPath, FloatArray, FloatArray]:
    """Return the path of class k, its offset at each stop, and the gaps around those."""
    margins = rivals.scores - contest.scores[:, k]
    # A row that gives all other classes 0 is always k's; one that gives k 0 never is.
    start = np.where(np.isneginf(margins), k, rivals.classes)
    moving = np.flatnonzero(np.isfinite(margins))
    order = moving[np.argsort(margins[moving], kind="stable")]
    ranked = margins[order] if len(order) else contest.offsets[[k]]
    edges = np.concatenate([ranked[:1] - 2, ranked, ranked[-1:] + 2])
    gaps = np.diff(edges)
    stops = np.flatnonzero(gaps) if len(order) else np.zeros(1, dtype=np.int64)  # nowhere to go
    moves = contest.labels[order], rivals.classes[order], k, contest.weights[order]
    path = ConfusionPath(_confusion(contest, start), *moves, stops)
    return path, edges[stops] + gaps[stops] / 2, gaps[stops]
