"""Predicts how good points are from earlier searches: a forest of regression trees for each.

Ranks take the place of losses, since those of two searches cannot be compared.  Earlier searches
are weighted by how well they order the trials of the new one, as in RGPE (Feurer et al., 2018).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from kt_extras.arrays import FloatArray

_TREES = 32
_INACTIVE = -1.0  # the coordinate of what has none


@lru_cache(maxsize=16)
def _forest(points: tuple[tuple[float, ...], ...], ranks: tuple[float, ...]) -> Any:
    """Return a forest that predicts ranks."""
    from sklearn.ensemble import ExtraTreesRegressor  # takes a second to import

    forest = ExtraTreesRegressor(_TREES, min_samples_leaf=2, random_state=0)
    return forest.fit(np.array(points), np.array(ranks))


def predicted(unit: FloatArray, ranks: FloatArray, at: FloatArray) -> FloatArray:
    """Return the ranks that trials predict for points.

    Args:
        unit: Shape ``(n, d)``: the points of the trials, NaN where inactive or unknown.
        ranks: Shape ``(n,)``: their ranks.
        at: Shape ``(m, d)``: where to predict.

    Returns:
        Shape ``(m,)``.
    """
    forest = _forest(tuple(map(tuple, _filled(unit).tolist())), tuple(ranks.tolist()))
    return np.asarray(forest.predict(_filled(at)))


def _filled(unit: FloatArray) -> FloatArray:
    return np.nan_to_num(unit, nan=_INACTIVE)
