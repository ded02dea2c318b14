"""Learning curves: the losses of trials by epoch, in growing matrices."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from kt_extras.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Curve:
    """The losses of one trial by epoch.

    Args:
        losses: Shape ``(epochs,)``; NaN where nothing was reported, `inf` for a NaN loss.
        sign: Factor from a loss to the value of the objective: -1.0 if that is maximised. Defaults
            to 1.
        rank: Of its best epoch among all trials, where the losses are ranks: those of two epochs
            cannot be compared. Defaults to None.
        first: The losses in the first objective, where `losses` are ranks. Defaults to None.
    """

    losses: FloatArray
    sign: float = 1.0
    rank: float | None = None
    first: FloatArray | None = None

    @property
    def step(self) -> int:
        """The last epoch reported, counted from 0; -1 before the first."""
        return len(self.losses) - 1

    @property
    def reported(self) -> FloatArray:
        """The losses of the epochs that were reported, in order."""
        return self.losses[~np.isnan(self.losses)]

    @property
    def progress(self) -> FloatArray:
        """The reported losses that show whether the trial itself gets better."""
        losses = self.losses if self.first is None else self.first
        return losses[~np.isnan(losses)]

    @property
    def best(self) -> float:
        """The lowest loss so far; `inf` before the first."""
        if self.rank is not None:
            return self.rank
        return float(np.min(self.reported, initial=math.inf))


class Curves(Sequence[Curve]):
    """The curves of some trials, as rows of one matrix that is not copied.

    Args:
        losses: Shape ``(trials, epochs)``, NaN where nothing was reported.
        best: Shape ``(trials, epochs)``: the lowest loss up to each epoch.
        lengths: Shape ``(trials,)``: the number of epochs of each trial.
        rows: Shape ``(m,)``: the numbers of the trials.
        sign: As in `Curve`.
    """

    def __init__(
        self, losses: FloatArray, best: FloatArray, lengths: IntArray, rows: IntArray, sign: float
    ) -> None:
        self._losses, self._best, self._lengths = losses, best, lengths
        self._rows, self._sign = rows, sign

    @classmethod
    def of(cls, curves: Sequence[Sequence[float]], sign: float = 1.0) -> Curves:
        """Return the curves of lists of losses, one for each trial.

        >>> Curves.of([[3.0, 1.0, 2.0], [5.0]]).best_by(1).tolist()
        [1.0]
        """
        columns = CurveColumns()
        for row, losses in enumerate(curves):
            for step, loss in enumerate(losses):
                columns.report(row, step, loss)
        return columns.view(np.arange(len(curves)), sign)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Curve: ...
    @overload
    def __getitem__(self, index: slice) -> Curves: ...
    def __getitem__(self, index: int | slice) -> Curve | Curves:
        if isinstance(index, slice):
            rows = self._rows[index]
            return Curves(self._losses, self._best, self._lengths, rows, self._sign)
        row = self._rows[index]
        return Curve(self._losses[row, : self._lengths[row]], self._sign)

    def best_by(self, step: int) -> FloatArray:
        """Return the lowest loss up to epoch `step` of each trial that reached it.

        Returns:
            Shape ``(k,)`` with k at most the number of trials, in their order.
        """
        reached = self._rows[self._lengths[self._rows] > step]
        return self._best[reached, step] if len(reached) else np.empty(0)

    @property
    def best(self) -> float:
        """The lowest loss of all; `inf` without any."""
        begun = self._rows[self._lengths[self._rows] > 0]
        if not len(begun):
            return math.inf
        return float(np.min(self._best[begun, self._lengths[begun] - 1]))


class CurveColumns:
    """Growing matrices of the losses by epoch and of the lowest losses so far."""

    def __init__(self) -> None:
        self._losses = np.empty((0, 0))
        self._best = np.empty((0, 0))
        self._lengths = np.zeros(0, dtype=np.int64)

    def report(self, row: int, step: int, loss: float) -> None:
        """Set the loss of a trial in an epoch."""
        self._make_room(row, step)
        loss = loss if math.isfinite(loss) else math.inf
        length, known = self._lengths[row], min(self._lengths[row], step)
        before = self._best[row, known - 1] if known else math.inf
        self._losses[row, step] = loss
        self._best[row, length:step] = before  # the best so far holds for epochs without a report
        self._lengths[row] = end = max(length, step + 1)
        later = np.fmin.accumulate(self._losses[row, step:end])  # an epoch may be reported again
        self._best[row, step:end] = np.minimum(before, later)

    def cut(self, row: int, length: int) -> None:
        """Delete the curve of a trial but for its first epochs."""
        if row < len(self._losses):  # without reports there is no row
            self._losses[row, length:], self._best[row, length:] = math.nan, math.nan
            self._lengths[row] = min(self._lengths[row], length)

    def cut_to(self, lengths: IntArray) -> CurveColumns:
        """Return the curves with other numbers of epochs; they share their losses."""
        columns = copy.copy(self)
        columns._lengths = lengths
        return columns

    def best_by(self, rows: int, epochs: int) -> FloatArray:
        """Return the lowest loss of each trial within its first epochs, `inf` without any."""
        reached = np.minimum(self.lengths(rows), epochs)
        best = np.full(rows, math.inf)
        begun = np.flatnonzero(reached)
        best[begun] = self._best[begun, reached[begun] - 1]
        return best

    def lengths(self, rows: int) -> IntArray:
        """Return the number of epochs of each trial."""
        self._lengths = with_room(self._lengths, rows, 0)
        return self._lengths[:rows]

    def view(self, rows: IntArray, sign: float) -> Curves:
        """Return the curves of some trials."""
        if len(rows):
            self._make_room(int(rows.max()), 0)
        return Curves(self._losses, self._best, self._lengths, rows, sign)

    def _make_room(self, row: int, step: int) -> None:
        if step >= self._losses.shape[1]:
            more = max(step + 1 - self._losses.shape[1], self._losses.shape[1], 8)
            self._losses = np.pad(self._losses, ((0, 0), (0, more)), constant_values=math.nan)
            self._best = np.pad(self._best, ((0, 0), (0, more)), constant_values=math.nan)
        self._losses = with_room(self._losses, row, math.nan)
        self._best = with_room(self._best, row, math.nan)
        self._lengths = with_room(self._lengths, row, 0)


def with_room(column: np.ndarray, row: int, filling: float) -> np.ndarray:
    """Return `column`, enlarged if it does not have the row."""
    if row < len(column):
        return column
    more = np.full((max(row + 1 - len(column), len(column), 16), *column.shape[1:]), filling)
    return np.concatenate([column, more.astype(column.dtype)])
