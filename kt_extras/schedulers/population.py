"""Population based training (Jaderberg et al., arXiv 1711.09846, algorithm 1).

Exploit is truncation selection, as in their section 4.1.1 and appendix A.  Explore is perturbation,
as there, or the choice of a model, which is in `kt_extras.schedulers.population_bandit`.  Members
are compared at the same epoch, and a member takes over the state of another at that epoch.  So the
comparison does not depend on the speed of workers, and the hyperparameter schedule of the best
member can be replayed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer, is_number, names_in
from kt_extras.arrays import IntArray
from kt_extras.schedulers.population_bandit import chosen
from kt_extras.schedulers.rungs import NEVER, loss_at
from kt_extras.schedulers.scheduler import PlannedRung, Resume, Start, Step
from kt_extras.search import History, Point, Space, State
from kt_extras.search.dimensions import Choice, Dimension, Float, Int, Value

_EXPLORE = ("perturb", "pb2")
_RESAMPLE, _FACTORS = 0.25, (0.8, 1.2)  # as usual
_EPSILON = 1e-9  # step on the unit cube beyond the edge of a cell


@dataclass(frozen=True)
class Population:
    """Trains a population whose worst members take over the states of its best ones.

    Args:
        population_size: Number of members, at least 2.
        max_epochs: Number of epochs that every member trains, at least 2.
        interval: Number of epochs from one comparison to the next, below `max_epochs`. Defaults
            to 1.
        quantile: Fraction of the members that counts as the best, and as the worst, in (0, 0.5].
            Defaults to 0.25.
        resample_probability: Probability that a hyperparameter is drawn again rather than
            perturbed, in [0, 1]. Defaults to 0.25.
        perturbation_factors: Two factors by which a value may be multiplied, one below 1, then one
            above. Defaults to (0.8, 1.2).
        mutable: Names of the hyperparameters that may change during training, None for all.
            Defaults to None.
        explore: How a member that has taken over changes its hyperparameters: `"perturb"`, each
            drawn again or perturbed; `"pb2"`, all chosen by a Gaussian process (PB2,
            Parker-Holder et al., NeurIPS 2020). Defaults to `"perturb"`.

    Raises:
        ValueError: An argument is out of its range, or one of `"perturb"` is given with `"pb2"`.

    >>> Population(population_size=8, max_epochs=20, interval=2).plan(None)[0]
    PlannedRung(bracket=0, epochs=2, trials=8, new_epochs=16)
    """

    population_size: int
    max_epochs: int
    interval: int = 1
    quantile: float = 0.25
    resample_probability: float = _RESAMPLE
    perturbation_factors: tuple[float, float] = _FACTORS
    mutable: Collection[str] | None = None
    explore: str = "perturb"
    resumes = True
    revives = True

    def __post_init__(self) -> None:
        check_integer("population_size", self.population_size, minimum=2)
        check_integer("max_epochs", self.max_epochs, minimum=1)
        check_integer("interval", self.interval, minimum=1)
        if self.interval >= self.max_epochs:
            raise ValueError(
                "`interval` must be below `max_epochs`, or members are never compared, got "
                f"{self.interval} and {self.max_epochs}."
            )
        if not (is_number(self.quantile) and 0 < self.quantile <= 0.5):
            raise ValueError(
                f"`quantile` must be in (0, 0.5], got {self.quantile!r}; 0.25 is usual."
            )
        if not (is_number(self.resample_probability) and 0 <= self.resample_probability <= 1):
            raise ValueError(
                f"`resample_probability` must be in [0, 1], got {self.resample_probability!r}; "
                "0.25 is usual."
            )
        if not _are_factors(self.perturbation_factors):
            raise ValueError(
                "`perturbation_factors` must be two numbers, one in (0, 1) and one above 1, got "
                f"{self.perturbation_factors!r}; (0.8, 1.2) is usual."
            )
        names_in("mutable", self.mutable)
        self._check_explore()

    def _check_explore(self) -> None:
        if self.explore not in _EXPLORE:
            raise ValueError(f"`explore` must be 'perturb' or 'pb2', got {self.explore!r}.")
        given = (self.resample_probability, tuple(self.perturbation_factors))
        if self.explore == "pb2" and given != (_RESAMPLE, _FACTORS):
            raise ValueError(
                "`resample_probability` and `perturbation_factors` must be left out with "
                f"`explore='pb2'`, got {self.resample_probability!r} and "
                f"{self.perturbation_factors!r}; a model chooses the values."
            )

    def next_step(self, history: History, *, seed: int, may_start: bool) -> Step | None:
        """Start the members, then resume the paused one with the fewest epochs."""
        epochs, states = history.epochs, history.states
        lost_early = (states == State.INFEASIBLE) & (epochs < self.interval)
        if may_start and len(history) - int(lost_early.sum()) < self.population_size:
            return Start(min(self.interval, self.max_epochs))
        paused = np.flatnonzero(states == State.PAUSED)
        if not len(paused):
            return None
        number = int(paused[np.argmin(epochs[paused])])
        return self._continuation(history, number, seed)

    def goes_on(self, history: History, number: int, *, seed: int, may_start: bool) -> int:
        """Return no more epochs: every member pauses for the others to reach its epoch."""
        return int(history.epochs[number])

    def needed(self, history: History, *, max_trials: int | None) -> IntArray:
        """Return for all members the last comparison that the slowest member has reached."""
        unfinished = (history.states == State.PAUSED) | (history.states == State.RUNNING)
        needed = np.full(len(history), NEVER)
        if unfinished.any():
            behind = int(history.epochs[unfinished].min())
            needed[history.states != State.INFEASIBLE] = behind - behind % self.interval
        return needed

    def plan(self, max_trials: int | None) -> Sequence[PlannedRung]:
        """Return one rung for each comparison and one for the end of training."""
        ends = [*range(self.interval, self.max_epochs, self.interval), self.max_epochs]
        size = self.population_size
        size, before = size if max_trials is None else min(size, max_trials), [0, *ends]
        return [
            PlannedRung(0, end, size, size * (end - begin))
            for begin, end in zip(before, ends, strict=False)
        ]

    def _continuation(self, history: History, number: int, seed: int) -> Resume:
        """Resume a member, from the state and point of a better one if it is among the worst."""
        epoch = int(history.epochs[number])
        until = min(epoch + self.interval, self.max_epochs)
        rng = np.random.default_rng([seed, number, epoch])
        parent = self._parent(history, number, epoch, rng)
        if parent is None:
            return Resume(number, until)
        if self.explore == "pb2":
            point = chosen(
                history,
                parent,
                epoch,
                interval=self.interval,
                best=self.quantile,
                mutable=self.mutable,
                rng=rng,
            )
        else:
            point = self.explored(history.point_at(parent, epoch), history.space, rng)
        return Resume(number, until, parent, point)

    def _parent(
        self, history: History, number: int, epoch: int, rng: np.random.Generator
    ) -> int | None:
        """Return a random one of the best members for one of the worst, None for others."""
        rivals = np.flatnonzero((history.epochs >= epoch) & (history.states != State.INFEASIBLE))
        size = min(math.ceil(len(rivals) * self.quantile), len(rivals) // 2)
        losses = np.array([loss_at(history, rival, epoch) for rival in rivals.tolist()])
        order = rivals[np.argsort(losses, kind="stable")]
        if not size or number not in order[-size:]:
            return None
        best = [int(rival) for rival in order[:size] if math.isfinite(losses[rivals == rival][0])]
        return int(rng.choice(best)) if best else None

    def explored(self, point: Point, space: Space, rng: np.random.Generator) -> Point:
        """Return a point with its mutable hyperparameters drawn again or perturbed.

        A hyperparameter that becomes active is drawn, as is one whose value is not possible after
        the change: sibling scopes may have different ranges for one name.

        Args:
            point: Point of the parent.
            space: Search space.
            rng: Generator of all draws.
        """
        values = dict(point)
        for dimension in space.active(point):
            value = values.get(dimension.name)
            known = dimension.contains(value)  # one discovered later, or removed, is drawn below
            if known and (self.mutable is None or dimension.name in self.mutable):
                values[dimension.name] = self._changed(dimension, value, rng)
        place, draws = space.encode(values), rng.random(len(space))
        return space.decode(np.where(np.isnan(place), draws, place))

    def _changed(self, dimension: Dimension, value: Value, rng: np.random.Generator) -> Value:
        if rng.random() < self.resample_probability:
            return dimension.from_unit(float(rng.random()))
        factor = float(rng.choice(self.perturbation_factors))
        return perturbed(dimension, value, factor)


def _are_factors(given: object) -> bool:
    """Return whether this is a pair of finite numbers, one in (0, 1) and one above 1."""
    if not isinstance(given, (tuple, list)) or len(given) != 2 or not all(map(is_number, given)):
        return False
    return bool(0 < given[0] < 1 < given[1] < math.inf)


def perturbed(dimension: Dimension, value: Value, factor: float) -> Value:
    """Return a value multiplied by a factor, in the range and on the grid of its dimension.

    If the product is rounded to the same value of a grid, and for a choice, the result is the next
    value for a factor above 1 and the one before otherwise.

    Args:
        dimension: Dimension of the value.
        value: Value to perturb.
        factor: Factor, above 0.

    >>> from kt_extras.search import Float, Int
    >>> perturbed(Float("rate", 1e-4, 1e-1, sampling="log"), 0.01, 1.2), perturbed(
    ...     Float("rate", 1e-4, 1e-1, sampling="log"), 0.09, 1.2), perturbed(Int("n", 1, 9), 3, 0.8)
    (0.012, 0.1, 2)
    """
    if isinstance(dimension, Choice):
        place = dimension.options.index(value) + (1 if factor > 1 else -1)
        return dimension.options[min(max(place, 0), len(dimension.options) - 1)]
    moved = dimension.from_unit(dimension.to_unit(_scaled(dimension, value, factor)))
    if moved != value or math.isinf(dimension.size):
        return moved
    lower, upper = dimension.cells(np.array([dimension.to_unit(value)]))
    beyond = float(upper[0]) + _EPSILON if factor > 1 else float(lower[0]) - _EPSILON
    return dimension.from_unit(min(max(beyond, 0.0), 1.0))


def _scaled(dimension: Float | Int, value: Value, factor: float) -> float:
    """Return the multiplied value; with `"reverse_log"`, the distance from the end is divided."""
    if dimension.sampling == "reverse_log":
        ends = dimension.low + dimension.high
        return float(ends - (ends - value) / factor)
    return float(value * factor)
