"""Try every point of a finite space once, and stop when all were tried."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np

from kt_extras.arguments import check_integer, check_protocol
from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.random import Random
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History
from kt_extras.search.sampler import Sampler, SpaceExhausted
from kt_extras.search.space import Space

_DRAWS = 100  # random points to try where there are too many to list


@dataclass(frozen=True)
class Exhaustive:
    """Replace a suggestion of `inner` that was already tried by a random one that was not.

    In a finite space of up to `limit` points every point is suggested exactly once.  In a larger or
    continuous space a repeated point is replaced by a random new one.  Running, pruned and failed
    trials count as tried.

    To ask the inner sampler several times first, wrap it: `Exhaustive(Distinct(TPE()))`.

    Args:
        inner: Sampler to ask first.
        limit: Largest number of points that are listed, at least 1; listing 10,000 takes some
            50 ms, once. Defaults to 10,000.

    Raises:
        ValueError: `limit` is below 1.

    >>> from kt_extras.samplers.random import Random
    >>> from kt_extras.search import Choice, trial_rng
    >>> space = Space([Choice("act", ("relu", "tanh"))])
    >>> history, sampler = History(space), Exhaustive(Random())
    >>> for trial in range(2):
    ...     number = history.start(sampler.suggest(history, space, trial_rng(0, trial)))
    >>> sorted(point["act"] for point in history.points)
    ['relu', 'tanh']
    """

    inner: Sampler
    limit: int = 10_000

    def __post_init__(self) -> None:
        check_protocol("inner", self.inner, Sampler, "suggest")
        check_integer("limit", self.limit, minimum=1)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return a point that was never tried.

        Raises:
            SpaceExhausted: All points have been tried.
        """
        point = self.inner.suggest(history, space, rng)
        if not history.tried(point):
            return point
        listed, whole = _list_points(space, self.limit)
        if not whole:
            point = Distinct(Random(), attempts=_DRAWS).suggest(history, space, rng)
            if not history.tried(point):
                return point
        left = [candidate for candidate in listed if not history.tried(candidate)]
        if left:
            return dict(left[rng.integers(len(left))])
        if whole:
            raise SpaceExhausted(f"All {len(listed)} points of the space have been tried.")
        return point


def innermost(sampler: Sampler) -> Sampler:
    """Return the sampler that `Exhaustive` and `Distinct` ask.

    >>> innermost(Exhaustive(Distinct(Random())))
    Random()
    """
    while isinstance(sampler, (Distinct, Exhaustive)):
        sampler = sampler.inner
    return sampler


@lru_cache(maxsize=8)
def _list_points(space: Space, limit: int) -> tuple[tuple[Point, ...], bool]:
    """Return the first `limit` points, and whether these are all points.

    The points are counted, as `space.size` is too large for a conditional space.  No points are
    listed if a single dimension has more values than `limit`.
    """
    if max((dimension.size for dimension in space.dimensions), default=0) > limit:
        return (), False
    points = tuple(islice(space.points(), limit + 1))
    return points[:limit], len(points) <= limit
