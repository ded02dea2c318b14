"""Regularised evolution (Real et al., AAAI 2019, arXiv 1802.01548, alg. 1).

Notation: P is `population_size`, S is `tournament_size`.  The population is the last P trials that
have ended, so the oldest member is removed, not the worst.  In a noisy search, a single low loss
that was due to chance does not stay in the population.

Differences from the paper, and why:

- Some children have two parents: with few trials, crossover combines what two trials have found.
- Real and integer hyperparameters take steps of random length; the paper has categories alone.
- P is 20 and S is P / 2, not 100 and 25: the paper trains 20,000 models, a search here has about a
  hundred trials, for which a weaker selection learns too little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from kt_extras.arguments import (
    check_integer,
    check_protocol,
    is_finite,
    is_integer,
    is_number,
)
from kt_extras.arrays import IntArray
from kt_extras.samplers.mutation import cross, vary
from kt_extras.samplers.random import Random
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.sampler import Sampler
from kt_extras.search.space import Space


@dataclass(frozen=True)
class Evolution:
    """Suggest a mutated child of the winner of a tournament among the latest trials.

    Running trials are ignored.  A pruned or paused trial competes with the loss of its best epoch.
    A failed trial is a member of the population but never wins.  In a conditional space a branch
    that is worse on average is given up; `TPE` keeps searching all branches.

    Args:
        population_size: Number of members: the latest trials that have ended. As many trials at the
            start come from `startup_sampler`. At least 2. Defaults to 20.
        tournament_size: Number of members that are drawn, with replacement, for each parent, which
            is the best of them; from 1 (no selection) to `population_size`, None for half of
            `population_size`. Defaults to None.
        crossover_probability: Probability of a second parent, in [0, 1]. Defaults to 0.5.
        mutations: Expected number of hyperparameters that a mutation changes, at least 1. Defaults
            to 1.
        scales: Smallest and largest standard deviation of the step of a number, above 0, as
            fractions of its range in its own scale. Defaults to (0.03, 0.3).
        startup_sampler: Sampler of the first trials. Defaults to `Random()`.

    Raises:
        ValueError: An argument is out of its range.

    >>> from kt_extras.search import Float, Space, History, trial_rng
    >>> space = Space([Float("x", 0, 1)])
    >>> history = History(space)
    >>> for number in range(60):
    ...     point = Evolution().suggest(history, space, trial_rng(0, number))
    ...     history.finish(history.start(point), State.COMPLETED, abs(point["x"] - 0.7))
    >>> bool(history.losses.min() < 0.02)
    True
    """

    population_size: int = 20
    tournament_size: int | None = None
    crossover_probability: float = 0.5
    mutations: float = 1.0
    scales: tuple[float, float] = (0.03, 0.3)
    startup_sampler: Sampler = field(default_factory=Random)

    def __post_init__(self) -> None:
        size, tournament = self.population_size, self.tournament_size
        check_integer("population_size", size, minimum=2, hint="20 is usual")
        if tournament is not None and not (is_integer(tournament) and 1 <= tournament <= size):
            raise ValueError(
                "`tournament_size` must be an integer between 1 and `population_size`, "
                f"{size!r}, got {tournament!r}; pass None for half of it."
            )
        crossover = self.crossover_probability
        if not (is_number(crossover) and 0 <= crossover <= 1):
            raise ValueError(
                "`crossover_probability` must lie between 0 and 1, got "
                f"{self.crossover_probability!r}; with 0 every child has one parent."
            )
        if not (is_finite(self.mutations) and self.mutations >= 1):
            raise ValueError(
                f"`mutations` must be finite and at least 1, got {self.mutations!r}; "
                "fewer would repeat the point of the parent."
            )
        if not _are_scales(self.scales):
            raise ValueError(
                "`scales` must be two numbers above 0, the smaller one first, got "
                f"{self.scales!r}; pass the same number twice for a single scale."
            )
        check_protocol("startup_sampler", self.startup_sampler, Sampler, "suggest")

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return a child of two members or one, at the start a point of `startup_sampler`."""
        members = population(history, self.population_size)
        any_finite = bool(np.isfinite(history.losses[members]).any())
        if len(history) < self.population_size or not any_finite:
            return self.startup_sampler.suggest(history, space, rng)
        genome = history.unit[self._parent(history, members, rng)]
        if rng.random() < self.crossover_probability:
            genome = cross(genome, history.unit[self._parent(history, members, rng)], rng)
        return space.decode(vary(genome, space, rng, mutations=self.mutations, scales=self.scales))

    def _parent(self, history: History, members: IntArray, rng: np.random.Generator) -> int:
        """Return the trial that wins a tournament."""
        size = self.tournament_size or self.population_size // 2
        losses = history.losses[members]
        rivals = rng.integers(len(members), size=size)
        while math.isinf(best := losses[rivals].min()):  # all drawn members failed; another has not
            rivals = rng.integers(len(members), size=size)
        return int(members[rivals[losses[rivals] == best][0]])


def _are_scales(given: object) -> bool:
    """Return whether this is a pair of numbers above 0, the smaller one first."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        return False
    return all(map(is_number, given)) and 0 < given[0] <= given[1]


def population(history: History, size: int) -> IntArray:
    """Return the numbers of the last `size` trials that have ended or are paused, oldest first.

    >>> from kt_extras.search import Float
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> for state in (State.COMPLETED, State.RUNNING, State.PRUNED, State.INFEASIBLE):
    ...     number = history.start({"x": 0.5})
    ...     if state != State.RUNNING:
    ...         history.finish(number, state, loss=1.0)
    >>> population(history, 2).tolist()
    [2, 3]
    """
    ended = np.flatnonzero(history.states != State.RUNNING)
    return ended[len(ended) - min(size, len(ended)) :]
