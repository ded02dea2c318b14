"""The two questions that every rule asks first: is it my turn, and does this trial lead?"""

from __future__ import annotations

import math

import numpy as np

from kt_extras.search.history import Curve, Curves


def is_due(curve: Curve, *, n_warmup_steps: int, interval_steps: int) -> bool:
    """Tell whether the epoch just reported is one at which a rule looks.

    From epoch `n_warmup_steps` on, the epochs fall into blocks of `interval_steps`; a rule looks
    at the first report in each block.  So a trial that is validated every third epoch is still
    looked at, even if no report falls on the first epoch of a block.

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
    """Tell whether the trial is at least as good as the best that any rival ever was.

    >>> leads(Curve(np.array([2.0, 0.5, 9.0])), Curves.of([[3.0, 0.5], [1.0]]))
    True
    """
    return len(rivals) > 0 and math.isfinite(curve.best) and curve.best <= rivals.best
