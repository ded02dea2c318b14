"""Functional ANOVA through a random forest (Hutter, Hoos, Leyton-Brown, ICML 2014).

The importance of a hyperparameter is the variance of its marginal, the mean prediction of the
forest over all values of the others.  Marginals are means over the same random points of the space
for every value, not the paper's exact sums over leaves: these need a box as a space, and with
conditions a space is none.  A conditional hyperparameter has its marginal over the points in which
it is active, and its variance counts as much as the share of these; what it does to be active at
all is its parent's.

The forest predicts ranks, not losses: a few diverged losses would be nearly all of the variance.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from kt_extras.arrays import FloatArray
from kt_extras.samplers.gp_columns import columns_of, masked, snapped
from kt_extras.search.dimensions import Dimension
from kt_extras.search.space import Space

_TREES = 64
_MAX_TRIALS = 2000  # from which a forest learns
_POINTS = 256  # of a mean
_VALUES = 16  # of a marginal


def variances(unit: FloatArray, ranks: FloatArray, space: Space, seed: int) -> FloatArray:
    """Return the variance of the marginal of each dimension.

    Args:
        unit: Shape ``(n, d)``: the trials on the unit cube, NaN where inactive.
        ranks: Shape ``(n,)``: what the forest predicts, finite.
        space: The space of d dimensions.
        seed: Seed of the forest and of the points.

    Returns:
        Shape ``(d,)``.
    """
    rng = np.random.default_rng(seed)
    if len(unit) > _MAX_TRIALS:
        some = np.sort(rng.choice(len(unit), _MAX_TRIALS, replace=False))
        unit, ranks = unit[some], ranks[some]
    forest = RandomForestRegressor(_TREES, max_features=0.7, random_state=seed)
    forest.fit(columns_of(unit, space), ranks)
    rows = snapped(rng.random((_POINTS, len(space))), space)
    found = np.zeros(len(space))
    for column, dimension in enumerate(space.dimensions):
        active = ~np.isnan(masked(rows, space)[:, column])
        if dimension.size > 1 and active.any():
            values = _values(dimension)
            points = np.repeat(rows[active][None], len(values), axis=0)
            points[:, :, column] = values[:, None]
            inputs = columns_of(masked(points.reshape(-1, len(space)), space), space)
            marginal = forest.predict(inputs).reshape(len(values), -1).mean(axis=1)
            found[column] = active.mean() * marginal.var()
    return found


def _values(dimension: Dimension) -> FloatArray:
    """Return coordinates that are evenly spread over the values of a dimension."""
    n = int(dimension.size) if dimension.categorical else int(min(dimension.size, _VALUES))
    lower, upper = dimension.cells((np.arange(n) + 0.5) / n)
    return 0.5 * (lower + upper)
