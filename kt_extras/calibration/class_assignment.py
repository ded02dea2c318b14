"""The class that each row is assigned to, while the offsets of the classes change one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kt_extras.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class RunnerUp:
    """The best class of each row when one class is left out.

    Args:
        classes: Shape ``(n,)``.
        scores: Shape ``(n,)``: the sums of score and offset of these classes; may be -inf.
    """

    classes: IntArray
    scores: FloatArray


@dataclass(frozen=True)
class ClassAssignment:
    """Rows assigned to the class with the largest sum of score and offset.

    Args:
        labels: True classes, shape ``(n,)``.
        weights: Shape ``(n,)``.
        scores: Shape ``(n, k)``; -inf is allowed, but not for a whole row.
        offsets: Shape ``(k,)``.
        assigned: Class that each row is assigned to, shape ``(n,)``.
        highest: Shape ``(n,)``: the sums of the assigned classes.

    >>> scores = np.log([[0.6, 0.4], [0.9, 0.1]])
    >>> assignment = ClassAssignment.of(np.array([1, 0]), np.ones(2), scores, np.zeros(2))
    >>> assignment.with_offset(1, 1.0, assignment.without(1)).assigned.tolist()
    [1, 0]
    """

    labels: IntArray
    weights: FloatArray
    scores: FloatArray
    offsets: FloatArray
    assigned: IntArray
    highest: FloatArray

    @classmethod
    def of(
        cls, labels: IntArray, weights: FloatArray, scores: FloatArray, offsets: FloatArray
    ) -> ClassAssignment:
        """Assign every row, given the offsets of all classes."""
        sums = scores + offsets
        assigned = np.argmax(sums, axis=1)
        return cls(labels, weights, scores, offsets, assigned, np.max(sums, axis=1))

    @cached_property
    def classes(self) -> IntArray:
        """The classes that have at least one row."""
        return np.unique(self.labels)

    def without(self, k: int) -> RunnerUp:
        """Leave class k out; only the rows assigned to it are computed again."""
        classes, scores = self.assigned.copy(), self.highest.copy()
        freed = np.flatnonzero(classes == k)
        sums = self.scores[freed] + self.offsets
        sums[:, k] = -np.inf
        classes[freed], scores[freed] = np.argmax(sums, axis=1), np.max(sums, axis=1)
        return RunnerUp(classes, scores)

    def with_offset(self, k: int, offset: float, runner_up: RunnerUp) -> ClassAssignment:
        """Return the assignment with another offset of class k.

        Args:
            k: The class.
            offset: Its new offset.
            runner_up: The result of ``without(k)``.
        """
        offsets, sums = self.offsets.copy(), self.scores[:, k] + offset
        offsets[k] = offset
        is_best = sums > runner_up.scores
        return replace(
            self,
            offsets=offsets,
            assigned=np.where(is_best, k, runner_up.classes),
            highest=np.where(is_best, sums, runner_up.scores),
        )
