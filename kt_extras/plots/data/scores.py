"""The columns of pictures of scores and of several objectives."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kt_extras.analysis.search_data import SearchData, Target, data_of
from kt_extras.arguments import is_finite
from kt_extras.arrays import FloatArray
from kt_extras.plots.data.columns import Columns, columns, objective_of, value_of
from kt_extras.search.pareto import hypervolume as volume_of
from kt_extras.search.pareto import knee, non_dominated_fronts

_ENDED = ("completed", "pruned", "infeasible", "failed")


def history(search: Any, *, objective: str | None = None) -> Columns:
    """Return the score of each trial and the best one so far.

    Args:
        search: A tuner or an oracle of kt_extras, a `kt_extras.Study`, what `kt_extras.load`
            returns, or its data.
        objective: Name of one of the objectives.  Defaults to None: the first.

    Returns:
        A row for each trial, in the columns `trial`, `state`, `score`, `feasible` and `best`.  The
        score is None without a finite one; `best` is that of the feasible trials so far.

    Raises:
        ValueError: There is no such objective.

    >>> from kt_extras.analysis.search_data import SearchData, Target, TrialData
    >>> from kt_extras.search import Space
    >>> trials = [TrialData(i, f"{i}", "completed", {}, score=s) for i, s in enumerate([3, 1, 2])]
    >>> search = SearchData("digits", Space([]), (Target("val_loss", "min"),), tuple(trials))
    >>> history(search)["best"]
    [3, 1, 1]
    """
    data = data_of(search)
    target = objective_of(data, objective)
    best: float | None = None
    rows = []
    for trial in data.trials:
        value, feasible = value_of(trial, target, data), trial.violation <= 0
        if value is not None and feasible and (best is None or _better(value, best, target)):
            best = value
        rows.append((trial.number, trial.state, value, feasible, best))
    return columns(["trial", "state", "score", "feasible", "best"], rows)


def empirical_distribution(
    searches: Any, *, objective: str | None = None, feasible: bool = True
) -> Columns:
    """Return which share of the trials has a score that is at least as good as each.

    The share is of all trials that have ended, failed ones too, so the best search is that with
    the largest share at good scores.

    Args:
        searches: A search, a list of them, or a dictionary from labels to searches.
        objective: Name of one of the objectives.  Defaults to None: the first of each search.
        feasible: Whether trials that violate a constraint count as failed.  Defaults to True.

    Returns:
        The columns `search`, `score` and `share`, the best score of each search first.

    Raises:
        TypeError: `searches` holds something else than searches.
        ValueError: There is no such objective, or the directions of the searches differ.
    """
    rows: list[tuple[str, float, float]] = []
    directions = {}
    for label, data in named(searches).items():
        target = objective_of(data, objective)
        directions[label] = target.direction
        ended = [t for t in data.trials if t.state in _ENDED or t.score is not None]
        scores = [
            value
            for t in ended
            if (value := value_of(t, target, data)) is not None
            and not (feasible and t.violation > 0)
        ]
        scores.sort(key=lambda value, sign=target.sign: value * sign)  # type: ignore[misc]
        losses = [value * target.sign for value in scores]
        # Equal scores have one share: that of all of them.
        rows += [
            (label, value, bisect_right(losses, loss) / len(ended))
            for value, loss in zip(scores, losses, strict=True)
        ]
    if len(set(directions.values())) > 1:
        raise ValueError(
            "`searches` must all minimise or all maximise what is compared, got "
            f"{directions}; name one `objective` that they share."
        )
    return columns(["search", "score", "share"], rows)


def named(searches: Any) -> dict[str, SearchData]:
    """Return the data of searches by their labels, which differ."""
    if isinstance(searches, Mapping):
        return {str(label): data_of(search) for label, search in searches.items()}
    if not isinstance(searches, (list, tuple)):
        searches = [searches]
    if not searches:
        raise ValueError("`searches` must have at least one search, got none.")
    found: dict[str, SearchData] = {}
    for data in map(data_of, searches):
        label, count = data.name, 1
        while label in found:
            count += 1
            label = f"{data.name} ({count})"
        found[label] = data
    return found


def pareto_front(search: Any, *, objectives: Sequence[str] | None = None) -> Columns:
    """Return the values of the objectives of each trial, and which trials are on the front.

    Args:
        search: A search, as for `history`.
        objectives: Names of two or three objectives.  Defaults to None: the first three at most.

    Returns:
        A row for each trial with all values, in the columns `trial`, `state`, one for each
        objective, `feasible`, `on_front` and `knee`.  The front is that of the feasible trials; the
        knee is the trial on it from which any gain costs most elsewhere.

    Raises:
        ValueError: The search has one objective only, or `objectives` does not name two or three.
    """
    data = data_of(search)
    targets = targets_of(data, objectives)
    trials = [t for t in data.trials if all(value_of(t, o, data) is not None for o in targets)]
    values = [[value_of(t, o, data) for o in targets] for t in trials]
    feasible = np.array([t.violation <= 0 for t in trials], dtype=bool)
    front, knees = np.zeros(len(trials), dtype=bool), np.zeros(len(trials), dtype=bool)
    if feasible.any():
        losses = _losses(values, targets)[feasible]
        fronts = non_dominated_fronts(losses)
        where = np.flatnonzero(feasible)
        front[where[fronts == 0]] = True
        knees[np.flatnonzero(front)[knee(losses[fronts == 0])]] = True
    rows = (
        (t.number, t.state, *found, bool(ok), bool(on), bool(best))
        for t, found, ok, on, best in zip(trials, values, feasible, front, knees, strict=True)
    )
    names = [target.name for target in targets]
    return columns(["trial", "state", *names, "feasible", "on_front", "knee"], rows)


def targets_of(data: SearchData, names: Sequence[str] | None) -> list[Target]:
    """Return two or three objectives, or raise a `ValueError`."""
    if len(data.objectives) < 2:
        raise ValueError(
            "`search` must have two objectives or more, got one with "
            f"{data.objective.name!r} alone; search with `objectives=[...]`."
        )
    if names is None:
        return list(data.objectives[:3])
    targets = [objective_of(data, name) for name in dict.fromkeys(names)]
    if isinstance(names, str) or len(targets) not in {2, 3}:
        raise ValueError(f"`objectives` must name two or three objectives, got {names!r}.")
    return targets


def hypervolume(search: Any, *, reference: Mapping[str, float] | None = None) -> Columns:
    """Return how much of the space of the objectives the trials so far dominate.

    Args:
        search: A search with several objectives, as for `history`.
        reference: A value of each objective: the volume is that between the front and this point.
            Defaults to None: the worst value of each objective among the feasible trials.

    Returns:
        A row for each trial, in the columns `trial` and `hypervolume`.

    Raises:
        ValueError: The search has one objective only, or `reference` is not a number for each.
    """
    data = data_of(search)
    if len(data.objectives) < 2:
        targets_of(data, None)
    rows: list[tuple[int, float]] = []
    losses = _feasible_losses(data)
    known = losses[~np.isnan(losses).any(axis=1)]
    if reference is not None or len(known):
        corner = _corner(data, reference, known)
        front, volume = np.empty((0, len(data.objectives))), 0.0
        inside = [bool((loss < corner).all()) for loss in losses]
        for trial, loss, counts in zip(data.trials, losses, inside, strict=True):
            # Only a trial that none so far dominates or equals changes the volume.
            if counts and not (front <= loss).all(axis=1).any():
                beside = np.maximum(front, loss)  # what it dominates together with each of them
                volume += float((corner - loss).prod() - volume_of(beside, corner))
                front = np.vstack([front[~(loss <= front).all(axis=1)], loss])
            rows.append((trial.number, volume))
    else:
        rows = [(trial.number, 0.0) for trial in data.trials]
    return columns(["trial", "hypervolume"], rows)


def reference_of(search: SearchData) -> dict[str, float]:
    """Return the worst value of each objective among the feasible trials."""
    losses = _feasible_losses(search)
    known = losses[~np.isnan(losses).any(axis=1)]
    worst = known.max(axis=0) if len(known) else np.zeros(len(search.objectives))
    return {o.name: float(w * o.sign) for o, w in zip(search.objectives, worst, strict=True)}


def _feasible_losses(data: SearchData) -> FloatArray:
    """Return the losses of each trial, NaN for one that lacks a value or violates a constraint."""
    unknown = [None] * len(data.objectives)
    values = [
        [value_of(trial, target, data) for target in data.objectives]
        if trial.violation <= 0
        else unknown
        for trial in data.trials
    ]
    return _losses(values, data.objectives)


def _corner(data: SearchData, given: Mapping[str, float] | None, known: FloatArray) -> FloatArray:
    if given is None:
        return np.asarray(known.max(axis=0))
    names = [target.name for target in data.objectives]
    if set(given) != set(names) or not all(is_finite(value) for value in given.values()):
        raise ValueError(f"`reference` must have a number for each of {names}, got {given!r}.")
    return np.array([given[target.name] * target.sign for target in data.objectives])


def _losses(values: Sequence[Sequence[Any]], targets: Sequence[Target]) -> FloatArray:
    signs = [target.sign for target in targets]
    return np.array(values, dtype=float).reshape(-1, len(targets)) * signs


def _better(value: float, other: float, target: Target) -> bool:
    return value * target.sign < other * target.sign if math.isfinite(value) else False
