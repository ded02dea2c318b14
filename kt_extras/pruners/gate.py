"""Two conditions of several pruners: when to compare, and which trials never to stop."""

from __future__ import annotations

import math

import numpy as np

from kt_extras.search.history import Curve, Curves


def is_due(curve: Curve, *, n_warmup_steps: int, interval_steps: int) -> bool:
    """Return whether a pruner may stop the trial at the epoch just reported.

    From epoch `n_warmup_steps` on, the epochs are divided into blocks of `interval_steps`; a pruner
    may stop a trial at its first report in each block.  So this works for a trial that is validated
    every third epoch, too, even if no report is at the first epoch of a block.

    Args:
        curve: Losses of the trial so far.
        n_warmup_steps: Number of epochs at the start after which a trial is never stopped.
        interval_steps: Number of epochs of a block, at least 1.

    >>> losses = np.array([3.0, 2.0, 1.0])
    >>> [is_due(Curve(losses[:n]), n_warmup_steps=1, interval_steps=2) for n in (1, 2, 3)]
    [False, True, False]
    """
    if curve.step < max(n_warmup_steps, 0) or math.isnan(curve.losses[-1]):
        return False
    earlier = np.flatnonzero(~np.isnan(curve.losses[:-1]))
    previous = int(earlier[-1]) if len(earlier) else -1
    block = (curve.step - n_warmup_steps) // interval_steps
    return (previous - n_warmup_steps) // interval_steps < block


def leads(curve: Curve, rivals: Curves) -> bool:
    """Return whether the lowest loss of a trial is at most that of all rivals.

    Where losses are ranks, the rivals count with theirs at the same epoch.

    Args:
        curve: Losses of the trial so far.
        rivals: Losses of the trials to compare it with.

    >>> leads(Curve(np.array([2.0, 0.5, 9.0])), Curves.of([[3.0, 0.5], [1.0]]))
    True
    """
    if not len(rivals) or not math.isfinite(curve.best):
        return False
    if curve.rank is None:
        return curve.best <= rivals.best
    return curve.best <= float(np.min(rivals.best_by(curve.step), initial=math.inf))
