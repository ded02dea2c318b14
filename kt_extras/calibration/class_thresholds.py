"""Thresholds of a multi-class problem, whose decision is the largest ``score / threshold``.

While the other thresholds stay, a row goes to class k as soon as the offset of k, the logarithm of
1 / threshold, exceeds the row's margin: what its best other class is ahead by.  Sorted by margin
the rows make a path through confusion matrices, and the best stop on it is exact.  The classes take
turns, from equal thresholds or from the fractions of the classes, which balance recalls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.calibration.class_assignment import ClassAssignment, RunnerUp
from kt_extras.calibration.confusion import ConfusionPath, confusion_matrix
from kt_extras.calibration.criteria import Criterion
from kt_extras.calibration.sample import SUM_TOLERANCE, Sample
from kt_extras.calibration.selection import best_stop, is_better

_MAX_ROUNDS = 10
_MIN_GAIN = 1e-4  # summed over all classes; smaller gains are noise


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
    if scores.min() < 0 or np.abs(scores.sum(axis=1) - 1).max() > SUM_TOLERANCE:
        raise ValueError(
            "`y_score` of a multi-class problem must hold probabilities that sum to 1 in each row, "
            f"got values from {scores.min():g} to {scores.max():g}; apply a softmax to logits, or "
            "pass `multi_label=True` if the labels do not exclude each other."
        )
    with np.errstate(divide="ignore"):
        logs = np.log(scores)
    fractions = np.bincount(sample.labels, sample.weights, scores.shape[1]) / sample.weights.sum()
    balanced = -np.log(np.where(fractions > 0, fractions, 1.0))
    starts = (
        ClassAssignment.of(sample.labels, sample.weights, logs, offsets)
        for offsets in (np.zeros_like(fractions), balanced)
    )
    assignment = _improved(max(starts, key=lambda start: _preferences(start, criterion)), criterion)
    thresholds: FloatArray = np.exp(assignment.offsets.min() - assignment.offsets)
    return thresholds / thresholds.sum()


def _improved(assignment: ClassAssignment, criterion: Criterion) -> ClassAssignment:
    """Improve the offset of one class after the other until no change improves any."""
    reached = _preferences(assignment, criterion)
    classes = assignment.classes.tolist()
    unchanged = 0
    for k in classes * _MAX_ROUNDS:
        runner_up = assignment.without(k)
        path, offsets, gaps = _path(assignment, k, runner_up)
        preferences = criterion.preferences(path)
        stop = best_stop(preferences, gaps)
        candidate = _at(preferences, stop)
        unchanged += 1
        if is_better(candidate, reached, minimum=_MIN_GAIN / len(classes)):
            assignment = assignment.with_offset(k, offsets[stop], runner_up)
            reached, unchanged = candidate, 1
        if unchanged == len(classes):
            break
    return assignment


def _preferences(assignment: ClassAssignment, criterion: Criterion) -> list[float]:
    path = ConfusionPath.of(_confusion(assignment, assignment.assigned))
    return _at(criterion.preferences(path), 0)


def _at(preferences: Sequence[FloatArray], stop: int) -> list[float]:
    return [float(preference[stop]) for preference in preferences]


def _confusion(assignment: ClassAssignment, decisions: IntArray) -> FloatArray:
    return confusion_matrix(
        assignment.labels, decisions, assignment.weights, len(assignment.offsets)
    )


def _path(
    assignment: ClassAssignment, k: int, runner_up: RunnerUp
) -> tuple[ConfusionPath, FloatArray, FloatArray]:
    """Return the path of class k, its offset at each stop, and the gaps around those."""
    margins = runner_up.scores - assignment.scores[:, k]
    # A row that scores 0 for all other classes always goes to k, one that scores 0 for k never.
    start = np.where(np.isneginf(margins), k, runner_up.classes)
    moving = np.flatnonzero(np.isfinite(margins))
    order = moving[np.argsort(margins[moving], kind="stable")]
    ranked = margins[order] if len(order) else assignment.offsets[[k]]
    edges = np.concatenate([ranked[:1] - 2, ranked, ranked[-1:] + 2])
    gaps = np.diff(edges)
    stops = np.flatnonzero(gaps) if len(order) else np.zeros(1, dtype=np.int64)  # no row moves
    moves = assignment.labels[order], runner_up.classes[order], k, assignment.weights[order]
    path = ConfusionPath(_confusion(assignment, start), *moves, stops)
    return path, edges[stops] + gaps[stops] / 2, gaps[stops]
