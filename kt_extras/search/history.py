"""The history of a search: one observation for each trial, kept in columns.

Samplers, pruners and schedulers read these columns; only the code that runs a search changes them.
Losses are minimised, and the loss of a failed trial is `inf`.

Where there are several objectives, or constraints on the outcome, `History.ranked` puts ranks in
the place of losses: among all trials for the final ones, and among the trials that have reached an
epoch for those of a curve.  So whatever compares losses compares outcomes.
"""

from __future__ import annotations

import copy
import enum
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.search.curves import Curve as Curve
from kt_extras.search.curves import CurveColumns, with_room
from kt_extras.search.curves import Curves as Curves
from kt_extras.search.dimensions import Point
from kt_extras.search.outcome import Goals
from kt_extras.search.outcome_columns import OutcomeColumns, RankColumns
from kt_extras.search.past import Past
from kt_extras.search.space import Space, point_key

ELSEWHERE = -1  # the bracket of a trial that this search has not trained

_WHOLE = int(np.iinfo(np.int64).max)  # epochs of a whole training, while no trial shows how many


class State(enum.IntEnum):
    """State of a trial."""

    RUNNING = 0
    COMPLETED = 1
    PRUNED = 2  # stopped early because of its losses
    INFEASIBLE = 3  # failed: too large, out of memory, NaN loss, or a crash
    PAUSED = 4  # has reached its budget; a scheduler may resume it


@dataclass(frozen=True)
class Observation:
    """One trial: its point, its state, its final loss and its curve."""

    point: Point
    state: State
    loss: float
    curve: Curve


class History(Sequence[Observation]):
    """The observations of a search in the order in which its trials began.

    To start, report and finish a trial takes O(1) amortised time, whatever the number of trials.

    Args:
        space: Space of the points.
        sign: Factor from a loss to the value of the objective: -1.0 if that is maximised. Defaults
            to 1.
        goals: What is wanted of outcomes, if that is more than one low loss. Defaults to None.

    Attributes:
        past: What earlier searches have found.

    >>> from kt_extras.search import Float
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> number = history.start({"x": 0.25})
    >>> history.report(number, step=0, loss=3.0)
    >>> history.finish(number, State.COMPLETED, loss=3.0)
    >>> history.unit.tolist(), history.losses.tolist()
    ([[0.25]], [3.0])
    """

    def __init__(self, space: Space, sign: float = 1.0, goals: Goals | None = None) -> None:
        self.space = space
        self.sign = sign
        self.goals = goals
        self.past: tuple[Past, ...] = ()
        self._points: list[Point] = []
        self._keys = Counter[tuple[tuple[str, object], ...]]()  # several trials may have one point
        self._unit = np.empty((0, len(space)))
        self._losses = np.empty(0)
        self._states = np.empty(0, dtype=np.int8)
        self._brackets = np.empty(0, dtype=np.int64)
        self._changes: dict[int, list[tuple[int, Point]]] = {}
        self._outcomes = np.empty((0, goals.width if goals else 0))
        self._curves = CurveColumns() if goals is None else OutcomeColumns(goals)

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
        """Return whether a trial has exactly this point."""
        return self._keys[point_key(point)] > 0

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

        The loss of a paused trial is its best so far.
        """
        return self._losses[: len(self)]

    @property
    def n_objectives(self) -> int:
        """By how many losses trials are compared; 1 for a weighted sum."""
        several = self.goals is not None and self.goals.weights is None
        return self._outcomes.shape[1] - 1 if several else 1

    @property
    def targets(self) -> FloatArray:
        """Shape ``(n, n_objectives)``: the losses of each trial, `inf` where `losses` is."""
        if self.n_objectives == 1:
            return self.losses[:, None]
        unknown = np.isinf(self.losses)[:, None]
        return np.where(unknown, math.inf, self._outcomes[: len(self), :-1])

    @property
    def violations(self) -> FloatArray:
        """Shape ``(n,)``: by how much each trial violates constraints; 0 for a feasible one."""
        if self.goals is None:
            return np.zeros(len(self))
        return np.where(np.isinf(self.losses), 0.0, self._outcomes[: len(self), -1])

    @property
    def states(self) -> NDArray[np.int8]:
        """Shape ``(n,)``: the `State` of each trial."""
        return self._states[: len(self)]

    @property
    def epochs(self) -> IntArray:
        """Shape ``(n,)``: the number of epochs that each trial has reported."""
        return self._curves.lengths(len(self))

    @property
    def budgets(self) -> IntArray:
        """Shape ``(n,)``: the number of epochs at which each trial can be compared with others.

        These are its own.  A trial of elsewhere has at most as many as those of this search, once
        one of them has completed; if it has no curve, its loss is that of a whole training.
        """
        epochs, completed = self.epochs, self.states == State.COMPLETED
        elsewhere = self.brackets == ELSEWHERE
        shown = epochs[completed & ~elsewhere].any()
        whole = int(epochs[~elsewhere].max()) if shown else _WHOLE
        without_curve = elsewhere & completed & (epochs == 0)
        return np.where(without_curve, whole, np.minimum(epochs, whole))

    @property
    def brackets(self) -> IntArray:
        """Shape ``(n,)``: the bracket of the scheduler in which each trial began."""
        return self._brackets[: len(self)]

    def best_by(self, epochs: int) -> FloatArray:
        """Return the lowest loss of each trial within its first `epochs` epochs.

        Returns:
            Shape ``(n,)``, `inf` for a trial without reports.
        """
        return self._curves.best_by(len(self), epochs)

    def start(self, point: Point, bracket: int = 0) -> int:
        """Begin a trial; return its number, counted from 0.

        Args:
            point: Its point.
            bracket: Its bracket; -1 for a trial that was trained elsewhere. Defaults to 0.
        """
        number = len(self)
        self._unit = with_room(self._unit, number, math.nan)
        self._losses = with_room(self._losses, number, math.inf)
        self._states = with_room(self._states, number, State.RUNNING)
        self._brackets = with_room(self._brackets, number, 0)
        self._outcomes = with_room(self._outcomes, number, math.inf)
        self._brackets[number] = bracket
        self._points.append({})
        self._place(number, point)
        return number

    def move(self, number: int, point: Point) -> None:
        """Replace the point of a trial, as when it has discovered hyperparameters."""
        self._keys[point_key(self._points[number])] -= 1
        self._place(number, point)

    def report(
        self, number: int, step: int, loss: float, outcome: FloatArray | None = None
    ) -> None:
        """Record the loss at the end of an epoch, counted from 0; NaN counts as `inf`.

        Args:
            number: The trial.
            step: The epoch.
            loss: Of the first objective.
            outcome: Of all `goals`, where there are any.
        """
        self._curves.report(number, step, loss)
        if isinstance(self._curves, OutcomeColumns) and outcome is not None:
            self._curves.report_outcome(number, step, outcome)

    def change(self, number: int, epoch: int, point: Point) -> None:
        """Set the point of a trial from an epoch on, as when it takes over that of another."""
        before = self._changes.setdefault(number, [(0, self._points[number])])
        before[:] = [past for past in before if past[0] < epoch]
        before.append((epoch, dict(point)))
        self.move(number, point)

    def point_at(self, number: int, epoch: int) -> Point:
        """Return the point of a trial at an epoch, counted from 0."""
        changes = self._changes.get(number, [(0, self._points[number])])
        return next(point for since, point in reversed(changes) if since <= epoch)

    def changes(self, number: int) -> list[int]:
        """Return the epochs from which a trial has had another point than before."""
        return [since for since, _ in self._changes.get(number, [])[1:]]

    def resume(self, number: int) -> None:
        """Set a paused trial to running."""
        self._states[number], self._losses[number] = State.RUNNING, math.inf

    def restart(self, number: int, kept: int = 0) -> None:
        """Set a trial to running, and delete its curve except for the first `kept` epochs."""
        self.resume(number)
        self._curves.cut(number, kept)

    def finish(
        self, number: int, state: State, loss: float, outcome: FloatArray | None = None
    ) -> None:
        """End a trial; a loss that is not finite counts as `inf`.

        Args:
            number: The trial.
            state: How it ended.
            loss: Of the first objective.
            outcome: Of all `goals`, where there are any.
        """
        self._states[number] = state
        self._losses[number] = loss if math.isfinite(loss) else math.inf
        if outcome is not None:
            self._outcomes[number] = outcome

    def set_outcome(self, number: int, outcome: FloatArray) -> None:
        """Set the outcome that a running trial had when it was paused."""
        self._outcomes[number] = outcome

    def places(self, numbers: Sequence[int]) -> IntArray:
        """Return an order of trials by their outcomes, best first, with a knee of the first front.

        Args:
            numbers: Trials with an outcome.

        Returns:
            Shape ``(n,)``: indices of `numbers`.

        Raises:
            ValueError: The search has no `goals`.
        """
        if self.goals is None:
            raise ValueError("`places` needs several objectives, or constraints.")
        return self.goals.places(self._outcomes[np.array(numbers, dtype=np.int64)])

    def ranked(self) -> History:
        """Return the same trials with ranks as losses, if they have `goals`; else this history.

        It shares what this one may change, so it holds until the next event.
        """
        if self.goals is None or not isinstance(self._curves, OutcomeColumns):
            return self  # losses are all there is, or ranks already
        history = copy.copy(self)
        history._losses = np.full(len(self), math.inf)
        known = np.isfinite(self.losses)
        history._losses[known] = self.goals.order(self._outcomes[: len(self)][known])
        history._curves = RankColumns(self._curves)
        history.sign = 1.0
        return history

    def curve(self, number: int) -> Curve:
        """Return the losses of a trial by epoch."""
        return self._curves.view(np.array([number]), self.sign)[0]

    def curves(self, state: State) -> Curves:
        """Return the curves of all trials in a state, but for those of which no epoch is known."""
        rows = np.flatnonzero((self.states == state) & (self.epochs > 0))
        return self._curves.view(rows, self.sign)

    def at(self, epochs: int) -> History:
        """Return a history in which no trial has trained for more than so many epochs.

        Trials that have trained less are left out, unless they are running or failed.  The others
        count as completed with their best loss up to there, even if they are running.

        Args:
            epochs: One of `budgets`.
        """
        history = History(self.space, self.sign, self.goals)
        history.past = self.past
        reached = (self.budgets >= epochs) & (self.states != State.INFEASIBLE)
        losses = np.where(self.epochs > 0, self.best_by(epochs), self.losses)
        open_ones = (self.states == State.RUNNING) | (self.states == State.INFEASIBLE)
        rows = np.flatnonzero(reached | open_ones)
        history._points = [self._points[row] for row in rows]
        history._keys = Counter(map(point_key, history._points))
        history._unit, history._brackets = self.unit[rows], self.brackets[rows]
        history._states = np.where(reached, State.COMPLETED, self.states)[rows].astype(np.int8)
        history._losses = np.where(reached, losses, math.inf)[rows]
        if isinstance(self._curves, OutcomeColumns | RankColumns):
            final, by_then = (
                self._outcomes[: len(self)],
                self._curves.outcomes_by(len(self), epochs),
            )
            history._outcomes = np.where((self.epochs == 0)[:, None], final, by_then)[rows]
        return history

    def cut_to(self, lengths: IntArray) -> History:
        """Return the same trials with shorter curves; it shares what this one may change.

        Args:
            lengths: Shape ``(n,)``: the number of epochs of each trial, at most what it has.
        """
        history = copy.copy(self)
        history._curves = self._curves.cut_to(lengths)
        return history

    def own(self) -> History:
        """Return the same trials, with those of elsewhere as failures that have trained no epoch.

        A scheduler neither counts nor resumes such trials.
        """
        elsewhere = self.brackets == ELSEWHERE
        if not elsewhere.any():
            return self
        history = self.cut_to(np.where(elsewhere, 0, self.epochs))
        history._states = np.where(elsewhere, State.INFEASIBLE, self.states).astype(np.int8)
        history._losses = np.where(elsewhere, math.inf, self.losses)
        return history

    def moved_to(self, space: Space) -> History:
        """Return the same trials in another space, as when hyperparameters were added."""
        history = History(space, self.sign, self.goals)
        history.past = self.past
        for point, bracket in zip(self._points, self.brackets.tolist(), strict=True):
            history.start(point, bracket)
        history._losses, history._states = self._losses.copy(), self._states.copy()
        history._outcomes = self._outcomes.copy()
        history._changes = self._changes
        history._curves = self._curves
        return history

    def _place(self, number: int, point: Point) -> None:
        self._points[number] = dict(point)
        self._keys[point_key(point)] += 1
        self._unit[number] = self.space.encode(point)
