"""How the confusion matrix changes while a threshold moves.

Lowering one class's threshold hands rows to that class one after the other.  All the confusion
matrices on the way follow from the first one and the order of the rows, so that a criterion is
known at every threshold in O(n k) after sorting.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kt_extras.calibration.sample import IntArray
from kt_extras.search.dimensions import FloatArray


@dataclass(frozen=True)
class Counts:
    """Weights of the rows that one-vs-rest decisions get right and wrong.

    Args:
        tp: True positives, shape ``(c, k)``: of each class, at each of c stops.
        fp: False positives.
        fn: False negatives.
        tn: True negatives.
    """

    tp: FloatArray
    fp: FloatArray
    fn: FloatArray
    tn: FloatArray

    @property
    def recall(self) -> FloatArray:
        """Share of a class's rows that are found; 0 of a class without a row."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> FloatArray:
        """Share of the other rows that are left alone; 0 if there are none."""
        return ratio(self.tn, self.tn + self.fp)

    @property
    def precision(self) -> FloatArray:
        """Share of the decisions for a class that are right; 0 if there are none."""
        return ratio(self.tp, self.tp + self.fp)


@dataclass(frozen=True)
class ConfusionPath:
    """Confusion matrices at c stops, between which rows go over to one class.

    Args:
        start: Shape ``(k, k)``: weight of the rows by true class and by decision, before any moves.
        truth: Shape ``(m,)``: true classes of the rows that move, in their order.
        source: Shape ``(m,)``: the classes that they leave.
        target: The class that they go to.
        weights: Shape ``(m,)``.
        stops: Shape ``(c,)``: how many have moved, in 0 to m.

    >>> path = ConfusionPath.of(np.array([[3.0, 1.0], [0.0, 2.0]]))
    >>> path.counts.tp.tolist(), path.counts.fp.tolist()
    ([[3.0, 2.0]], [[0.0, 1.0]])
    """

    start: FloatArray
    truth: IntArray
    source: IntArray
    target: int
    weights: FloatArray
    stops: IntArray

    @classmethod
    def of(cls, confusion: FloatArray) -> ConfusionPath:
        """Return the path that stops only once, at a confusion matrix."""
        nobody = np.zeros(0, dtype=np.int64)
        stops = np.zeros(1, dtype=np.int64)
        return cls(confusion, nobody, nobody, 0, np.zeros(0), stops)

    @cached_property
    def sizes(self) -> FloatArray:
        """Weight of each true class, shape ``(k,)``."""
        sizes: FloatArray = self.start.sum(axis=1)
        return sizes

    @cached_property
    def present(self) -> IntArray:
        """The classes that have at least one row."""
        return np.flatnonzero(self.sizes)

    @cached_property
    def judged(self) -> IntArray:
        """The classes that one-vs-rest criteria average over: present, and not the negative one."""
        return self.present[self.present > 0] if len(self.start) == 2 else self.present

    @cached_property
    def counts(self) -> Counts:
        """What is right and wrong of each class at each stop."""
        moves = np.arange(len(self.truth))
        right, taken = (np.zeros((len(self.start), len(moves))) for _ in range(2))
        taken[self.source, moves] = -self.weights
        taken[self.target] += self.weights
        right[self.source, moves] = -self.weights * (self.truth == self.source)
        right[self.target] += self.weights * (self.truth == self.target)
        tp = np.diagonal(self.start) + self._at_stops(right).T
        predicted = self.start.sum(axis=0) + self._at_stops(taken).T
        tn = self.start.sum() - self.sizes - predicted + tp
        # Sums of fractional weights may miss 0 by a rounding error.
        return Counts(*(np.maximum(x, 0.0) for x in (tp, predicted - tp, self.sizes - tp, tn)))

    def total(self, matrix: FloatArray) -> FloatArray:
        """Return the sum of the confusion matrix times another one, at each stop."""
        change = matrix[self.truth, self.target] - matrix[self.truth, self.source]
        total: FloatArray = np.sum(self.start * matrix) + self._at_stops(self.weights * change)
        return total

    def mean(self, values: FloatArray) -> FloatArray:
        """Average over the classes that are judged: from shape ``(c, k)`` to ``(c,)``."""
        if not len(self.judged):
            return np.zeros(len(values))
        return np.mean(values[:, self.judged], axis=1)

    def _at_stops(self, changes: FloatArray) -> FloatArray:
        """Add up the changes of the moves made before each stop, along the last axis."""
        before = np.zeros((*changes.shape[:-1], changes.shape[-1] + 1))
        np.cumsum(changes, axis=-1, out=before[..., 1:])
        return before[..., self.stops]


def confusion_matrix(
    truth: IntArray, decision: IntArray, weights: FloatArray, n_classes: int
) -> FloatArray:
    """Return the weight of the rows by true class and by decision, shape ``(k, k)``.

    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), np.ones(3), 2).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    cells: FloatArray = np.zeros((n_classes, n_classes))
    np.add.at(cells, (truth, decision), weights)
    return cells


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide, with 0 where the denominator is not positive.

    >>> ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
    [0.5, 0.0]
    """
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
