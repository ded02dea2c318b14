"""What a search algorithm is: a pure function from the past to the next point."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History
from kt_extras.search.space import Space


class SpaceExhausted(Exception):  # noqa: N818 - not an error: the search is simply done
    """Raised by a sampler when every point of a finite space has been tried."""


@runtime_checkable
class Sampler(Protocol):
    """Proposes the next point.

    A sampler keeps no state between calls: what it needs of the past is in the history, and all
    its randomness is in the generator.  So a resumed search goes on as if it had never stopped.
    """

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the values of the active hyperparameters of the next trial.

        Args:
            history: All trials so far, running ones included; not to be changed.
            space: The search space; `history` lives in it.
            rng: The generator of this trial alone.

        Raises:
            SpaceExhausted: Nothing is left to try.
        """


@runtime_checkable
class Forecaster(Protocol):
    """Predicts how trials would end; a sampler that has a model of them may be one as well."""

    def forecast(self, history: History, rng: np.random.Generator) -> FloatArray | None:
        """Return what trials are expected to come to by the end of training.

        Args:
            history: All trials so far; not to be changed.
            rng: What else it depends on.

        Returns:
            Shape ``(n,)``, one a trial, lower is better, on any scale; None if it is too early.
        """


def trial_rng(seed: int, trial_number: int) -> np.random.Generator:
    """Return the generator that belongs to one trial, the same before and after a resume."""
    return np.random.default_rng([seed, trial_number])
