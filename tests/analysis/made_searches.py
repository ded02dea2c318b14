"""Searches as plain data, made from a space and a loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kt_extras.analysis.search_data import SearchData, Target, TrialData
from kt_extras.search import Point, Space

MIN = (Target("val_loss", "min"),)


def trial_of(number: int, values: Point, loss: float | None, state: str = "completed") -> TrialData:
    targets = {} if loss is None else {"val_loss": loss}
    return TrialData(number, f"{number:04d}", state, values, loss, targets)


def random_search(
    space: Space, loss: Callable[[Point], float | None], n: int = 100, seed: int = 0
) -> SearchData:
    """Return a search of random points; one with the loss None has failed."""
    rng, trials = np.random.default_rng(seed), []
    for number in range(n):
        point = space.decode(rng.random(len(space)))
        found = loss(point)
        state = "infeasible" if found is None else "completed"
        trials.append(trial_of(number, point, found, state))
    return SearchData("made", space, MIN, tuple(trials))
