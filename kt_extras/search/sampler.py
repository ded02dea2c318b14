"""The protocol of samplers: pure functions from the history to the next point."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History
from kt_extras.search.space import Space


class SpaceExhausted(Exception):  # noqa: N818 - not an error: the search ends
    """Raised by a sampler when every point of a finite space has been tried."""


@runtime_checkable
class Sampler(Protocol):
    """Suggests the next point.

    A sampler keeps no state between calls: all that it needs of the past is in the history, and all
    random draws are from the generator.  So a search that is interrupted and resumed gets the same
    suggestions.
    """

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the values of the active hyperparameters of the next trial.

        Args:
            history: All trials so far, running ones included; must not be changed.
            space: Search space, that of `history`.
            rng: Generator for this trial alone.

        Raises:
            SpaceExhausted: All points have been tried.
        """


@runtime_checkable
class Forecaster(Protocol):
    """Predicts the losses of trials at the end of training; some samplers do that, too."""

    def forecast(self, history: History, rng: np.random.Generator) -> FloatArray | None:
        """Return predictions of the losses of all trials at the end of training.

        Args:
            history: All trials so far; must not be changed.
            rng: Generator of all draws.

        Returns:
            Shape ``(n,)``, lower is better, on any scale; None while there are too few trials.
        """


def trial_rng(seed: int, trial_number: int) -> np.random.Generator:
    """Return the generator of one trial, the same before and after a search is resumed."""
    return np.random.default_rng([seed, trial_number])
