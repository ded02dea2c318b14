"""The columns of pictures of hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kt_extras.analysis.search_data import data_of
from kt_extras.arguments import check_integer
from kt_extras.arrays import FloatArray
from kt_extras.plots.data.columns import (
    Columns,
    check_name,
    chosen_names,
    columns,
    objective_of,
    searched_names,
    value_of,
)
from kt_extras.plots.data.scales import Scale, scale_of

if TYPE_CHECKING:
    from kt_extras.analysis.importance import Method

_BANDWIDTH = 0.25  # of the smoothing for one trial, where the range of a hyperparameter is 1
_FAR = 0.2  # weight of the nearest trial below which nothing is known of a place
_SEEN = 2000  # trials from which the surface is made: more would take long and change little


def importance(
    search: Any, *, objective: str | None = None, method: Method = "ped_anova"
) -> Columns:
    """Return how much each hyperparameter matters, as fractions of 1.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        objective: Name of an objective, to look at it alone.  Defaults to None: all of them, as
            the search compares trials.
        method: `"ped_anova"`: what the best trials have in common; or `"fanova"`: what changes the
            rank of a trial on average, good or bad.  Defaults to `"ped_anova"`.

    Returns:
        The columns `hyperparameter` and `importance`, the most important first; empty if nothing
        can be told, with too few trials or if all are alike.

    Raises:
        ValueError: There is no such objective or method.
    """
    from kt_extras.analysis.importance import importance as importances  # it loads SciPy

    data = data_of(search)
    if objective is not None:
        objective_of(data, objective)
    found = importances(data, objective, method)
    rows = found.items() if any(found.values()) else ()
    return columns(["hyperparameter", "importance"], rows)


def slice(
    search: Any, names: Sequence[str] | None = None, *, objective: str | None = None
) -> Columns:
    """Return the values of each hyperparameter with the score that they had.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        names: Hyperparameters.  Defaults to None: all that have more than one value.
        objective: Name of one of the objectives.  Defaults to None: the first.

    Returns:
        A row for each trial with a score and each hyperparameter that was active in it, in the
        columns `hyperparameter`, `trial`, `state`, `value`, `score` and `feasible`.

    Raises:
        ValueError: There is no such hyperparameter or objective.
    """
    data = data_of(search)
    target = objective_of(data, objective)
    scored = [(t, value_of(t, target, data)) for t in data.trials]
    rows = (
        (name, t.number, t.state, t.values[name], score, t.violation <= 0)
        for name in chosen_names(data, names)
        for t, score in scored
        if score is not None and name in t.values
    )
    return columns(["hyperparameter", "trial", "state", "value", "score", "feasible"], rows)


def contour(search: Any, x: str, y: str, *, objective: str | None = None) -> Columns:
    """Return the values of two hyperparameters with the score that they had.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        x: A hyperparameter.
        y: Another one.
        objective: Name of one of the objectives.  Defaults to None: the first.

    Returns:
        A row for each trial with a score in which both were active, in the columns `trial`,
        `state`, `x`, `y`, `score` and `feasible`.

    Raises:
        ValueError: There is no such hyperparameter or objective, or both are the same.
    """
    data = data_of(search)
    check_name("x", x, data)
    check_name("y", y, data)
    if x == y:
        raise ValueError(f"`y` must be another hyperparameter than `x`, got {x!r} twice.")
    target = objective_of(data, objective)
    rows = (
        (t.number, t.state, t.values[x], t.values[y], score, t.violation <= 0)
        for t in data.trials
        if (score := value_of(t, target, data)) is not None and x in t.values and y in t.values
    )
    return columns(["trial", "state", "x", "y", "score", "feasible"], rows)


def surface(
    search: Any, x: str, y: str, *, objective: str | None = None, resolution: int = 40
) -> Columns:
    """Return scores between the trials of `contour`, as a smooth mean of those nearby.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        x: A hyperparameter.
        y: Another one.
        objective: Name of one of the objectives.  Defaults to None: the first.
        resolution: Number of values of a numeric hyperparameter, from 2.  Defaults to 40.

    Returns:
        A row for each pair of values, in the columns `x`, `y` and `score`; the score is None where
        no trial is near.

    Raises:
        ValueError: As for `contour`, or `resolution` is too small.
    """
    check_integer("resolution", resolution, minimum=2)
    data = data_of(search)
    points = contour(data, x, y, objective=objective)
    across, up = scale_of(data, x, points["x"]), scale_of(data, y, points["y"])
    xs, ys = _grid(across, resolution), _grid(up, resolution)
    if not points["score"]:
        return columns(["x", "y", "score"], ((a, b, None) for b in ys for a in xs))
    keep = np.unique(np.linspace(0, len(points["x"]) - 1, _SEEN).astype(int))
    width = _BANDWIDTH * len(keep) ** (-1 / 6)  # Scott's rule in two dimensions
    at_x, at_y = (np.array(s.units(points[c]))[keep] for s, c in ((across, "x"), (up, "y")))
    weights = _weights(up, ys, at_y, width)[:, None] * _weights(across, xs, at_x, width)[None]
    scores = _without_extremes(np.array(points["score"], dtype=float))[keep]
    total = weights.sum(axis=2)
    mean = np.divide(weights @ scores, total, out=np.zeros_like(total), where=total > 0)
    near = weights.max(axis=2) >= _FAR
    rows = (
        (xs[j], ys[i], float(mean[i, j]) if near[i, j] else None)
        for i in range(len(ys))
        for j in range(len(xs))
    )
    return columns(["x", "y", "score"], rows)


def parallel_coordinates(
    search: Any,
    names: Sequence[str] | None = None,
    *,
    objective: str | None = None,
    top: int | None = 1000,
) -> Columns:
    """Return the values and the score of each trial.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        names: Hyperparameters.  Defaults to None: all that have more than one value.
        objective: Name of one of the objectives.  Defaults to None: the first.
        top: How many trials, those with the best scores.  Defaults to 1000; None for all.

    Returns:
        A row for each trial with a score, the best first, in the columns `trial`, `state`, `score`
        and one for each hyperparameter, with None where it was inactive.

    Raises:
        ValueError: There is no such hyperparameter or objective, or `top` is too small.
    """
    if top is not None:
        check_integer("top", top, minimum=1, hint="pass None for all trials")
    data = data_of(search)
    target = objective_of(data, objective)
    chosen = chosen_names(data, names) if names is not None else searched_names(data)
    scored = [(s, t) for t in data.trials if (s := value_of(t, target, data)) is not None]
    scored.sort(key=lambda pair: (pair[1].violation, pair[0] * target.sign))
    rows = (
        (t.number, t.state, score, *(t.values.get(name) for name in chosen))
        for score, t in scored[:top]
    )
    return columns(["trial", "state", "score", *chosen], rows)


def _grid(scale: Scale, resolution: int) -> list[Any]:
    if scale.options is not None:
        return list(scale.options)
    return scale.values(np.linspace(0, 1, resolution))


def _weights(scale: Scale, grid: Sequence[Any], units: FloatArray, width: float) -> FloatArray:
    """Return the weight of each trial at each place; options are far from each other."""
    distance = np.array(scale.units(grid))[:, None] - units[None, :]
    if scale.options is not None:
        return (np.abs(distance) < 1e-9).astype(float)
    weights: FloatArray = np.exp(-0.5 * (distance / width) ** 2)
    return weights


def _without_extremes(scores: FloatArray) -> FloatArray:
    """Return scores moved to where most of them lie, so that one does not hide all others."""
    low, high = np.quantile(scores, [0.25, 0.75])
    spread = 3 * (high - low) or math.inf
    clipped: FloatArray = np.clip(scores, low - spread, high + spread)
    return clipped
