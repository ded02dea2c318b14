"""CMA-ES, the covariance matrix adaptation evolution strategy, through the library `cmaes`.

Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772; restarts with a doubled
population are those of IPOP-CMA-ES (Auger & Hansen, CEC 2005).

A sampler keeps no state between two calls, so every suggestion computes the distribution from the
history: the trials that have ended are passed to it in the order in which they began, a generation
at a time.  The library accepts points that it has not suggested itself.  So a search can be
resumed, can run on any number of workers, and can contain points of the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from kt_extras.arguments import check_integer, is_number
from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.space import Space

# Largest distance of a trial from the mean, relative to that of the last generation; a trial beyond
# is moved to there.
_REACH = 2.0
_CONVERGED = 1e-3  # width of a generation, as a fraction of each range, at which it has converged


@dataclass(frozen=True)
class CMAES:
    """Draw numbers from a normal distribution that follows the best of each generation.

    It searches all numbers jointly, `ordered` choices included, and learns how they depend on each
    other.  Unordered choices and conditional hyperparameters are drawn at random, independently;
    where these matter, `TPE` or `Evolution` are better.  It needs the extra `cmaes`.

    A grid is searched as a real axis.  A trial counts with a random coordinate in the cell of its
    value, and a draw is shifted by up to half a cell, so neighbours remain possible where the
    distribution has shrunk to less than a cell.  The time of a suggestion is proportional to the
    number of trials: some 50 ms after 1,000 of them in six dimensions.

    Args:
        population_size: Number of trials in a generation, at least 4; None for 4 + 3 ln d, where d
            is the number of numeric hyperparameters. Defaults to None.
        sigma: Initial standard deviation, as a fraction of every range, in (0, 1]. Defaults to
            1 / 6.

    Raises:
        ModuleNotFoundError: The library is not installed.
        ValueError: An argument is out of its range, or the space of a suggestion has no number
            without conditions.

    >>> from kt_extras.search import Float, Space, History, trial_rng
    >>> space = Space([Float("x", 0, 1), Float("y", 0, 1)])
    >>> history = History(space)
    >>> for number in range(90):
    ...     point = CMAES().suggest(history, space, trial_rng(0, number))
    ...     loss = (point["x"] - 0.7) ** 2 + 9 * (point["x"] - point["y"]) ** 2
    ...     history.finish(history.start(point), State.COMPLETED, loss)
    >>> bool(history.losses.min() < 0.001)
    True
    """

    population_size: int | None = None
    sigma: float = 1 / 6

    def __post_init__(self) -> None:
        if self.population_size is not None:
            hint = "None chooses it by the number of hyperparameters"
            check_integer("population_size", self.population_size, minimum=4, hint=hint)
        if not (is_number(self.sigma) and 0 < self.sigma <= 1):
            raise ValueError(
                f"`sigma` must be above 0 and at most 1, got {self.sigma!r}; a sixth of the "
                "range is usual."
            )
        _library()

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return a draw from the distribution after all trials of the history."""
        axes = _axes(space)
        unit = rng.random(len(space))
        if axes:
            # The library draws with a generator of its own.
            distribution = self._replay(_ended(history, axes), seed=int(rng.integers(2**32)))
            for axis, u in zip(axes, distribution.ask(), strict=False):
                lower, upper = space.dimensions[axis].cells(np.array([u]))
                shift = (unit[axis] - 0.5) * float(upper[0] - lower[0])  # none without a grid
                unit[axis] = min(max(u + shift, 0.0), 1.0)
        return space.decode(unit)

    def _replay(self, trials: _Trials, seed: int) -> Any:
        """Return the distribution after all whole generations; restart where one has converged."""
        mean = np.full(trials.places.shape[1], 0.5)
        reach, first = np.full(len(mean), np.inf), 0
        distribution = self._start(mean, self.population_size, seed)
        while (end := first + (size := distribution.population_size)) <= len(trials.places):
            losses = trials.losses[first:end]
            # A distant point, such as one of the user, must not inflate the step size.
            places = np.clip(trials.places[first:end], mean - reach, mean + reach)
            distribution.tell(list(zip(places, losses, strict=True)))
            mean = places[np.argsort(losses, kind="stable")[: size // 2]].mean(axis=0)
            reach = np.maximum(_REACH * np.abs(places - mean).max(axis=0), _CONVERGED)
            if np.ptp(places[:, : trials.axes], axis=0).max() < _CONVERGED:
                mean, reach = trials.anywhere[end - 1], np.full(len(mean), np.inf)
                distribution = self._start(mean, 2 * size, seed)
            first = end
        return distribution

    def _start(self, mean: FloatArray, size: int | None, seed: int) -> Any:
        bounds = np.tile([0.0, 1.0], (len(mean), 1))
        return _library().CMA(mean, self.sigma, bounds, seed=seed, population_size=size)


@dataclass(frozen=True)
class _Trials:
    """The n trials that have ended and have a value on every axis, in the order of their numbers.

    The library needs at least two axes; a single one gets a second on which no loss depends.
    """

    axes: int
    places: FloatArray  # (n, d), d at least 2
    losses: FloatArray  # (n,)
    anywhere: FloatArray  # (n, d): a random point for each


def _axes(space: Space) -> list[int]:
    """Return the columns of the space that the distribution covers."""
    free = [d for d in space.dimensions if d.size > 1]
    axes = [
        column
        for column, dimension in enumerate(space.dimensions)
        if dimension.size > 1 and not dimension.categorical and not dimension.conditions
    ]
    if free and not axes:
        raise ValueError(
            "`space` must have a number without conditions for CMA-ES, got only "
            f"{[d.name for d in free]}; use `TPE()` or `Evolution()` instead."
        )
    return axes


def _ended(history: History, axes: Sequence[int]) -> _Trials:
    # The first rows of a random matrix do not depend on how many rows follow.
    anywhere = np.random.default_rng(0).random((len(history), max(len(axes), 2)))
    places = anywhere.copy()
    for column, axis in enumerate(axes):
        lower, upper = history.space.dimensions[axis].cells(history.unit[:, axis])
        places[:, column] = lower + (upper - lower) * anywhere[:, column]
    rows = (history.states != State.RUNNING) & ~np.isnan(places).any(axis=1)
    return _Trials(len(axes), places[rows], history.losses[rows], anywhere[rows])


def _library() -> ModuleType:
    try:
        return import_module("cmaes")
    except ModuleNotFoundError as error:
        if error.name != "cmaes":  # the library is installed, but it cannot be imported
            raise
        raise ModuleNotFoundError(
            "`CMAES` needs the module `cmaes`; run `pip install kt_extras[cmaes]`.", name="cmaes"
        ) from error
