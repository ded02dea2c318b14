"""Rungs: the numbers of epochs at which trials are compared."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.arrays import IntArray, Mask
from kt_extras.schedulers.scheduler import PlannedRung, Resume
from kt_extras.search import History, State

#: More epochs than any trial trains, for a trial of which no state is needed.
NEVER = int(np.iinfo(np.int64).max)


def rungs(max_epochs: int, min_epochs: int, reduction_factor: int) -> tuple[int, ...]:
    """Return the budgets r, r eta, r eta^2, ..., R (Li et al., MLSys 2020, section 3.1).

    Args:
        max_epochs: R, the last one.
        min_epochs: r, the first one.
        reduction_factor: eta, at least 2.

    Raises:
        ValueError: An argument is out of its range, or `min_epochs` is above `max_epochs`.

    >>> rungs(27, 1, 3), rungs(100, 4, 4)
    ((1, 3, 9, 27), (4, 16, 64, 100))
    """
    check_integer("reduction_factor", reduction_factor, minimum=2)
    check_integer("min_epochs", min_epochs, minimum=1)
    check_integer("max_epochs", max_epochs, minimum=1)
    if min_epochs > max_epochs:
        raise ValueError(
            f"`min_epochs` must not be above `max_epochs`, got {min_epochs} and {max_epochs}."
        )
    levels = []
    while min_epochs < max_epochs:
        levels.append(min_epochs)
        min_epochs *= reduction_factor
    return (*levels, max_epochs)


def reached(history: History, level: int) -> Mask:
    """Return which trials have reached a rung; one that ended earlier counts as well.

    Returns:
        Shape ``(n,)``.
    """
    states = history.states
    ended = (states == State.COMPLETED) | (states == State.PRUNED)
    there: Mask = (states != State.INFEASIBLE) & ((history.epochs >= level) | ended)
    return there


def best_of(history: History, members: Mask, level: int, count: int) -> IntArray:
    """Return the members that are best at a rung, by their lowest loss so far.

    Args:
        history: All trials.
        members: Shape ``(n,)``: which trials are compared.
        level: Number of epochs of the rung.
        count: Number of trials to return.

    Returns:
        Their numbers, best first; of two equal losses that of the older trial is first.
    """
    numbers = np.flatnonzero(members)
    losses = history.best_by(level)[numbers]
    order: IntArray = numbers[np.argsort(losses, kind="stable")[:count]]
    return order


def loss_at(history: History, number: int, epoch: int) -> float:
    """Return the last loss that a trial has reported up to an epoch, `inf` without any."""
    losses = history.curve(number).losses[:epoch]
    reported = losses[~np.isnan(losses)]
    return float(reported[-1]) if len(reported) else math.inf


def unfilled(history: History, plan: Sequence[PlannedRung]) -> Resume | None:
    """Return a promotion to a rung that has fewer trials than planned, None if there is none.

    In a finite space all points may have been tried before a plan is carried out.  The epochs that
    are left then go to the best of the paused trials.

    Args:
        history: All trials.
        plan: The rungs of all brackets.

    >>> from kt_extras.search import Float, Space
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> for number, loss in enumerate([0.5, 0.3]):
    ...     _ = history.start({"x": loss})
    ...     history.report(number, step=0, loss=loss)
    ...     history.finish(number, State.PAUSED, loss)
    >>> unfilled(history, [PlannedRung(0, 1, 9, 9), PlannedRung(0, 3, 1, 2)])
    Resume(number=1, until=3, parent=None, point=None)
    """
    states, epochs = history.states, history.epochs
    for level in sorted({rung.epochs for rung in plan}):
        there = reached(history, level) | (states == State.RUNNING)
        below = (states == State.PAUSED) & (epochs < level)
        if int(there.sum()) < _planned_at(level, plan) and below.any():
            return Resume(int(best_of(history, below, level, 1)[0]), level)
    return None


def _planned_at(level: int, plan: Sequence[PlannedRung]) -> int:
    """Return how many trials of all brackets are to train so many epochs, or more."""
    above = [rung for rung in plan if rung.epochs >= level]
    lowest = {rung.bracket: rung.trials for rung in sorted(above, key=lambda r: -r.epochs)}
    return sum(lowest.values())


def first_paused(numbers: IntArray, paused: Mask, history: History, above: int) -> int | None:
    """Return the first of some trials that is paused below a rung, None if there is none."""
    epochs = history.epochs
    return next((int(n) for n in numbers if paused[n] and epochs[n] < above), None)
