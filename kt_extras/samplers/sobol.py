"""A scrambled Sobol sequence over the unit cube (Sobol, 1967; scrambling of Owen, 1998).

The coordinates of inactive dimensions are drawn and dropped, so the sequence covers every branch of
a conditional space as evenly as the whole.
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

_MOST_DIMENSIONS = qmc.Sobol.MAXDIM  # SciPy has direction numbers (Joe & Kuo, 2008) for so many


@dataclass(frozen=True)
class Sobol:
    """Point number ``len(history)`` of one scrambled sequence, whatever the generator says.

    A history that is k trials long gets the point after its k-th, so a resumed search goes on in
    the same sequence.  The first 2**m points are balanced; stop there for the most even cover.

    Args:
        seed: Chooses the scrambling, at least 0; two searches with one seed get the same points.

    Raises:
        ValueError: `seed` is negative, or (when asked) the space has over 21,201 dimensions.

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
        if len(space) > _MOST_DIMENSIONS:
            raise ValueError(
                f"`space` must have at most {_MOST_DIMENSIONS} dimensions for a Sobol sequence, "
                f"got {len(space)}; use `Random()`."
            )
        return space.decode(_point(self.seed, len(history), len(space)))


def _point(seed: int, number: int, dimensions: int) -> FloatArray:
    """Return point `number`, counted from 0, of shape ``(dimensions,)``."""
    if dimensions == 0:
        return np.empty(0)
    sequence = qmc.Sobol(dimensions, scramble=True, seed=seed)
    if number:  # SciPy cannot go forward by nothing
        sequence.fast_forward(number)
    point: FloatArray = sequence.random(1)[0]
    return point
