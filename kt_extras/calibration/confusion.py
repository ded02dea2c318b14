"""How the confusion matrix changes while a threshold moves.

Lowering one class's threshold moves rows to that class one after the other.  All the confusion
matrices on the way follow from the first one and the order of the rows.  Each move changes the
counts of two classes only, so that a sum over the classes is known at every threshold in
O(n log n), however many classes there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kt_extras.arrays import FloatArray, IntArray

#: The largest difference of two numbers that counts as a rounding error.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Counts:
    """Weights of the rows that one-vs-rest decisions get right and wrong, in arrays of any shape.

    Args:
        tp: True positives.
        fp: False positives.
        fn: False negatives.
        tn: True negatives.
    """

    tp: FloatArray
    fp: FloatArray
    fn: FloatArray
    tn: FloatArray

    @classmethod
    def of(cls, tp: FloatArray, called: FloatArray, sizes: FloatArray, rows: float) -> Counts:
        """Return the counts of classes by their hits, their decisions, their rows and all rows."""
        counts = np.array((tp, called - tp, sizes - tp, rows - sizes - called + tp))
        counts[counts <= ROUNDING * rows] = 0.0  # what sums of fractional weights may miss it by
        return cls(*counts)

    @property
    def recall(self) -> FloatArray:
        """Fraction of a class's rows that are found; 0 of a class without a row."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> FloatArray:
        """Fraction of the other rows that are left alone; 0 if there are none."""
        return ratio(self.tn, self.tn + self.fp)

    @property
    def precision(self) -> FloatArray:
        """Fraction of the decisions for a class that are right; 0 if there are none."""
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
    >>> path.sum(lambda counts: counts.fp).tolist(), path.mean(lambda n: n.recall).tolist()
    ([1.0], [1.0])
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
        no_rows = np.zeros(0, dtype=np.int64)
        stops = np.zeros(1, dtype=np.int64)
        return cls(confusion, no_rows, no_rows, 0, np.zeros(0), stops)

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

    def sum(
        self, value: Callable[[Counts], FloatArray], classes: IntArray | None = None
    ) -> FloatArray:
        """Return the sum of a value over the classes at each stop, shape ``(c,)``.

        Args:
            value: Returns the values for counts, element by element.
            classes: Numbers of the classes that are summed over. Defaults to all.
        """
        k, m = len(self.start), len(self.truth)
        counted = np.ones(k)
        if classes is not None:
            counted = np.bincount(classes, minlength=k).astype(np.float64)
        order, sources, heads = self._by_source
        values = value(self._counts)
        first, after, target = values[:k], values[k : k + m], values[k + m :]
        before = np.empty(m)
        before[1:] = after[:-1]
        before[heads] = first[sources[heads]]
        changes = np.empty(m)
        changes[order] = (after - before) * counted[sources]
        mine = (target - first[self.target]) * counted[self.target]
        total: FloatArray = first @ counted + self._at_stops(changes) + mine
        return total

    def mean(self, value: Callable[[Counts], FloatArray]) -> FloatArray:
        """Return the mean of a value over the judged classes at each stop, shape ``(c,)``."""
        return self.sum(value, self.judged) / max(len(self.judged), 1)

    def cost(self, matrix: FloatArray) -> FloatArray:
        """Return the sum of the confusion matrix times another one, at each stop."""
        change = matrix[self.truth, self.target] - matrix[self.truth, self.source]
        total: FloatArray = np.sum(self.start * matrix) + self._at_stops(self.weights * change)
        return total

    @cached_property
    def _counts(self) -> Counts:
        """Counts of all classes at first, of each move's source after it, of the target at stops.

        Shape ``(k + m + c,)``; moves in the order of `_by_source`.
        """
        sources = self._by_source[1]
        target = np.full(len(self.stops), self.target)
        classes = np.concatenate([np.arange(len(self.start)), sources, target])
        lost = self.weights * (self.truth == self.source)
        won = self.weights * (self.truth == self.target)
        tp = np.diagonal(self.start)[classes] + self._changes(lost, won)
        called = self.start.sum(axis=0)[classes] + self._changes(self.weights, self.weights)
        return Counts.of(tp, called, self.sizes[classes], float(self.sizes.sum()))

    def _changes(self, left: FloatArray, joined: FloatArray) -> FloatArray:
        """Return what the counts have changed by, in the order of `_counts`."""
        k, m = len(self.start), len(self.truth)
        order, _, heads = self._by_source
        changes = np.zeros(k + m + len(self.stops))
        left = left[order]
        after = np.cumsum(left)
        begins = np.zeros(m, dtype=np.int64)
        begins[heads] = heads
        np.maximum.accumulate(begins, out=begins)
        changes[k : k + m] = (after - left)[begins] - after
        changes[k + m :] = self._at_stops(joined)
        return changes

    @cached_property
    def _by_source(self) -> tuple[IntArray, IntArray, IntArray]:
        """The order of the moves by the class that they leave; that class; where each begins."""
        order = np.argsort(self.source, kind="stable")
        sources = self.source[order]
        heads = np.flatnonzero(np.diff(sources, prepend=-1))
        return order, sources, heads

    def _at_stops(self, changes: FloatArray) -> FloatArray:
        """Add up the changes of the moves made before each stop, shape ``(c,)``."""
        so_far = np.zeros(len(changes) + 1)
        np.cumsum(changes, out=so_far[1:])
        return so_far[self.stops]


def confusion_matrix(
    truth: IntArray, decision: IntArray, weights: FloatArray, n_classes: int
) -> FloatArray:
    """Return the weight of the rows by true class and by decision, shape ``(k, k)``.

    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), np.ones(3), 2).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    cells = np.bincount(truth * n_classes + decision, weights, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes).astype(np.float64)


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide, with 0 where the denominator is not positive.

    >>> ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
    [0.5, 0.0]
    """
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
