"""Points of trials by their states, and the marks of those without a score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from kt_extras.analysis.search_data import SearchData
from kt_extras.arguments import counted
from kt_extras.plots.data.columns import Columns, objective_of, value_of
from kt_extras.plots.data.scales import Scale
from kt_extras.plots.style import LOOKS, MANY, VIOLATING, Look, handle, scatter

_UNKNOWN = Look("o", "#8C8C8C")


def draw_states(ax: Any, x: Sequence[Any], y: Sequence[Any], table: Columns) -> tuple[Any, Any]:
    """Draw the trials with a score, by state.

    Args:
        ax: The axes.
        x: Where; None for what is not drawn.
        y: Where; None for what is not drawn.
        table: The columns `state` and `feasible` of the same trials.

    Returns:
        The handles and labels of the legend.
    """
    known = [
        i for i, (a, b) in enumerate(zip(x, y, strict=True)) if a is not None and b is not None
    ]
    many = len(known) > MANY
    groups: dict[str, list[int]] = {}
    for i in known:
        name = table["state"][i] if table["feasible"][i] else "violates a constraint"
        groups.setdefault(name, []).append(i)
    order = {name: i for i, name in enumerate([*LOOKS, "violates a constraint"])}
    handles, labels = [], []
    for name in sorted(groups, key=lambda n: order.get(n, 99)):
        look = VIOLATING if name == "violates a constraint" else LOOKS.get(name, _UNKNOWN)
        where = groups[name]
        scatter(ax, [x[i] for i in where], [y[i] for i in where], look, many=many)
        handles.append(handle(look))
        labels.append(f"{name} ({len(where)})")
    return handles, labels


def draw_unscored(
    ax: Any, x: Sequence[Any], states: Sequence[str], scores: Sequence[Any]
) -> tuple[Any, Any]:
    """Mark trials without a score at the lower edge; return handles and labels."""
    groups: dict[str, list[Any]] = {}
    for at, state, score in zip(x, states, scores, strict=True):
        if score is None:
            groups.setdefault(state, []).append(at)
    handles, labels = [], []
    many = sum(map(len, groups.values())) > MANY
    for state, places in sorted(groups.items()):
        look = LOOKS.get(state, _UNKNOWN)
        where = {"transform": ax.get_xaxis_transform(), "clip_on": False}
        scatter(ax, places, np.full(len(places), 0.0), look, many=many, **where)
        handles.append(handle(look))
        labels.append(f"{state} ({len(places)})")
    return handles, labels


def none_scored(data: SearchData) -> str:
    """Return the sentence for a search of which no trial has a score."""
    if not data.trials:
        return "No trial has begun yet."
    counts = Counter(trial.state for trial in data.trials)
    states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    return f"No trial has a score yet: {counted(len(data.trials), 'trial')}, {states}."


def spread(scale: Scale, values: Sequence[Any]) -> list[float]:
    """Return places on an axis, those of options side by side instead of on top of each other."""
    places = np.array(scale.places(values))
    if scale.options is not None:
        return list((places + 0.5 * jitter(len(places))).tolist())
    if not scale.grid or len(scale.grid) < 2:
        return list(places.tolist())
    width = 0.3 / (len(scale.grid) - 1)
    return scale.values(np.array(scale.units(values)) + width * jitter(len(places)))


def jitter(count: int) -> Any:
    """Return numbers in [-0.5, 0.5] that are evenly spread in any order (golden ratio)."""
    return (np.arange(count) * 0.6180339887) % 1.0 - 0.5


def scored(data: SearchData, objective: str) -> int:
    """Return how many trials have a value of an objective."""
    target = objective_of(data, objective)
    return sum(value_of(trial, target, data) is not None for trial in data.trials)
