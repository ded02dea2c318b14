"""The order of the trials of a search by what it is searched for."""

from __future__ import annotations

import numpy as np

from kt_extras.analysis.search_data import SearchData, TrialData
from kt_extras.search.pareto import non_dominated_fronts


def best_first(search: SearchData) -> list[TrialData]:
    """Return all trials that have a score, the best first.

    Of several objectives these are the trials of the first front, a knee of it first, then those
    of the next ones.  Trials that violate constraints come last.
    """
    trials = [trial for trial in search.trials if trial.score is not None]
    goals = search.goals
    if goals is None:
        sign = search.objective.sign
        return sorted(trials, key=lambda trial: sign * (trial.score or 0.0))
    if not trials:
        return []
    outcomes = np.array([goals.outcome(trial.metrics) for trial in trials])
    return [trials[place] for place in goals.places(outcomes)]


def pareto_front(search: SearchData) -> list[TrialData]:
    """Return the trials that no other one dominates, by the value of the first objective.

    Those that violate constraints are left out, unless all do.  With one objective it is the best
    trial, and each one that is as good.
    """
    losses, violations = search.losses, search.total_violations
    known = np.flatnonzero(np.isfinite(losses).all(axis=1))
    if not len(known):
        return []
    losses, violations = losses[known], violations[known]
    trials = [search.scored[place] for place in known]
    front = np.flatnonzero(non_dominated_fronts(losses, violations) == 0)
    return [trials[place] for place in front[np.argsort(losses[front, 0], kind="stable")]]
