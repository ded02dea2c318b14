"""Regularised evolution (Real et al., AAAI 2019, arXiv 1802.01548, alg. 1).

Notation: P is `population_size`, S is `tournament_size`.  A member dies of age, not of its loss:
the population is the last P trials that have ended, so whatever survives has proved itself in its
children, and one lucky measurement does not rule a noisy search for ever.

Where we depart from the paper, and why:

- Some children have two parents; in a small budget crossover combines what two have learnt.
- Real and integer hyperparameters take steps of random length, where the paper's architectures have
  categories alone.
- P is 20 and S is P / 2, not 100 and 25: the paper trains 20,000 models, a search here has a
  hundred trials, in which a gentler choice of parents learns too little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from kt_extras.arguments import check_integer, is_integer, is_number
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

    Running trials are not waited for.  One that was pruned, or is paused, competes with the loss of
    its best epoch; one that failed takes its place in the population but never wins.  In a
    conditional space a branch that is worse on average dies out; `TPE` gives each its due.

    Args:
        population_size: The last so many trials that have ended are the population, and so many
            trials are begun by `startup_sampler`; at least 2.
        tournament_size: How many members are drawn, with replacement, for the best of them to be a
            parent, from 1 (no selection) to `population_size`; None for half of that.
        crossover_probability: How many of the children have two parents, in [0, 1].
        mutations: How many hyperparameters of a child change, on average; at least 1.
        scales: Smallest and largest standard deviation of the step of a number, as parts of its
            range in its own scale; above 0.
        startup_sampler: The sampler of the first trials.

    Raises:
        ValueError: An argument out of its range.

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
                f"{size!r}, got {tournament!r}; None takes half of it."
            )
        crossover = self.crossover_probability
        if not (is_number(crossover) and 0 <= crossover <= 1):
            raise ValueError(
                "`crossover_probability` must lie between 0 and 1, got "
                f"{self.crossover_probability!r}; 0 leaves every child with one parent."
            )
        if not (is_number(self.mutations) and self.mutations >= 1):
            raise ValueError(
                f"`mutations` must be at least 1, got {self.mutations!r}; a child that does not "
                "differ from its parent is no news."
            )
        if not _are_scales(self.scales):
            raise ValueError(
                "`scales` must be two numbers above 0, the smaller one first, got "
                f"{self.scales!r}; write the same number twice for steps of one length."
            )

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return a child of the population, or a point of `startup_sampler` before there is one."""
        members = population(history, self.population_size)
        hopeful = bool(np.isfinite(history.losses[members]).any())
        if len(history) < self.population_size or not hopeful:
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
        while math.isinf(best := losses[rivals].min()):  # all have failed; some member has not
            rivals = rng.integers(len(members), size=size)
        return int(members[rivals[losses[rivals] == best][0]])


def _are_scales(given: object) -> bool:
    """Tell whether these are two numbers above 0 in order."""
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
