"""NSGA-II (Deb, Pratap, Agarwal, Meyarivan, IEEE Trans. Evolutionary Computation 6(2), 2002).

Notation: N is `population_size`.  Trials are compared by their front, then by the crowding distance
within it (the crowded comparison, section III-B), with feasible trials before infeasible ones
(constraint domination, section VI).

Differences from the paper, and why:

- There are no generations.  The population is the best N of all trials so far, which is what
  elitism over parents and children comes to; so trials may run and end at any time, and nothing
  but the history is needed.
- Hyperparameters are of all kinds and may depend on each other.  Crossover is uniform, with a
  choice and what depends on it from one parent, and a mutation steps along a number or takes
  another option; both are those of `Evolution`.
- N is 10, not 100, as a search has about a hundred trials and not 25,000.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kt_extras.arguments import check_integer, check_protocol, is_finite, is_number
from kt_extras.arrays import FloatArray, IntArray
from kt_extras.samplers.mutation import cross, vary
from kt_extras.samplers.random import Random
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.sampler import Sampler
from kt_extras.search.space import Space

_SCALES = (0.03, 0.3)  # standard deviations of the steps of a number, on the unit interval
_RETRIES = 8  # children, until one was not tried


@dataclass(frozen=True)
class NSGA2:
    """Suggest children of trials that no other one beats in all objectives, and spread them out.

    With one objective the population are the best trials.  Running and failed trials are ignored; a
    pruned or paused trial competes with its best epoch.

    Args:
        population_size: Number of trials that may be parents, the best so far. As many trials at
            the start come from `startup_sampler`. At least 2. Defaults to 10.
        crossover_probability: Probability of a second parent, in [0, 1]. Defaults to 0.9.
        mutations: Expected number of hyperparameters that a mutation changes, at least 1. Defaults
            to 1.5.
        startup_sampler: Sampler of the first trials. Defaults to `Random()`.

    Raises:
        ValueError: An argument is out of its range.

    >>> from kt_extras.search import Float, Space, History, trial_rng
    >>> from kt_extras.search.outcome import Goals, Target
    >>> space = Space([Float("x", -1, 1), Float("y", 0, 1)])
    >>> history = History(space, goals=Goals((Target("left", "min"), Target("right", "min"))))
    >>> for number in range(80):
    ...     point = NSGA2().suggest(history.ranked(), space, trial_rng(0, number))
    ...     x, y = point["x"], point["y"]
    ...     outcome = np.array([(x + 0.5) ** 2 + y, (x - 0.5) ** 2 + y, 0.0])
    ...     history.finish(history.start(point), State.COMPLETED, outcome[0], outcome)
    >>> bool(np.median([point["y"] for point in history.points[40:]]) < 0.1)
    True
    """

    population_size: int = 10
    crossover_probability: float = 0.9
    mutations: float = 1.5
    startup_sampler: Sampler = field(default_factory=Random)

    def __post_init__(self) -> None:
        check_integer("population_size", self.population_size, minimum=2, hint="10 is usual")
        crossover = self.crossover_probability
        if not (is_number(crossover) and 0 <= crossover <= 1):
            raise ValueError(
                f"`crossover_probability` must lie between 0 and 1, got {crossover!r}; with 0 "
                "every child has one parent."
            )
        if not (is_finite(self.mutations) and self.mutations >= 1):
            raise ValueError(
                f"`mutations` must be finite and at least 1, got {self.mutations!r}; fewer would "
                "repeat the point of the parent."
            )
        check_protocol("startup_sampler", self.startup_sampler, Sampler, "suggest")

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return a child of two members or one, at the start a point of `startup_sampler`."""
        ranks = _ranks(history)
        members = np.argsort(ranks, kind="stable")[: self.population_size]
        members = members[np.isfinite(ranks[members])]
        if len(history) < self.population_size or not len(members):
            return self.startup_sampler.suggest(history, space, rng)
        for _ in range(_RETRIES):
            point = space.decode(self._child(history, space, members, ranks, rng))
            if not history.tried(point):
                break
        return point

    def _child(
        self,
        history: History,
        space: Space,
        members: IntArray,
        ranks: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        genome = history.unit[_winner(members, ranks, rng)]
        if rng.random() < self.crossover_probability:
            genome = cross(genome, history.unit[_winner(members, ranks, rng)], rng)
        return vary(genome, space, rng, mutations=self.mutations, scales=_SCALES)


def _ranks(history: History) -> FloatArray:
    """Return the place of each trial by the crowded comparison, `inf` for those without losses.

    With several objectives these are the losses of the history (`History.ranked`).
    """
    ended = (history.states != State.RUNNING) & (history.states != State.INFEASIBLE)
    return np.where(ended, history.losses, np.inf)


def _winner(members: IntArray, ranks: FloatArray, rng: np.random.Generator) -> int:
    """Return the winner of a binary tournament, the first of the two in a tie."""
    first, second = rng.choice(members, size=2)
    return int(second if ranks[second] < ranks[first] else first)
