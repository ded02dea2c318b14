"""Parallel coordinates: each trial is a line over the axes of its hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kt_extras.analysis.search_data import data_of
from kt_extras.plots import data as columns_of
from kt_extras.plots.data.columns import objective_of
from kt_extras.plots.data.scales import Scale, scale_of
from kt_extras.plots.points import jitter, none_scored, scored
from kt_extras.plots.style import (
    LINES,
    MANY,
    PANELS,
    SIZE,
    axes_for,
    empty,
    limits,
    text,
    titled,
    width_of,
)
from kt_extras.plots.ticks import labels, ticks


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
    shown = every[:PANELS] if names is None else every
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
    widest = max(len(line) for head in heads for line in head.splitlines())
    turned = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"}
    narrow = 0.068 * widest > width_of(ax) / len(shown)
    heads = [head.replace("\n", ", ") for head in heads] if narrow else heads
    ax.set_xticks(range(len(shown)), labels=heads, fontsize="small", **(turned if narrow else {}))
    ax.tick_params("x", length=0)
    ax.set(xlim=(-0.15, len(shown) - 0.35), ylim=(-0.03, 1.03), yticks=[])
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(drawn, ax=ax, pad=0.02).set_label(text(target.name))
    of = scored(data, target.name)
    note = f"the best {len(lines)} of {of} trials" if of > len(lines) else ""
    if len(every) > len(shown):
        note += f"{', ' if note else ''}{len(every) - len(shown)} more hyperparameters left out"
    titled(ax, title, note)
    return ax


def _draw_lines(ax: Any, lines: Any, scores: Sequence[float], target: Any) -> Any:
    """Draw a line for each trial, the best one last and so on top."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap

    low, high, _ = limits(scores, target.sign)
    shades = LINES if target.direction == "max" else LINES[::-1]
    colors = LinearSegmentedColormap.from_list("good", shades)
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
        found = found + jitter(len(found)) * 0.5 / len(scale.options)
    heights[known] = found
    return heights
