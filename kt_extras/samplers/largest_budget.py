"""A model of the longest training runs that there are enough of (BOHB: Falkner et al., ICML 2018).

Trials that were trained for different numbers of epochs cannot be compared; a sampler that compares
them is shown those alone that reached the largest budget with enough results, at that budget.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kt_extras.samplers.random import Random
from kt_extras.samplers.tpe import TPE
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.sampler import Sampler
from kt_extras.search.space import Space


@dataclass(frozen=True)
class LargestBudget:
    """Shows another sampler the trials at the largest budget that is informative.

    Args:
        inner: The sampler.
        random_fraction: Part of the suggestions that are random (Falkner et al., section 4), in
            [0, 1].
        least: How many trials at a budget make it informative; by default two more than the space
            has dimensions.

    Raises:
        ValueError: An argument is out of its range.

    >>> from kt_extras.search import Float
    >>> space = Space([Float("x", 0, 1)])
    >>> LargestBudget().suggest(History(space), space, np.random.default_rng(0))
    {'x': 0.269786713764}
    """

    inner: Sampler = field(default_factory=TPE)
    random_fraction: float = 1 / 3
    least: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.random_fraction <= 1:
            raise ValueError(f"`random_fraction` must be in [0, 1], got {self.random_fraction!r}.")
        if self.least is not None and self.least < 1:
            raise ValueError(f"`least` must be an integer from 1 or None, got {self.least!r}.")

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        at_random = bool(rng.random() < self.random_fraction)
        epochs = largest_informed(history, self.least or len(space) + 2)
        if at_random or not epochs:
            return Random().suggest(history, space, rng)
        return self.inner.suggest(history.at(epochs), space, rng)


def largest_informed(history: History, least: int) -> int:
    """Return the most epochs that enough trials have reached, 0 if there are none.

    Args:
        history: All trials.
        least: How many are enough.

    >>> from kt_extras.search import Float
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> for epochs in (1, 1, 3):
    ...     number = history.start({"x": 0.5})
    ...     for step in range(epochs):
    ...         history.report(number, step, loss=1.0)
    >>> largest_informed(history, 2), largest_informed(history, 1)
    (1, 3)
    """
    living = history.epochs[history.states != State.INFEASIBLE]
    longest = np.sort(living)[::-1]
    return int(longest[least - 1]) if len(longest) >= least else 0
