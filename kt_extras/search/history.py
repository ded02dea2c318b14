"""What a search has seen: one observation a trial, kept in columns.

Samplers and pruners read these columns; only the shell that drives a search appends to them.
Losses are minimised and a failure is `inf`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.search.dimensions import Point
from kt_extras.search.space import Space, point_key


class State(enum.IntEnum):
    """Where a trial stands."""

    RUNNING = 0
    COMPLETED = 1
    PRUNED = 2  # stopped early because its curve was not worth more epochs
    INFEASIBLE = 3  # cannot run: too large, out of memory, NaN loss, or it crashed
    PAUSED = 4  # waits at its budget; a scheduler may give it more epochs


@dataclass(frozen=True)
class Curve:
    """The losses of one trial by epoch.

    Args:
        losses: Shape ``(epochs,)``; NaN where nothing was reported, `inf` for a NaN loss.
        sign: What turns a loss into the value that the user sees: -1.0 if that is maximised.
    """

    losses: FloatArray
    sign: float = 1.0

    @property
    def step(self) -> int:
        """The last epoch reported, counted from 0; -1 before the first."""
        return len(self.losses) - 1

    @property
    def reported(self) -> FloatArray:
        """The losses of the epochs that were reported, in order."""
        return self.losses[~np.isnan(self.losses)]

    @property
    def best(self) -> float:
        """The lowest loss so far; `inf` before the first."""
        return float(np.min(self.reported, initial=math.inf))


class Curves(Sequence[Curve]):
    """The curves of some trials: rows of one matrix, read column by column without a copy.

    Args:
        losses: Shape ``(trials, epochs)``, NaN where nothing was reported.
        best: Shape ``(trials, epochs)``: the lowest loss up to each epoch.
        lengths: Shape ``(trials,)``: the number of epochs of each trial.
        rows: Shape ``(m,)``: the trials that are meant.
        sign: As in `Curve`.
    """

    def __init__(
        self, losses: FloatArray, best: FloatArray, lengths: IntArray, rows: IntArray, sign: float
    ) -> None:
        self._losses, self._best, self._lengths = losses, best, lengths
        self._rows, self._sign = rows, sign

    @classmethod
    def of(cls, curves: Sequence[Sequence[float]], sign: float = 1.0) -> Curves:
        """Build from plain lists of losses, one a trial.

        >>> Curves.of([[3.0, 1.0, 2.0], [5.0]]).best_by(1).tolist()
        [1.0]
        """
        columns = _CurveColumns()
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
        """Return the lowest loss up to epoch `step` of each trial that got that far.

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


@dataclass(frozen=True)
class Observation:
    """One trial: where it was, how it went, and how it ended."""

    point: Point
    state: State
    loss: float
    curve: Curve


class History(Sequence[Observation]):
    """The observations of a search in the order in which its trials began.

    Starting, reporting and finishing a trial cost O(1) amortised, whatever the number of trials.

    Args:
        space: The space in which the points live.
        sign: -1.0 if the user's objective is maximised; losses are its values times this.

    >>> from kt_extras.search import Float
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> number = history.start({"x": 0.25})
    >>> history.report(number, step=0, loss=3.0)
    >>> history.finish(number, State.COMPLETED, loss=3.0)
    >>> history.unit.tolist(), history.losses.tolist()
    ([[0.25]], [3.0])
    """

    def __init__(self, space: Space, sign: float = 1.0) -> None:
        self.space = space
        self.sign = sign
        self._points: list[Point] = []
        self._keys: dict[tuple[tuple[str, object], ...], int] = {}
        self._unit = np.empty((0, len(space)))
        self._losses = np.empty(0)
        self._states = np.empty(0, dtype=np.int8)
        self._brackets = np.empty(0, dtype=np.int64)
        self._changes: dict[int, list[tuple[int, Point]]] = {}
        self._curves = _CurveColumns()

    def __len__(self) -> int:
        return len(self._points)

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Observation]: ...
    def __getitem__(self, index: int | slice) -> Observation | list[Observation]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        state, loss = State(int(self._states[number])), float(self._losses[number])
        return Observation(self._points[number], state, loss, self.curve(number))

    def __iter__(self) -> Iterator[Observation]:
        return (self[number] for number in range(len(self)))

    def __contains__(self, point: object) -> bool:
        return isinstance(point, dict) and self.tried(point)

    def tried(self, point: Point) -> bool:
        """Tell whether a trial was begun at this very point."""
        return point_key(point) in self._keys

    @property
    def points(self) -> Sequence[Point]:
        """The point of each trial."""
        return self._points

    @property
    def unit(self) -> FloatArray:
        """Shape ``(n, d)``: the points on the unit cube, NaN where inactive."""
        return self._unit[: len(self)]

    @property
    def losses(self) -> FloatArray:
        """Shape ``(n,)``: the loss of each trial, `inf` for a failed or running one.

        That of a paused trial is its best so far.
        """
        return self._losses[: len(self)]

    @property
    def states(self) -> NDArray[np.int8]:
        """Shape ``(n,)``: the `State` of each trial."""
        return self._states[: len(self)]

    @property
    def epochs(self) -> IntArray:
        """Shape ``(n,)``: the number of epochs that each trial has reported."""
        return self._curves.lengths(len(self))

    @property
    def brackets(self) -> IntArray:
        """Shape ``(n,)``: the bracket of its scheduler in which each trial was begun."""
        return self._brackets[: len(self)]

    def best_by(self, epochs: int) -> FloatArray:
        """Return the lowest loss of each trial within its first epochs.

        Returns:
            Shape ``(n,)``, `inf` for a trial that has reported none.
        """
        return self._curves.best_by(len(self), epochs)

    def start(self, point: Point, bracket: int = 0) -> int:
        """Begin a trial; return its number, counted from 0."""
        number = len(self)
        self._unit = _with_room(self._unit, number, math.nan)
        self._losses = _with_room(self._losses, number, math.inf)
        self._states = _with_room(self._states, number, State.RUNNING)
        self._brackets = _with_room(self._brackets, number, 0)
        self._brackets[number] = bracket
        self._points.append({})
        self.move(number, point)
        return number

    def move(self, number: int, point: Point) -> None:
        """Change the point of a trial, as when it brought hyperparameters to light."""
        if self._keys.get(before := point_key(self._points[number])) == number:
            del self._keys[before]
        self._points[number] = dict(point)
        self._keys[point_key(point)] = number
        self._unit[number] = self.space.encode(point)

    def report(self, number: int, step: int, loss: float) -> None:
        """Note the loss at the end of an epoch, counted from 0; NaN counts as `inf`."""
        self._curves.report(number, step, loss)

    def change(self, number: int, epoch: int, point: Point) -> None:
        """Give a trial another point from an epoch on, as when it takes over another's."""
        before = self._changes.setdefault(number, [(0, self._points[number])])
        before[:] = [past for past in before if past[0] < epoch]
        before.append((epoch, dict(point)))
        self.move(number, point)

    def point_at(self, number: int, epoch: int) -> Point:
        """Return the point of a trial that was in force from an epoch on, counted from 0."""
        changes = self._changes.get(number, [(0, self._points[number])])
        return next(point for since, point in reversed(changes) if since <= epoch)

    def resume(self, number: int) -> None:
        """Let a trial that was paused run again."""
        self._states[number], self._losses[number] = State.RUNNING, math.inf

    def restart(self, number: int, kept: int = 0) -> None:
        """Run a trial again, and forget its curve but for its first epochs."""
        self.resume(number)
        self._curves.cut(number, kept)

    def finish(self, number: int, state: State, loss: float) -> None:
        """End a trial; a loss that is not finite counts as `inf`."""
        self._states[number] = state
        self._losses[number] = loss if math.isfinite(loss) else math.inf

    def curve(self, number: int) -> Curve:
        """Return the losses of a trial by epoch."""
        return self._curves.view(np.array([number]), self.sign)[0]

    def curves(self, state: State) -> Curves:
        """Return the curves of all trials in a state."""
        return self._curves.view(np.flatnonzero(self.states == state), self.sign)

    def at(self, epochs: int) -> History:
        """Return what the history would be if no trial had trained longer than so many epochs.

        Trials that have trained less are left out, unless they are running or have failed; one
        that has trained as much counts as completed, though it may be running again.
        """
        history = History(self.space, self.sign)
        reached = (self.epochs >= epochs) & (self.states != State.INFEASIBLE)
        open_ones = (self.states == State.RUNNING) | (self.states == State.INFEASIBLE)
        rows = np.flatnonzero(reached | open_ones)
        history._points = [self._points[row] for row in rows]
        history._keys = {point_key(point): n for n, point in enumerate(history._points)}
        history._unit, history._brackets = self.unit[rows], self.brackets[rows]
        history._states = np.where(reached, State.COMPLETED, self.states)[rows].astype(np.int8)
        history._losses = np.where(reached, self.best_by(epochs), math.inf)[rows]
        return history

    def moved_to(self, space: Space) -> History:
        """Return the same history in another space, as when hyperparameters were added."""
        history = History(space, self.sign)
        for point, bracket in zip(self._points, self.brackets.tolist(), strict=True):
            history.start(point, bracket)
        history._losses, history._states = self._losses.copy(), self._states.copy()
        history._changes = self._changes
        history._curves = self._curves
        return history


class _CurveColumns:
    """Growing matrices of the losses by epoch and of the lowest so far."""

    def __init__(self) -> None:
        self._losses = np.empty((0, 0))
        self._best = np.empty((0, 0))
        self._lengths = np.zeros(0, dtype=np.int64)

    def report(self, row: int, step: int, loss: float) -> None:
        self._make_room(row, step)
        loss = loss if math.isfinite(loss) else math.inf
        length, known = self._lengths[row], min(self._lengths[row], step)
        before = self._best[row, known - 1] if known else math.inf
        self._losses[row, step] = loss
        self._best[row, length:step] = before  # epochs without a report keep what there was
        self._lengths[row] = end = max(length, step + 1)
        later = np.fmin.accumulate(self._losses[row, step:end])  # an epoch may be reported again
        self._best[row, step:end] = np.minimum(before, later)

    def cut(self, row: int, length: int) -> None:
        if row < len(self._losses):  # it may have reported nothing
            self._losses[row, length:], self._best[row, length:] = math.nan, math.nan
            self._lengths[row] = min(self._lengths[row], length)

    def best_by(self, rows: int, epochs: int) -> FloatArray:
        reached = np.minimum(self.lengths(rows), epochs)
        best = np.full(rows, math.inf)
        begun = np.flatnonzero(reached)
        best[begun] = self._best[begun, reached[begun] - 1]
        return best

    def lengths(self, rows: int) -> IntArray:
        self._lengths = _with_room(self._lengths, rows, 0)
        return self._lengths[:rows]

    def view(self, rows: IntArray, sign: float) -> Curves:
        if len(rows):
            self._make_room(int(rows.max()), 0)
        return Curves(self._losses, self._best, self._lengths, rows, sign)

    def _make_room(self, row: int, step: int) -> None:
        if step >= self._losses.shape[1]:
            more = max(step + 1 - self._losses.shape[1], self._losses.shape[1], 8)
            self._losses = np.pad(self._losses, ((0, 0), (0, more)), constant_values=math.nan)
            self._best = np.pad(self._best, ((0, 0), (0, more)), constant_values=math.nan)
        self._losses = _with_room(self._losses, row, math.nan)
        self._best = _with_room(self._best, row, math.nan)
        self._lengths = _with_room(self._lengths, row, 0)


def _with_room(column: np.ndarray, row: int, filling: float) -> np.ndarray:
    """Return `column`, doubled until it has the row."""
    if row < len(column):
        return column
    more = np.full((max(row + 1 - len(column), len(column), 16), *column.shape[1:]), filling)
    return np.concatenate([column, more.astype(column.dtype)])
