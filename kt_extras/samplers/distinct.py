"""Ask a sampler again while it repeats itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History
from kt_extras.search.sampler import Sampler
from kt_extras.search.space import Space


@dataclass(frozen=True)
class Distinct:
    """Ask `inner` again while the point that it suggests was already tried.

    The last answer stands, new or not; wrap in `Exhaustive` for a promise rather than an attempt.
    A sampler that ignores its generator gives the same answer however often it is asked.

    Args:
        inner: The sampler to ask.
        attempts: How often to ask it for one point, at least 1.

    Raises:
        ValueError: `attempts` is below 1.

    >>> from kt_extras.samplers.random import Random
    >>> from kt_extras.search import Choice, trial_rng
    >>> space = Space([Choice("act", ("relu", "tanh"))])
    >>> history = History(space)
    >>> number = history.start({"act": "relu"})
    >>> Distinct(Random(), attempts=20).suggest(history, space, trial_rng(0, 1))
    {'act': 'tanh'}
    """

    inner: Sampler
    attempts: int = 10

    def __post_init__(self) -> None:
        check_integer("attempts", self.attempts, minimum=1)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the first new point in `attempts` answers, or the last of them."""
        point = self.inner.suggest(history, space, rng)
        for _ in range(self.attempts - 1):
            if not history.tried(point):
                break
            point = self.inner.suggest(history, space, rng)
        return point
