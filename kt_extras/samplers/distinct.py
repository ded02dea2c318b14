"""Ask a sampler again while it suggests points that were already tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer, check_protocol
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History
from kt_extras.search.sampler import Sampler
from kt_extras.search.space import Space


@dataclass(frozen=True)
class Distinct:
    """Ask `inner` again while the point that it suggests was already tried.

    If all suggestions were tried, the last of them is returned; `Exhaustive` always returns a new
    point if there is one.  A sampler that does not use its generator makes the same suggestion at
    every attempt.

    Args:
        inner: Sampler to ask.
        attempts: Largest number of suggestions that `inner` is asked for, at least 1. Defaults
            to 10.

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
        check_protocol("inner", self.inner, Sampler, "suggest")
        check_integer("attempts", self.attempts, minimum=1)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the first new point in `attempts` suggestions, or the last of them."""
        point = self.inner.suggest(history, space, rng)
        for _ in range(self.attempts - 1):
            if not history.tried(point):
                break
            point = self.inner.suggest(history, space, rng)
        return point
