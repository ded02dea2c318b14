"""What every trial of a search says about the loss of its point after a full training.

Losses have long upper tails, and a Gaussian process has not: how much worse than the median a loss
is says little.  So the worse half is compressed, by a logarithm, before losses are standardised.
Clipping it loses where it slopes, which a smooth function needs.
"""

from __future__ import annotations

import math

import numpy as np

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.search.history import History, State

_LARGEST = 20.0  # largest loss above the best, in units of the distance of a median one


def informative(history: History) -> tuple[IntArray, FloatArray]:
    """Return the trials that say something about the losses, and these.

    A pruned or paused trial has the loss of the completed trials that were as good as it after as
    many epochs; it is no better than the median of all if there is nothing to compare it with.  A
    trial that failed or diverged has the loss `inf`.  A running trial says nothing.

    Returns:
        The numbers of the trials and their losses, each of shape ``(n,)``.

    >>> from kt_extras.search import Float, Space
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> for losses in ((4.0, 2.0), (8.0, 6.0), (6.0,)):
    ...     number = history.start({"x": 0.5})
    ...     for step, loss in enumerate(losses):
    ...         history.report(number, step, loss)
    ...     state = State.COMPLETED if len(losses) == 2 else State.PRUNED
    ...     history.finish(number, state, losses[-1])
    >>> [column.tolist() for column in informative(history)]
    [[0, 1, 2], [2.0, 6.0, 4.0]]
    """
    states, losses = history.states, history.losses.copy()
    losses[states == State.INFEASIBLE] = math.inf
    completed = np.flatnonzero((states == State.COMPLETED) & np.isfinite(losses))
    stopped = np.flatnonzero((states == State.PRUNED) | (states == State.PAUSED))
    if len(completed):
        losses[stopped] = _as_if_completed(history, stopped, completed)
    ended = np.flatnonzero(states != State.RUNNING)
    return ended, losses[ended]


def _as_if_completed(history: History, stopped: IntArray, completed: IntArray) -> FloatArray:
    estimates = np.maximum(history.losses[stopped], np.median(history.losses[completed]))
    epochs = history.epochs
    completed = completed[epochs[completed] > 0]  # others have no curve to compare with
    final = np.sort(history.losses[completed])
    for reached in np.unique(epochs[stopped]):
        then = history.best_by(int(reached))
        others = np.sort(then[completed][epochs[completed] >= reached])
        rows = epochs[stopped] == reached
        if reached and 0 < len(others) == len(final) and np.isfinite(others).all():
            estimates[rows] = np.interp(then[stopped][rows], others, final)
    return estimates


def standardised(losses: FloatArray) -> FloatArray:
    """Return losses, the worse half compressed, with mean 0 and variance 1.

    The unit is the distance of the best loss from the median of the others that are above it.  One
    that is 1 + x above the best becomes 1 + log(1 + x); more than 20, `inf` too, counts as 20.

    >>> standardised(np.array([0.0, 1.0, 2.0, 99.0, np.inf])).round(2).tolist()
    [-1.09, -0.8, -0.52, 1.2, 1.2]
    """
    finite = 0.125 * losses[np.isfinite(losses)]  # a difference of two losses may overflow
    best = finite.min(initial=math.inf)
    others = finite[finite > best]
    if not len(others):
        return np.where(np.isfinite(losses), 0.0, 1.0 if len(finite) else 0.0)
    with np.errstate(over="ignore"):  # of a share that is too large anyway
        shares = np.minimum((0.125 * losses - best) / (np.median(others) - best), _LARGEST)
    compressed = shares + np.log1p(np.maximum(shares - 1, 0)) - np.maximum(shares - 1, 0)
    return np.asarray((compressed - compressed.mean()) / compressed.std())
