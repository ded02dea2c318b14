"""Pictures of hyperparameters: which matter, and which values were good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kt_extras.analysis.search_data import data_of
from kt_extras.arguments import check_integer, counted
from kt_extras.plots import data as columns_of
from kt_extras.plots.data.columns import Columns, chosen_names, objective_of, runs
from kt_extras.plots.data.scales import scale_of
from kt_extras.plots.points import draw_states, none_scored, scored, spread
from kt_extras.plots.style import (
    BLUE,
    COLORMAP,
    GREY,
    MANY,
    PANELS,
    SIZE,
    axes_for,
    empty,
    figure_for,
    limits,
    small_axes,
    text,
    titled,
)
from kt_extras.plots.ticks import set_axis

if TYPE_CHECKING:
    from kt_extras.analysis.importance import Method


def importance(
    search: Any,
    *,
    objective: str | None = None,
    method: Method = "ped_anova",
    top: int = 20,
    ax: Any = None,
) -> Any:
    """Draw how much each hyperparameter matters, as fractions of 1.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        objective: Name of an objective, to look at it alone.  Defaults to None: all of them, as
            the search compares trials.
        method: `"ped_anova"`: what the best trials have in common; or `"fanova"`: what changes the
            rank of a trial on average, good or bad.  Defaults to `"ped_anova"`.
        top: How many hyperparameters, the most important ones, from 1.  Defaults to 20.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.

    Raises:
        ValueError: There is no such objective or method, or `top` is too small.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    check_integer("top", top, minimum=1)
    data = data_of(search)
    table = columns_of.importance(data, objective=objective, method=method)
    height = max(2.0, 1.2 + 0.32 * len(table["hyperparameter"][:top]))
    goals = [objective] if objective is not None else [o.name for o in data.objectives]
    return draw_importance(axes_for(ax, (SIZE[0], height)), table, goals, top)


def draw_importance(ax: Any, table: Columns, goals: Sequence[str], top: int = 20) -> Any:
    """Draw the columns of `kt_extras.plots.data.importance`, for the objectives `goals`."""
    names, shares = table["hyperparameter"][:top], table["importance"][:top]
    title = f"Importance for {' and '.join(map(text, goals))}"
    if not names:
        return empty(ax, title, "Too few trials have a score, or all are alike.")
    small_axes(ax)
    places = range(len(names))
    ax.barh(places, shares, color=BLUE, height=0.7)
    ax.set_yticks(places, labels=[text(name, 28) for name in names])
    ax.grid(visible=False, axis="y")
    ax.invert_yaxis()
    for place, share in zip(places, shares, strict=True):
        ax.annotate(f"{share:.2f}", (share, place), (3, 0), textcoords="offset points", va="center")
    ax.set(xlim=(0, max(shares) * 1.15 or 1.0), xlabel="importance (all together 1)")
    left_out = len(table["hyperparameter"]) - len(names)
    titled(ax, title, f"{left_out} others, less important, left out" if left_out else "")
    return ax


def slice(
    search: Any,
    names: Sequence[str] | None = None,
    *,
    objective: str | None = None,
    figure: Any = None,
) -> Any:
    """Draw the scores against the values of each hyperparameter.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        names: Hyperparameters.  Defaults to None: the first twelve that have more than one value.
        objective: Name of one of the objectives.  Defaults to None: the first.
        figure: The `matplotlib.figure.Figure` to draw on.  Defaults to None: a new one.

    Returns:
        The `matplotlib.figure.Figure`, with a panel for each hyperparameter.  Trials in which it
        was inactive are left out and counted above its panel.

    Raises:
        ValueError: There is no such hyperparameter or objective.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    data = data_of(search)
    target = objective_of(data, objective)
    table = columns_of.slice(data, names, objective=target.name)
    asked = chosen_names(data, names)
    parts = runs(table, "hyperparameter")
    shown = [name for name in asked if name in parts][: PANELS if names is None else None]
    across = min(3, max(1, len(shown)))
    down = math.ceil(len(shown) / across) or 1
    figure = figure_for(figure, (max(SIZE[0], 3.1 * across), 2.6 * down + 0.6))
    if not shown:
        why = "None of these hyperparameters was active in a trial with a score."
        why = why if scored(data, target.name) else none_scored(data)
        why = why if asked else "No hyperparameter was searched."
        empty(figure.add_subplot(), f"Slices of {text(data.name)}", why)
        return figure
    panels = figure.subplots(down, across, sharey=True, squeeze=False).flat
    low, high, beyond = limits(table["score"], target.sign)
    known = scored(data, target.name)
    entries: dict[str, Any] = {}
    for i, (name, ax) in enumerate(zip(shown, panels, strict=False)):
        part = parts[name]
        scale = scale_of(data, name, part["value"])
        small_axes(ax)
        handles, states = draw_states(ax, spread(scale, part["value"]), part["score"], part)
        entries |= {s.partition(" (")[0]: h for s, h in zip(states, handles, strict=True)}
        set_axis(ax, "x", scale)
        ax.set_ylim(low, high)
        if i % across == 0:
            ax.set_ylabel(text(target.name))
        inactive = known - len(part["trial"])
        if inactive:
            ax.set_title(
                f"inactive in {inactive} trials", fontsize="small", color=GREY, loc="right"
            )
    for ax in panels:
        ax.set_axis_off()
    title = f"Slices of {text(data.name)}"
    left_out = len(asked) - len(shown)
    title += f"; {counted(left_out, 'hyperparameter')} left out" if left_out else ""
    title += f"; {beyond} points beyond the edge" if beyond else ""
    figure.suptitle(title, fontsize="medium", x=0.01, ha="left")
    style = {"loc": "outside lower left", "frameon": False, "fontsize": "small"}
    figure.legend(list(entries.values()), list(entries), ncols=min(4, len(entries)), **style)
    return figure


def contour(search: Any, x: str, y: str, *, objective: str | None = None, ax: Any = None) -> Any:
    """Draw the scores against two hyperparameters, with a smooth surface between the trials.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        x: A hyperparameter.
        y: Another one.
        objective: Name of one of the objectives.  Defaults to None: the first.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.  Where no trial is near there is no colour.

    Raises:
        ValueError: There is no such hyperparameter or objective, or both are the same.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    data = data_of(search)
    target = objective_of(data, objective)
    table = columns_of.contour(data, x, y, objective=target.name)
    ax, title = axes_for(ax), f"{text(target.name)} of {text(data.name)}"
    inactive = scored(data, target.name) - len(table["trial"])
    if not table["trial"]:
        why = "In no trial with a score were both hyperparameters active."
        return empty(ax, title, why if inactive else none_scored(data))
    across, up = scale_of(data, x, table["x"]), scale_of(data, y, table["y"])
    mesh = columns_of.surface(data, x, y, objective=target.name)
    xs, ys = _distinct(mesh["x"]), _distinct(mesh["y"])
    heights = np.array([np.nan if v is None else v for v in mesh["score"]], dtype=float)
    low, high = np.nanmin(heights), np.nanmax(heights)
    colors = COLORMAP if target.direction == "max" else "viridis"
    shading = {"shading": "nearest", "rasterized": True, "zorder": 1}
    drawn = ax.pcolormesh(
        across.places(xs),
        up.places(ys),
        heights.reshape(len(ys), len(xs)),
        cmap=colors,
        vmin=low,
        vmax=high,
        **shading,
    )
    many = len(table["trial"]) > MANY
    style = {"s": 5 if many else 16, "edgecolors": "white", "linewidths": 0.3 if many else 0.6}
    where = spread(across, table["x"]), spread(up, table["y"])
    ax.scatter(*where, c=table["score"], cmap=colors, vmin=low, vmax=high, **style, rasterized=many)
    set_axis(ax, "x", across)
    set_axis(ax, "y", up)
    ax.figure.colorbar(drawn, ax=ax, pad=0.02).set_label(text(target.name))
    note = f"left out: {inactive} trials in which one of them was inactive" if inactive else ""
    titled(ax, title, note)
    return ax


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Return values without repetitions; True and 1 are two."""
    return list({(type(value), value): value for value in values}.values())
