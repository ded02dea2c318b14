"""Sampling from trials of the largest budget with enough of them (Falkner et al., ICML 2018).

The losses of trials that were trained for different numbers of epochs cannot be compared.  So the
inner sampler gets only the trials that reached one number of epochs, with their losses there: the
largest number that enough trials reached.  This is the model of BOHB.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kt_extras.arguments import check_integer, check_protocol
from kt_extras.samplers.random import Random, check_random_fraction
from kt_extras.samplers.tpe import TPE
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.sampler import Sampler
from kt_extras.search.space import Space


@dataclass(frozen=True)
class LargestBudget:
    """Pass another sampler the trials at the largest number of epochs that enough have reached.

    Args:
        inner: Sampler that suggests points. Defaults to `TPE()`.
        random_fraction: Fraction of the suggestions that are random (Falkner et al., section 4), in
            [0, 1]. Defaults to 1 / 3.
        n_min_trials: Number of trials that is enough, at least 1; None for two more than the space
            has dimensions. Defaults to None.

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
        check_protocol("inner", self.inner, Sampler, "suggest")
        check_random_fraction(self.random_fraction)
        if self.n_min_trials is not None:
            hint = "pass None for two more than the space has dimensions"
            check_integer("n_min_trials", self.n_min_trials, minimum=1, hint=hint)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        at_random = bool(rng.random() < self.random_fraction)
        epochs = largest_informed(history, self.n_min_trials or len(space) + 2)
        if at_random or not epochs:
            return Random().suggest(history, space, rng)
        return self.inner.suggest(history.at(epochs), space, rng)


def largest_informed(history: History, n_min_trials: int) -> int:
    """Return the largest number of epochs that enough trials have reached, 0 if there is none.

    Args:
        history: All trials.
        n_min_trials: Number of trials that is enough, at least 1.

    >>> from kt_extras.search import Float
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> for epochs in (1, 1, 3):
    ...     number = history.start({"x": 0.5})
    ...     for step in range(epochs):
    ...         history.report(number, step, loss=1.0)
    >>> largest_informed(history, 2), largest_informed(history, 1)
    (1, 3)
    """
    feasible = history.budgets[history.states != State.INFEASIBLE]
    longest = np.sort(feasible)[::-1]
    return int(longest[n_min_trials - 1]) if len(longest) >= n_min_trials else 0
