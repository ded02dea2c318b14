"""Hyperband (Li et al., JMLR 18, 2018, algorithm 1): brackets of successive halving.

Notation: R is `max_epochs`, eta is `reduction_factor`, s is the number of halvings of a bracket.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Literal

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.arrays import IntArray, Mask
from kt_extras.schedulers.rungs import NEVER, reached, rungs
from kt_extras.schedulers.scheduler import PlannedRung, Resume, Start, Step
from kt_extras.schedulers.successive_halving import halved, planned
from kt_extras.search import History, State


@dataclass(frozen=True)
class Bracket:
    """One run of successive halving.

    Args:
        levels: Number of epochs of each rung.
        sizes: Number of trials that reach each rung.
    """

    levels: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Hyperband:
    """Runs brackets of successive halving, from many short trials to few long ones.

    The trials of a rung are compared when all of them have reached it; while some are still
    running, other workers begin the next bracket.  A trial that fails is replaced, so every rung
    gets its number of trials.

    Args:
        max_epochs: Number of epochs of the last rung of every bracket.
        reduction_factor: One of this many trials in a rung is promoted to the next, at least 2.
            Defaults to 3.
        iterations: Number of times that all brackets are run, None to run them without end.
            Defaults to 1.
        min_epochs: Number of epochs of the first rung of the longest bracket. Defaults to 1.
        rounding: `"down"`: rungs are R, the powers of eta times `min_epochs` below it, and have n,
            n / eta, ... trials, rounded down. `"up"`: rungs are R / eta^s, ..., R / eta, R, as far
            as they have an epoch, and the numbers of epochs and trials are rounded up, as
            `keras_tuner.Hyperband` does; `min_epochs` must be 1. Defaults to `"down"`.

    Raises:
        ValueError: An argument is out of its range.

    >>> [bracket.sizes for bracket in Hyperband(max_epochs=27, reduction_factor=3).brackets]
    [(27, 9, 3, 1), (12, 4, 1), (6, 2), (4,)]
    """

    max_epochs: int
    reduction_factor: int = 3
    iterations: int | None = 1
    min_epochs: int = 1
    rounding: Literal["down", "up"] = "down"
    resumes = True
    revives = False

    def __post_init__(self) -> None:
        if self.iterations is not None:
            check_integer("iterations", self.iterations, minimum=1, hint="or pass None")
        if self.rounding not in ("down", "up"):
            raise ValueError(f"`rounding` must be 'down' or 'up', got {self.rounding!r}.")
        if self.rounding == "up" and self.min_epochs != 1:
            raise ValueError(
                f"`min_epochs` must be 1 if the rounding is 'up', got {self.min_epochs!r}."
            )
        _ = self.brackets

    @cached_property
    def brackets(self) -> tuple[Bracket, ...]:
        """The brackets of one iteration in the order in which they are run."""
        levels = rungs(self.max_epochs, self.min_epochs, self.reduction_factor)
        if self.rounding == "up":
            return _rounded_up(levels[-1], self.reduction_factor)
        s_max, eta = len(levels) - 1, self.reduction_factor
        brackets = []
        for s in range(s_max, -1, -1):
            n = math.ceil((s_max + 1) / (s + 1) * eta**s)  # Li et al., table 1
            brackets.append(Bracket(levels[s_max - s :], tuple(halved(n, s + 1, eta))))
        return tuple(brackets)

    def next_step(self, history: History, *, seed: int, may_start: bool) -> Step | None:
        """Return the first step of any bracket, in their order."""
        standings = _Standings(history, history.states == State.PAUSED)
        done = self._done(history)
        for index in range(self._begun(history) + 1):
            if index < len(done) and done[index]:
                continue
            step = self._step_in(index, standings, may_start=may_start)
            if step is not None:
                return step
        return None

    def goes_on(self, history: History, number: int, *, seed: int, may_start: bool) -> int:
        """Promote a running trial if it completes its rung and is the best there."""
        paused = history.states == State.PAUSED
        paused[number] = True
        bracket = int(history.brackets[number])
        step = self._step_in(bracket, _Standings(history, paused), may_start=may_start)
        promoted = isinstance(step, Resume) and step.number == number
        return step.until if step and promoted else int(history.epochs[number])

    def needed(self, history: History, *, max_trials: int | None) -> IntArray:
        """Return the last epoch of each trial until its bracket is done.

        Any paused trial of a bracket may be promoted if a better one fails.
        """
        needed = history.epochs.copy()
        ended = (history.states != State.PAUSED) & (history.states != State.RUNNING)
        needed[ended] = NEVER
        own = history.brackets >= 0
        needed[own] = np.where(self._done(history)[history.brackets[own]], NEVER, needed[own])
        return needed

    def plan(self, max_trials: int | None) -> Sequence[PlannedRung]:
        """Return the rungs of the brackets that `max_trials` allows; the last may be smaller."""
        if self.iterations is None and max_trials is None:
            return []
        left = math.inf if max_trials is None else max_trials
        rungs: list[PlannedRung] = []
        for index in itertools.count():
            bracket = self._bracket(index)
            if not left or bracket is None:
                break
            started = int(min(left, bracket.sizes[0]))
            rungs += planned(index, bracket.levels, self._sizes(bracket, started))
            left -= started
        return rungs

    def _bracket(self, index: int) -> Bracket | None:
        """Return a bracket by its number over all iterations, None after the last."""
        iteration, number = divmod(index, len(self.brackets))
        last = math.inf if self.iterations is None else self.iterations
        return self.brackets[number] if iteration < last else None

    def _begun(self, history: History) -> int:
        """Return how many brackets have begun."""
        return int(history.brackets.max(initial=-1)) + 1

    def _sizes(self, bracket: Bracket, started: int) -> Sequence[int]:
        """Return how many trials reach each rung of a bracket that begins with fewer of them."""
        if started >= bracket.sizes[0]:
            return bracket.sizes
        return halved(started, len(bracket.sizes), self.reduction_factor)

    def _done(self, history: History) -> Mask:
        """Return of which brackets that have begun the last rung has all its trials."""
        whole = (history.states == State.COMPLETED) & (history.epochs >= self.max_epochs)
        trained = np.bincount(
            history.brackets[whole & (history.brackets >= 0)], minlength=self._begun(history)
        )
        sizes = [bracket.sizes[-1] for bracket in self.brackets]
        done: Mask = trained >= np.resize(sizes, len(trained))
        return done

    def _step_in(self, index: int, standings: _Standings, *, may_start: bool) -> Step | None:
        """Return the next step of a bracket: a promotion, highest rung first, or a new trial."""
        bracket = self._bracket(index)
        if bracket is None:
            return None
        trials = standings.members(index)
        started = len(trials)
        if not started:
            return Start(bracket.levels[0], index) if may_start else None
        # In a small space or with `max_trials`, a bracket may begin with fewer trials.
        sizes = bracket.sizes if may_start else self._sizes(bracket, started)
        for rung in range(len(bracket.levels) - 2, -1, -1):
            here, above = bracket.levels[rung : rung + 2]
            members = trials[standings.reached(here)[trials]]
            if len(members) < sizes[rung]:
                continue
            losses = standings.losses(here)[members]
            top = members[np.argsort(losses, kind="stable")[: sizes[rung + 1]]]
            waiting = top[standings.paused[top] & (standings.epochs[top] < above)]
            if len(waiting):
                return Resume(int(waiting[0]), above)
        return Start(bracket.levels[0], index) if may_start and started < sizes[0] else None


class _Standings:
    """The trials by bracket, rung and loss, each computed once for all brackets.

    Args:
        history: All trials.
        paused: Shape ``(n,)``: which of them may be resumed.
    """

    def __init__(self, history: History, paused: Mask) -> None:
        self.paused, self.epochs = paused, history.epochs
        feasible = np.flatnonzero(history.states != State.INFEASIBLE)
        brackets = history.brackets[feasible]
        order = np.argsort(brackets, kind="stable")
        self._numbers, self._brackets = feasible[order], brackets[order]
        self.reached = cache(partial(reached, history))
        self.losses = cache(history.best_by)

    def members(self, bracket: int) -> IntArray:
        """Return the numbers of the trials of a bracket that have not failed."""
        first, end = np.searchsorted(self._brackets, [bracket, bracket + 1])
        return self._numbers[first:end]


def _rounded_up(max_epochs: int, eta: int) -> tuple[Bracket, ...]:
    """Return the brackets of `keras_tuner.Hyperband`.

    >>> [(bracket.levels, bracket.sizes) for bracket in _rounded_up(10, 3)]
    [((2, 4, 10), (12, 4, 2)), ((4, 10), (6, 2)), ((10,), (4,))]
    """
    s_max = 0
    while eta ** (s_max + 1) <= max_epochs:
        s_max += 1
    trained_to_the_end = s_max + 1 + (eta**s_max < max_epochs)  # of bracket 0
    return tuple(
        Bracket(
            tuple(math.ceil(max_epochs / eta**k) for k in range(s, -1, -1)),
            tuple(math.ceil(trained_to_the_end / (s + 1) * eta**k) for k in range(s, -1, -1)),
        )
        for s in range(s_max, -1, -1)
    )
