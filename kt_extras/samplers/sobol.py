"""A scrambled Sobol sequence over the unit cube (Sobol, 1967; scrambling of Owen, 1998).

The coordinates of inactive dimensions are drawn and ignored, so each branch of a conditional space
is covered evenly, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from kt_extras.arguments import check_integer
from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History
from kt_extras.search.space import Space

_MAX_DIMENSIONS = qmc.Sobol.MAXDIM  # as many as SciPy has direction numbers for (Joe & Kuo, 2008)


@dataclass(frozen=True)
class Sobol:
    """Suggest the points of a scrambled Sobol sequence, in order.

    The generator is not used: after k trials comes point k of the sequence, counted from 0, so a
    resumed search continues it.  The first 2**m points cover the space most evenly.

    Args:
        seed: Seed of the scrambling, at least 0; with equal seeds two searches get the same points.
            Defaults to 0.

    Raises:
        ValueError: `seed` is negative, or the space of a suggestion has over 21,201 dimensions.

    >>> from kt_extras.search import Float, Space, History, trial_rng
    >>> space = Space([Float("x", 0, 1)])
    >>> first = Sobol(seed=3).suggest(History(space), space, trial_rng(0, 0))
    >>> first == Sobol(seed=3).suggest(History(space), space, trial_rng(1, 7))
    True
    """

    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, minimum=0)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:  # noqa: ARG002
        """Return the next point of the sequence."""
        if len(space) > _MAX_DIMENSIONS:
            raise ValueError(
                f"`space` must have at most {_MAX_DIMENSIONS} dimensions for a Sobol sequence, "
                f"got {len(space)}; use `Random()` instead."
            )
        return space.decode(_point(self.seed, len(history), len(space)))


def _point(seed: int, number: int, dimensions: int) -> FloatArray:
    """Return point `number`, counted from 0, of shape ``(dimensions,)``."""
    if dimensions == 0:
        return np.empty(0)
    sequence = qmc.Sobol(dimensions, scramble=True, seed=seed)
    if number:  # SciPy fails for 0
        sequence.fast_forward(number)
    point: FloatArray = sequence.random(1)[0]
    return point
