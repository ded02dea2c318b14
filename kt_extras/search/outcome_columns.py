"""The outcomes of trials by epoch, and their ranks among the trials that have reached an epoch."""

from __future__ import annotations

import copy
import math
from typing import overload

import numpy as np

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.search.curves import Curve, CurveColumns, Curves
from kt_extras.search.outcome import Goals


class OutcomeColumns(CurveColumns):
    """Also the outcomes by epoch, and their ranks among the trials that have reached an epoch.

    A metric that is not measured in an epoch keeps its last value.
    """

    def __init__(self, goals: Goals) -> None:
        super().__init__()
        self._goals = goals
        self._outcomes = np.empty((0, 0, goals.width))
        self._best_steps = np.zeros((0, 0), dtype=np.int64)  # in which the lowest loss came
        self._ranks: dict[int, tuple[FloatArray, FloatArray]] = {}

    def report(self, row: int, step: int, loss: float) -> None:
        """Set the loss of a trial in an epoch."""
        before = int(self.lengths(row + 1)[row])
        super().report(row, step, loss)
        # Epochs without a report before this one are reached now, too.
        self._forget(min(step, before), int(self._lengths[row]))

    def report_outcome(self, row: int, step: int, outcome: FloatArray) -> None:
        """Set the outcome of an epoch whose loss has been reported."""
        before = self._outcomes[row, step - 1] if step else np.full(len(outcome), math.inf)
        missing = np.isinf(outcome) & ~np.isnan(before)
        self._outcomes[row, step] = np.where(missing, before, outcome)
        length = int(self._lengths[row])
        self._best_steps[row, :length] = _best_steps(self._losses[row, :length])

    def cut(self, row: int, length: int) -> None:
        """Delete the curve of a trial but for its first epochs."""
        if row < len(self._outcomes):
            self._forget(length, int(self._lengths[row]))
            self._outcomes[row, length:] = math.nan
        super().cut(row, length)

    def cut_to(self, lengths: IntArray) -> OutcomeColumns:
        """Return the curves with other numbers of epochs; they share their outcomes."""
        columns = copy.copy(self)
        columns._lengths, columns._ranks = lengths, {}
        return columns

    def outcomes_by(self, rows: int, epochs: int) -> FloatArray:
        """Return the outcome of each trial in the best of its first epochs.

        Returns:
            Shape ``(rows, width)``, `inf` for a trial without reports.
        """
        reached = np.minimum(self.lengths(rows), epochs)
        outcomes = np.full((rows, self._goals.width), math.inf)
        begun = np.flatnonzero(reached)
        steps = self._best_steps[begun, reached[begun] - 1]
        outcomes[begun] = self._outcomes[begun, steps]
        return np.where(np.isnan(outcomes), math.inf, outcomes)

    def first_losses(self, row: int, epochs: int) -> FloatArray:
        """Return the losses of a trial in the first objective, by epoch."""
        return self._losses[row, :epochs]

    def rank_by(self, rows: int, epochs: int) -> FloatArray:
        """Return the rank of each trial by its best epoch among the first ones."""
        return self._goals.order(self.outcomes_by(rows, epochs))

    def ranks_at(self, step: int) -> tuple[FloatArray, FloatArray]:
        """Return the rank of each trial in an epoch, and that of its best one until then.

        Returns:
            Two arrays of shape ``(rows,)``, NaN for trials that have not reached it.
        """
        if step not in self._ranks:
            self._ranks[step] = self._ranked(step)
        return self._ranks[step]

    def _ranked(self, step: int) -> tuple[FloatArray, FloatArray]:
        rows = len(self._outcomes)
        there = np.flatnonzero(self.lengths(rows) > step)
        now, best = np.full((2, rows), math.nan)
        outcomes = self._outcomes[there, step]
        unknown = np.isnan(outcomes).any(axis=1)  # the objective was not measured in this epoch
        now[there] = self._goals.order(np.where(np.isnan(outcomes), math.inf, outcomes))
        now[there[unknown]] = math.nan
        best[there] = self._goals.order(self.outcomes_by(rows, step + 1)[there])
        return now, best

    def _forget(self, begin: int, end: int) -> None:
        """Forget the ranks in some epochs, which may change."""
        for step in range(begin, end):
            self._ranks.pop(step, None)

    def _make_room(self, row: int, step: int) -> None:
        super()._make_room(row, step)
        rows, columns = self._losses.shape
        more = ((0, rows - len(self._outcomes)), (0, columns - self._outcomes.shape[1]))
        if any(added for _, added in more):
            self._outcomes = np.pad(self._outcomes, (*more, (0, 0)), constant_values=math.nan)
            self._best_steps = np.pad(self._best_steps, more)


class RankColumns(CurveColumns):
    """The curves of others with ranks in the place of losses."""

    def __init__(self, columns: OutcomeColumns) -> None:
        self._columns = columns

    def cut_to(self, lengths: IntArray) -> RankColumns:
        """Return the curves with other numbers of epochs."""
        return RankColumns(self._columns.cut_to(lengths))

    def lengths(self, rows: int) -> IntArray:
        """Return the number of epochs of each trial."""
        return self._columns.lengths(rows)

    def best_by(self, rows: int, epochs: int) -> FloatArray:
        """Return the rank of each trial by the best of its first epochs."""
        return self._columns.rank_by(rows, epochs)

    def outcomes_by(self, rows: int, epochs: int) -> FloatArray:
        """Return the outcome of each trial in the best of its first epochs."""
        return self._columns.outcomes_by(rows, epochs)

    def view(self, rows: IntArray, sign: float) -> Curves:  # noqa: ARG002 - ranks have no sign
        """Return the curves of some trials."""
        return _RankedCurves(self._columns, rows)


class _RankedCurves(Curves):
    """The curves of some trials, with ranks in the place of losses."""

    def __init__(self, columns: OutcomeColumns, rows: IntArray) -> None:
        self._columns, self._rows = columns, rows
        self._lengths = columns.lengths(int(rows.max(initial=-1)) + 1)

    @overload
    def __getitem__(self, index: int) -> Curve: ...
    @overload
    def __getitem__(self, index: slice) -> Curves: ...
    def __getitem__(self, index: int | slice) -> Curve | Curves:
        if isinstance(index, slice):
            return _RankedCurves(self._columns, self._rows[index])
        row = self._rows[index]
        ranks = [self._columns.ranks_at(step) for step in range(int(self._lengths[row]))]
        losses = np.array([now[row] for now, _ in ranks])
        rank = float(ranks[-1][1][row]) if ranks else math.inf
        return Curve(losses, rank=rank, first=self._columns.first_losses(row, len(losses)))

    def best_by(self, step: int) -> FloatArray:
        reached = self._rows[self._lengths[self._rows] > step]
        return self._columns.ranks_at(step)[1][reached] if len(reached) else np.empty(0)

    @property
    def best(self) -> float:
        return min((curve.best for curve in self), default=math.inf)


def _best_steps(losses: FloatArray) -> IntArray:
    """Return for each epoch that of the lowest loss until then.

    >>> _best_steps(np.array([3.0, np.nan, 2.0, 5.0])).tolist()
    [0, 0, 2, 2]
    """
    known = np.where(np.isnan(losses), math.inf, losses)
    lowest = np.minimum.accumulate(known)
    first = np.r_[True, lowest[1:] < lowest[:-1]]
    steps: IntArray = np.maximum.accumulate(np.where(first, np.arange(len(losses)), 0))
    return steps
