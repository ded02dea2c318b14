"""What is good where there are several objectives, for the tree-structured Parzen estimator.

Trials are good by their front.  Of the front that does not fit as a whole, those are good that
together have a large hypervolume, and the more a good trial adds to the hypervolume of the good
ones, the larger is its weight (Ozaki, Tanigaki, Watanabe, Nomura, Onishi: Multiobjective
tree-structured Parzen estimator, JAIR 73, 2022).

Losses are scaled to [0, 1] over the trials that are compared, and the reference point is a tenth of
that range beyond the worst of them, so that the ends of a front count, too.
"""

from __future__ import annotations

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.search.pareto import (
    hypervolume_contributions,
    hypervolume_subset,
    non_dominated_fronts,
)

_BEYOND = 0.1  # how far the reference point is away from the worst losses
_LEAST = 0.1  # weight of a good trial that adds nothing; the largest is 1


def merits(losses: FloatArray, violations: FloatArray, n_good: int) -> FloatArray:
    """Return numbers by which the good trials come first.

    Args:
        losses: Shape ``(n, m)``, finite.
        violations: Shape ``(n,)``: by how much each trial violates constraints, from 0.
        n_good: How many trials are good.

    Returns:
        Shape ``(n,)``: the front, and half of one more for a trial of the front that is divided if
        it is not among the good ones.

    >>> losses = np.array([[0.0, 4.0], [1.9, 2.1], [2.0, 2.0], [4.0, 0.0], [5.0, 5.0]])
    >>> merits(losses, np.zeros(5), n_good=3).tolist()
    [0.0, 0.5, 0.0, 0.0, 1.0]
    """
    fronts = non_dominated_fronts(losses, violations)
    keys = fronts.astype(float)
    if not 0 < n_good < len(fronts):
        return keys
    divided = np.sort(fronts)[n_good - 1]
    members = np.flatnonzero(fronts == divided)
    wanted = n_good - int(np.sum(fronts < divided))
    if wanted < len(members):
        chosen = hypervolume_subset(_scaled(losses[members]), wanted, _reference(losses))
        keys[members] += 0.5
        keys[members[chosen]] -= 0.5
    return keys


def contribution_weights(losses: FloatArray, violations: FloatArray) -> FloatArray:
    """Return the weights of good trials, with the mean 1.

    They are in proportion to what the trials add to the hypervolume of their first front, though at
    least a tenth of the largest.

    Args:
        losses: Shape ``(n, m)``, finite.
        violations: Shape ``(n,)``.

    Returns:
        Shape ``(n,)``.

    >>> losses = np.array([[0.0, 4.0], [1.0, 1.0], [4.0, 0.0], [4.0, 4.0]])
    >>> contribution_weights(losses, np.zeros(4)).round(1).tolist()
    [0.3, 3.1, 0.3, 0.3]
    """
    first = non_dominated_fronts(losses, violations) == 0
    added = np.zeros(len(losses))
    added[first] = hypervolume_contributions(_scaled(losses)[first], _reference(losses))
    highest = added.max(initial=0.0)
    shares = np.maximum(added / highest if highest > 0 else added, _LEAST)
    return np.asarray(shares * (len(shares) / shares.sum())) if len(shares) else shares


def _scaled(losses: FloatArray) -> FloatArray:
    """Return each loss divided by its range."""
    if not len(losses):
        return losses
    low, high = losses.min(axis=0), losses.max(axis=0)
    return np.asarray((losses - low) / np.where(high > low, high - low, 1.0))


def _reference(losses: FloatArray) -> FloatArray:
    return np.full(losses.shape[1], 1.0 + _BEYOND)
