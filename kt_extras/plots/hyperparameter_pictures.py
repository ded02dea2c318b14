"""Pictures of hyperparameters: which matter, and which values were good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kt_extras.analysis.search_data import SearchData, data_of
from kt_extras.arguments import check_integer, counted
from kt_extras.plots import data as columns_of
from kt_extras.plots.data.columns import Columns, chosen_names, objective_of
from kt_extras.plots.data.scales import Scale, scale_of
from kt_extras.plots.points import draw_states, none_scored
from kt_extras.plots.style import (
    BLUE,
    COLORMAP,
    GREY,
    MANY,
    SIZE,
    axes_for,
    empty,
    figure_for,
    legend,
    limits,
    small_axes,
    text,
    titled,
)
from kt_extras.plots.ticks import labels, set_axis, ticks

_PANELS = 12  # hyperparameters in one picture, unless they are named


def importance(search: Any, *, objective: str | None = None, top: int = 20, ax: Any = None) -> Any:
    """Draw how much of the differences between scores each hyperparameter explains.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        objective: Name of one of the objectives.  Defaults to None: the first.
        top: How many hyperparameters, the most important ones, from 1.  Defaults to 20.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.

    Raises:
        ValueError: There is no such objective, or `top` is too small.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    check_integer("top", top, minimum=1)
    data = data_of(search)
    target = objective_of(data, objective)
    table = columns_of.importance(data, objective=objective)
    names, shares = table["hyperparameter"][:top], table["importance"][:top]
    ax = axes_for(ax, (SIZE[0], max(2.0, 1.2 + 0.32 * len(names))))
    title = f"Importance for {text(target.name)}"
    if not names:
        return empty(ax, title, "Too few trials have a score to tell.")
    small_axes(ax)
    places = range(len(names))
    ax.barh(places, shares, color=BLUE, height=0.7)
    ax.set_yticks(places, labels=[text(name, 28) for name in names])
    ax.grid(visible=False, axis="y")
    ax.invert_yaxis()
    for place, share in zip(places, shares, strict=True):
        ax.annotate(f"{share:.2f}", (share, place), (3, 0), textcoords="offset points", va="center")
    ax.set(xlim=(0, max(shares) * 1.15 or 1.0), xlabel="share of the differences it explains")
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
    found = set(table["hyperparameter"])
    shown = [name for name in asked if name in found][: _PANELS if names is None else None]
    across = min(3, max(1, len(shown)))
    down = math.ceil(len(shown) / across) or 1
    figure = figure_for(figure, (max(SIZE[0], 3.1 * across), 2.6 * down + 0.6))
    if not shown:
        why = "None of these hyperparameters was active in a trial with a score."
        why = why if _scored(data, target.name) else none_scored(data)
        why = why if asked else "No hyperparameter was searched."
        empty(figure.add_subplot(), f"Slices of {text(data.name)}", why)
        return figure
    panels = figure.subplots(down, across, sharey=True, squeeze=False).flat
    low, high, beyond = limits(table["score"], target.sign)
    scored = _scored(data, target.name)
    entries: dict[str, Any] = {}
    for i, (name, ax) in enumerate(zip(shown, panels, strict=False)):
        part = _part(table, "hyperparameter", name)
        scale = scale_of(data, name, part["value"])
        small_axes(ax)
        handles, states = draw_states(ax, _spread(scale, part["value"]), part["score"], part)
        entries |= {s.partition(" (")[0]: h for s, h in zip(states, handles, strict=True)}
        set_axis(ax, "x", scale)
        ax.set_ylim(low, high)
        if i % across == 0:
            ax.set_ylabel(text(target.name))
        inactive = scored - len(part["trial"])
        if inactive:
            ax.set_title(f"inactive in {inactive} trials", fontsize="small", color=GREY, loc="right")
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


def contour(
    search: Any, x: str, y: str, *, objective: str | None = None, ax: Any = None
) -> Any:
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
    inactive = _scored(data, target.name) - len(table["trial"])
    if not table["trial"]:
        why = "In no trial with a score were both hyperparameters active."
        return empty(ax, title, why if inactive else none_scored(data))
    across, up = scale_of(data, x, table["x"]), scale_of(data, y, table["y"])
    mesh = columns_of.surface(data, x, y, objective=target.name)
    xs, ys = list(dict.fromkeys(mesh["x"])), list(dict.fromkeys(mesh["y"]))
    heights = np.array([np.nan if v is None else v for v in mesh["score"]], dtype=float)
    low, high = np.nanmin(heights), np.nanmax(heights)
    colors = COLORMAP if target.direction == "max" else "viridis"
    shading = {"shading": "nearest", "rasterized": True, "zorder": 1}
    drawn = ax.pcolormesh(
        across.places(xs), up.places(ys), heights.reshape(len(ys), len(xs)),
        cmap=colors, vmin=low, vmax=high, **shading,
    )
    many = len(table["trial"]) > MANY
    style = {"s": 5 if many else 16, "edgecolors": "white", "linewidths": 0.3 if many else 0.6}
    where = _spread(across, table["x"]), _spread(up, table["y"])
    ax.scatter(*where, c=table["score"], cmap=colors, vmin=low, vmax=high, **style, rasterized=many)
    set_axis(ax, "x", across)
    set_axis(ax, "y", up)
    ax.figure.colorbar(drawn, ax=ax, pad=0.02).set_label(text(target.name))
    note = f"left out: {inactive} trials in which one of them was inactive" if inactive else ""
    titled(ax, title, note)
    return ax


def parallel_coordinates(
    search: Any,
    names: Sequence[str] | None = None,
    *,
    objective: str | None = None,
    top: int | None = 1000,
    ax: Any = None,
) -> Any:
    """Draw each trial as a line over the axes of its hyperparameters.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        names: Hyperparameters.  Defaults to None: the first twelve that have more than one value.
        objective: Name of one of the objectives.  Defaults to None: the first.
        top: How many trials, those with the best scores.  Defaults to 1000; None for all.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.  A line has a gap where the hyperparameter was inactive.

    Raises:
        ValueError: There is no such hyperparameter or objective, or `top` is too small.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    data = data_of(search)
    target = objective_of(data, objective)
    table = columns_of.parallel_coordinates(data, names, objective=target.name, top=top)
    every = [name for name in table if name not in {"trial", "state", "score"}]
    shown = every[:_PANELS] if names is None else every
    ax = axes_for(ax, (max(SIZE[0], 1.6 + 1.35 * len(shown)), 4.4))
    title = f"Parallel coordinates of {text(data.name)}"
    if not table["trial"] or not shown:
        why = none_scored(data) if shown else "No hyperparameter was searched."
        return empty(ax, title, why)
    scales = [scale_of(data, n, [v for v in table[n] if v is not None]) for n in shown]
    lines = np.column_stack([_heights(s, table[n]) for s, n in zip(scales, shown, strict=True)])
    drawn = _draw_lines(ax, lines, table["score"], target)
    for i, scale in enumerate(scales):
        _draw_scale(ax, i, scale)
    inactive = np.isnan(lines).sum(axis=0)
    heads = [
        text(name, 16) + (f"\n{count} inactive" if count else "")
        for name, count in zip(shown, inactive, strict=True)
    ]
    ax.set_xticks(range(len(shown)), labels=heads, fontsize="small")
    ax.tick_params("x", length=0)
    ax.set(xlim=(-0.15, len(shown) - 0.35), ylim=(-0.03, 1.03), yticks=[])
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(drawn, ax=ax, pad=0.02).set_label(text(target.name))
    of = _scored(data, target.name)
    note = f"the best {len(lines)} of {of} trials" if of > len(lines) else ""
    if len(every) > len(shown):
        note += f"{', ' if note else ''}{len(every) - len(shown)} more hyperparameters left out"
    titled(ax, title, note)
    return ax


def _draw_lines(ax: Any, lines: Any, scores: Sequence[float], target: Any) -> Any:
    """Draw a line for each trial, the best one last and so on top."""
    from matplotlib.collections import LineCollection

    low, high, _ = limits(scores, target.sign)
    colors = COLORMAP if target.direction == "max" else "viridis"
    steps = np.arange(lines.shape[1])
    if lines.shape[1] == 1:  # a dash, since one point is no line
        lines, steps = np.repeat(lines, 2, axis=1), np.array([-0.1, 0.1])
    paths = [np.column_stack([steps, row]) for row in lines[::-1]]
    order = np.linspace(0, 1, len(paths)) if len(paths) > 1 else np.ones(1)
    steep = 3 if len(paths) < 3 * MANY // 4 else 12  # so that the best ones are not covered
    alpha = 0.1 + 0.8 * order**steep if len(paths) > 60 else np.full(len(paths), 0.7)
    style = {"linewidths": 0.5 + order, "alpha": alpha}
    drawn = LineCollection(paths, cmap=colors, rasterized=len(paths) > MANY // 2, **style)
    drawn.set_array(np.array(scores[::-1], dtype=float))
    drawn.set_clim(low, high)
    ax.add_collection(drawn)
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(drawn.norm, drawn.cmap)  # of full colours for the bar


def _draw_scale(ax: Any, at: int, scale: Scale) -> None:
    """Draw one of the parallel axes with its labels."""
    color = ax.xaxis.label.get_color()
    ax.plot([at, at], [0, 1], color=color, linewidth=0.8, zorder=3)
    if scale.options is not None:
        every = -(-len(scale.options) // 12)
        options = scale.options[::every]
        marks = list(zip(scale.units(options), [text(o, 12) for o in options], strict=True))
    else:
        values = ticks(scale, 6)
        marks = list(zip(scale.units(values), labels(values), strict=True))
    box = {"facecolor": ax.get_facecolor(), "edgecolor": "none", "alpha": 0.85, "pad": 0.6}
    for height, label in marks:
        ax.plot([at, at + 0.025], [height, height], color=color, linewidth=0.8, zorder=3)
        how = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "zorder": 4}
        ax.annotate(label, (at, height), fontsize="x-small", bbox=box, color=color, **how)


def _heights(scale: Scale, values: Sequence[Any]) -> Any:
    """Return the places of values on a parallel axis, NaN where there is none."""
    known = [i for i, value in enumerate(values) if value is not None]
    heights = np.full(len(values), np.nan)
    found = np.array(scale.units([values[i] for i in known]))
    if scale.options is not None:
        found = found + _jitter(len(found)) * 0.5 / len(scale.options)
    heights[known] = found
    return heights


def _spread(scale: Scale, values: Sequence[Any]) -> list[float]:
    """Return places on an axis, those of options side by side instead of on top of each other."""
    places = np.array(scale.places(values))
    if scale.options is not None:
        return (places + 0.5 * _jitter(len(places))).tolist()
    if not scale.grid or len(scale.grid) < 2:
        return places.tolist()
    width = 0.3 / (len(scale.grid) - 1)
    return scale.values(np.array(scale.units(values)) + width * _jitter(len(places)))


def _jitter(count: int) -> Any:
    """Return numbers in [-0.5, 0.5] that are evenly spread in any order (golden ratio)."""
    return (np.arange(count) * 0.6180339887) % 1.0 - 0.5


def _part(table: Columns, column: str, value: Any) -> Columns:
    where = [i for i, found in enumerate(table[column]) if found == value]
    return {name: [values[i] for i in where] for name, values in table.items()}


def _scored(data: SearchData, objective: str) -> int:
    return sum(s is not None for s in columns_of.history(data, objective=objective)["score"])
