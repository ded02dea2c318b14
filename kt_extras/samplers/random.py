"""Uniform random sampling on the unit cube."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import is_number
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History
from kt_extras.search.space import Space


@dataclass(frozen=True)
class Random:
    """Draw all active hyperparameters uniformly in their own scales (Bergstra & Bengio, 2012).

    >>> from kt_extras.search import Float, Space, History, trial_rng
    >>> space = Space([Float("x", 0, 1)])
    >>> 0 <= Random().suggest(History(space), space, trial_rng(0, 0))["x"] <= 1
    True
    """

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:  # noqa: ARG002
        """Return a point that depends on the space and the generator only."""
        return space.decode(rng.random(len(space)))


def check_random_fraction(value: object) -> None:
    """Raise unless the value of an argument `random_fraction` is a number in [0, 1]."""
    if not (is_number(value) and 0 <= value <= 1):  # type: ignore[operator]
        raise ValueError(
            f"`random_fraction` must be in [0, 1], got {value!r}; 0 turns random suggestions off."
        )
