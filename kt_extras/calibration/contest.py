"""Which class each row goes to, while the offsets of the classes change one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kt_extras.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Rivals:
    """Who wins each row when one class is left out.

    Args:
        classes: Shape ``(n,)``.
        scores: Shape ``(n,)``: what they score, with their offsets; -inf if they score nothing.
    """

    classes: IntArray
    scores: FloatArray


@dataclass(frozen=True)
class Contest:
    """Rows that go to the class whose score and offset have the largest sum.

    Args:
        labels: True classes, shape ``(n,)``.
        weights: Shape ``(n,)``.
        scores: Shape ``(n, k)``; -inf is allowed, but not for a whole row.
        offsets: Shape ``(k,)``.
        winners: Shape ``(n,)``.
        highest: Shape ``(n,)``: the sums of the winners.

    >>> scores = np.log([[0.6, 0.4], [0.9, 0.1]])
    >>> contest = Contest.between(np.array([1, 0]), np.ones(2), scores, np.zeros(2))
    >>> contest.moved(1, 1.0, contest.without(1)).winners.tolist()
    [1, 0]
    """

    labels: IntArray
    weights: FloatArray
    scores: FloatArray
    offsets: FloatArray
    winners: IntArray
    highest: FloatArray

    @classmethod
    def between(
        cls, labels: IntArray, weights: FloatArray, scores: FloatArray, offsets: FloatArray
    ) -> Contest:
        """Let all classes compete."""
        sums = scores + offsets
        winners = np.argmax(sums, axis=1)
        return cls(labels, weights, scores, offsets, winners, np.max(sums, axis=1))

    @cached_property
    def classes(self) -> IntArray:
        """The classes that have at least one row."""
        return np.unique(self.labels)

    def without(self, k: int) -> Rivals:
        """Leave a class out; only its own rows are looked at anew, O(n) of k classes alike."""
        classes, scores = self.winners.copy(), self.highest.copy()
        freed = np.flatnonzero(classes == k)
        sums = self.scores[freed] + self.offsets
        sums[:, k] = -np.inf
        classes[freed], scores[freed] = np.argmax(sums, axis=1), np.max(sums, axis=1)
        return Rivals(classes, scores)

    def moved(self, k: int, offset: float, rivals: Rivals) -> Contest:
        """Return the contest in which a class has another offset, and its rivals are known."""
        offsets, sums = self.offsets.copy(), self.scores[:, k] + offset
        offsets[k] = offset
        won = sums > rivals.scores
        return replace(
            self,
            offsets=offsets,
            winners=np.where(won, k, rivals.classes),
            highest=np.where(won, sums, rivals.scores),
        )
