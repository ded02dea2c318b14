"""A model of the longest training runs that there are enough of (BOHB: Falkner et al., ICML 2018).

Trials that were trained for different numbers of epochs cannot be compared; a sampler that compares
them is shown those alone that reached the largest budget with enough results, at that budget.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.samplers.random import Random, check_random_fraction
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
        n_min_trials: Number of trials that a budget needs to be informative. Defaults to two more
            than the space has dimensions.

    Raises:
        ValueError: An argument is out of its range.

    >>> from kt_extras.search import Float
    >>> space = Space([Float("x", 0, 1)])
    >>> LargestBudget().suggest(History(space), space, np.random.default_rng(0))
    {'x': 0.269786713764}
    """

    inner: Sampler = field(default_factory=TPE)
    random_fraction: float = 1 / 3
    n_min_trials: int | None = None

    def __post_init__(self) -> None:
        check_random_fraction(self.random_fraction)
        if self.n_min_trials is not None:
            hint = "None asks for two more than the space has dimensions"
            check_integer("n_min_trials", self.n_min_trials, minimum=1, hint=hint)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        at_random = bool(rng.random() < self.random_fraction)
        epochs = largest_informed(history, self.n_min_trials or len(space) + 2)
        if at_random or not epochs:
            return Random().suggest(history, space, rng)
        return self.inner.suggest(history.at(epochs), space, rng)


def largest_informed(history: History, n_min_trials: int) -> int:
    """Return the most epochs that enough trials have reached, 0 if there are none.

    Args:
        history: All trials.
        n_min_trials: Number of trials that is enough.

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
    return int(longest[n_min_trials - 1]) if len(longest) >= n_min_trials else 0
