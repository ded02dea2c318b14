"""Try every point of a finite space before any point twice, and stop when all were tried."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.random import Random
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History
from kt_extras.search.sampler import Sampler, SpaceExhausted
from kt_extras.search.space import Space

_DRAWS = 100  # at random, where there are too many points to list


@dataclass(frozen=True)
class Exhaustive:
    """Where `inner` repeats a point, pick at random one that was never tried.

    A finite space of up to `limit` points gets each of them exactly once, in the order that
    `inner` likes as long as it has ideas.  In a larger or continuous space a repeated point is
    replaced by a random new one.  Trials that run, were pruned or failed count as tried.

    Around `Distinct` the inner sampler has more than one chance: `Exhaustive(Distinct(TPE()))`.

    Args:
        inner: The sampler to ask first.
        limit: The most points that are listed, at least 1; 10,000 take some 50 ms, once.

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
        check_integer("limit", self.limit, minimum=1)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return a point that was never tried.

        Raises:
            SpaceExhausted: There is none.
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


@lru_cache(maxsize=8)
def _list_points(space: Space, limit: int) -> tuple[tuple[Point, ...], bool]:
    """Return the first `limit` points, and whether they are all.

    The points are counted, not `space.size`, which overrates a conditional space.  A dimension
    that alone has more values than `limit` is not worth listing.
    """
    if max((dimension.size for dimension in space.dimensions), default=0) > limit:
        return (), False
    points = tuple(islice(space.points(), limit + 1))
    return points[:limit], len(points) <= limit
