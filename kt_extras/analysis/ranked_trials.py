"""The trials of a search from the best to the worst, and their points on the unit cube.

Trials that have ended are ranked, and all of them by what is known of them:

- completed trials first, by the objectives of the search, feasible ones before others;
- then those that were pruned or paused, which were worse than others after as many epochs: those
  with more epochs first, and then by the objectives;
- failed ones last, so that a value with which training fails counts as a bad one.

Trials that still run, wait, or were rejected before training are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kt_extras.analysis.search_data import SearchData, TrialData
from kt_extras.arrays import BoolArray, FloatArray
from kt_extras.search.pareto import pareto_order
from kt_extras.search.space import Space

_STOPPED = ("pruned", "paused")
_FAILED = ("infeasible", "failed")
_ENDED = ("completed", *_STOPPED, *_FAILED)


@dataclass(frozen=True)
class RankedTrials:
    """The trials of a search that have ended.

    Args:
        space: The search's, of d dimensions.
        trials: The n trials, in their order.
        unit: Shape ``(n, d)``: their points, NaN where a dimension is inactive.
        ranks: Shape ``(n,)``: how many trials are better; `inf` for a failed one.
    """

    space: Space
    trials: Sequence[TrialData]
    unit: FloatArray
    ranks: FloatArray

    def good(self, n: int) -> BoolArray:
        """Return which trials are among the best n, ties included; a failed one never is."""
        if not len(self.ranks) or n < 1:
            return np.zeros(len(self.ranks), dtype=bool)
        last = np.sort(self.ranks)[min(n, len(self.ranks)) - 1]
        return np.asarray(np.isfinite(self.ranks) & (self.ranks <= last))


def ranked_trials(search: SearchData, objective: str | None = None) -> RankedTrials:
    """Return the ranked trials of a search.

    Args:
        search: The search.
        objective: Name of one of its objectives, to rank by it alone. Defaults to None: all, by
            dominance or by their weighted sum as in the search.

    Raises:
        ValueError: The search does not have the objective.
    """
    names = [one.name for one in search.objectives]
    if objective is not None and objective not in names:
        raise ValueError(
            f"`objective` must be an objective of the search, one of {names}, got {objective!r}."
        )
    ended = [row for row, trial in enumerate(search.trials) if trial.state in _ENDED]
    trials = [search.trials[row] for row in ended]
    orders = dict(zip((t.number for t in search.scored), _orders(search, objective), strict=True))
    keys = [_key(trial, orders.get(trial.number, math.inf)) for trial in trials]
    ranks = np.full(len(trials), math.inf)
    known = np.array([math.isfinite(key[-1]) for key in keys], dtype=bool)
    if known.any():
        found = [key for key in keys if math.isfinite(key[-1])]
        _, place, counts = np.unique(found, axis=0, return_inverse=True, return_counts=True)
        ranks[known] = (np.cumsum(counts) - counts)[place.reshape(-1)]
    return RankedTrials(search.space, trials, search.unit[ended], ranks)


def _orders(search: SearchData, objective: str | None) -> FloatArray:
    """Return a number for each scored trial, lower for better ones."""
    losses, violations, goals = search.losses, search.total_violations, search.goals
    if objective is not None:
        column = [one.name for one in search.objectives].index(objective)
        return pareto_order(losses[:, [column]], violations)
    if goals is None:
        return pareto_order(losses, violations)
    return goals.order(np.column_stack([losses, violations]))


def _key(trial: TrialData, order: float) -> tuple[float, float, float]:
    if trial.state in _FAILED:
        return 2.0, 0.0, math.inf
    if trial.state in _STOPPED:
        return 1.0, -float(trial.epochs), order
    return 0.0, 0.0, order
