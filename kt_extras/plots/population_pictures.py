"""Pictures of population based training: who took over from whom, and what changed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from kt_extras.analysis.search_data import data_of
from kt_extras.plots import data as columns_of
from kt_extras.plots.data.columns import runs
from kt_extras.plots.data.populations import path_to_best, trained
from kt_extras.plots.data.scales import scale_of
from kt_extras.plots.points import none_scored
from kt_extras.plots.style import (
    BLUE,
    GREY,
    MANY,
    ORANGE,
    SIZE,
    axes_for,
    empty,
    figure_for,
    legend,
    small_axes,
    text,
    titled,
    whole_numbers,
)
from kt_extras.plots.ticks import set_axis

_NONE = "No member has taken over from another one: only searches by PBT have a lineage."
_LINK = ("epoch", "trial", "parent")
_LABELS = 40  # members that are labelled one by one


def lineage(search: Any, *, ax: Any = None) -> Any:
    """Draw the trainings of a population, and which member went on with the state of which.

    Args:
        search: A search by population based training, as for `kt_extras.plots.history`.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.  What led to the best score stands out.

    Raises:
        ModuleNotFoundError: Matplotlib is not installed.
    """
    from matplotlib.collections import LineCollection

    data = data_of(search)
    table = columns_of.lineage(data)
    members = [trial for trial in data.trials if trained(trial)]
    height = min(9.0, 1.6 + 0.24 * len(members))
    ax, title = axes_for(ax, (SIZE[0], max(2.6, height))), f"Lineage of {text(data.name)}"
    if not table["epoch"]:
        return empty(ax, title, _NONE if data.trials else none_scored(data))
    small_axes(ax)
    row = {trial.number: i for i, trial in enumerate(members)}
    runs = [[(0, row[t.number]), (trained(t), row[t.number])] for t in members]
    style = {"capstyle": "butt", "colors": GREY}
    ax.add_collection(LineCollection(runs, linewidths=1.6, alpha=0.55, **style))
    path = [part for part in path_to_best(data) if part[0] in row]
    taken = {(begin, number) for number, begin, _ in path}
    links = [
        (epoch, row[parent], row[number], (epoch, number) in taken)
        for epoch, number, parent in zip(*(table[c] for c in _LINK), strict=True)
        if parent in row and number in row
    ]
    _draw_links(ax, [link[:3] for link in links if not link[3]], color=ORANGE, zorder=3)
    _draw_links(ax, [link[:3] for link in links if link[3]], color=BLUE, zorder=5)
    best = [[(begin, row[number]), (end, row[number])] for number, begin, end in path]
    ax.add_collection(LineCollection(best, linewidths=3.2, colors=BLUE, zorder=4, capstyle="butt"))
    end = max(map(trained, members))
    ax.set(xlim=(-0.01 * end, end * 1.01), ylim=(len(members) - 0.4, -0.6), xlabel="epochs trained")
    whole_numbers(ax.xaxis)
    every = -(-len(members) // _LABELS)
    ax.set_yticks(range(0, len(members), every), labels=[t.number for t in members[::every]])
    ax.set_ylabel("trial")
    ax.grid(visible=False, axis="y")
    handles = [_line(BLUE, 3.2), _line(ORANGE, 1.0), _line(GREY, 1.6)]
    names = ["led to the best score", f"takeover ({len(table['epoch'])})", "training"]
    titled(ax, title, rows=legend(ax, handles, names))
    return ax


def schedule(search: Any, names: Sequence[str] | None = None, *, figure: Any = None) -> Any:
    """Draw hyperparameters over the epochs, of each member and on the way to the best score.

    Args:
        search: A search by population based training, as for `kt_extras.plots.history`.
        names: Hyperparameters.  Defaults to None: those that some takeover has changed.
        figure: The `matplotlib.figure.Figure` to draw on.  Defaults to None: a new one.

    Returns:
        The `matplotlib.figure.Figure`, with a panel for each hyperparameter.

    Raises:
        ValueError: There is no such hyperparameter.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    data = data_of(search)
    table = columns_of.schedule(data, names)
    parts = runs(table, "hyperparameter")
    shown = list(parts)
    across = min(2, max(1, len(shown)))
    down = math.ceil(len(shown) / across) or 1
    figure = figure_for(figure, (SIZE[0] if across == 1 else 8.4, 1.0 + 2.5 * down))
    if not shown:
        empty(figure.add_subplot(), f"Schedule of {text(data.name)}", _NONE)
        return figure
    panels = figure.subplots(down, across, squeeze=False).ravel().tolist()
    end = max(table["end"])
    handles: list[Any] = []
    for (name, part), ax in zip(parts.items(), panels, strict=False):
        handles = _draw_schedule(ax, name, part, scale_of(data, name, part["value"]))
        ax.set(xlim=(0, end))
        whole_numbers(ax.xaxis)
        ax.set_xlabel("epochs trained")
    for ax in panels[len(shown) :]:
        ax.set_axis_off()
    figure.suptitle(f"Schedule of {text(data.name)}", fontsize="medium", x=0.01, ha="left")
    style = {"loc": "outside lower left", "frameon": False, "fontsize": "small"}
    figure.legend(handles, ["led to the best score", "members"], ncols=2, **style)
    return figure


def _draw_links(ax: Any, links: Sequence[tuple[int, int, int]], **style: Any) -> None:
    """Draw a line from each parent to the member that took over, with a head that points to it."""
    from matplotlib.collections import LineCollection

    lines = [[(epoch, parent), (epoch, member)] for epoch, parent, member in links]
    many = len(links) > MANY
    width = 1.8 if style["color"] == BLUE else 0.5 if many else 0.9
    ax.add_collection(LineCollection(lines, linewidths=width, rasterized=many, **style))
    for marker, down in (("v", True), ("^", False)):  # the first row is at the top
        heads = [(e, member) for e, parent, member in links if (member > parent) == down]
        if heads:
            size = 6 if many else 22
            ax.scatter(*zip(*heads, strict=True), s=size, marker=marker, linewidths=0, **style)


def _draw_schedule(ax: Any, name: str, part: dict[str, list[Any]], scale: Any) -> list[Any]:
    """Draw one panel; return what stands for its lines in a legend."""
    from matplotlib.collections import LineCollection

    small_axes(ax)
    heights = scale.places(part["value"])
    spans = list(zip(part["begin"], part["end"], heights, part["led_to_best"], strict=True))
    for led, style in ((False, {"colors": GREY, "alpha": 0.5}), (True, {"colors": BLUE})):
        runs = [[(begin, y), (end, y)] for begin, end, y, on in spans if on == led]
        ax.add_collection(LineCollection(runs, linewidths=3.0 if led else 1.2, **style))
    best = sorted((begin, end, y) for begin, end, y, on in spans if on)
    jumps = [[(b[0], a[2]), (b[0], b[2])] for a, b in itertools.pairwise(best)]
    ax.add_collection(LineCollection(jumps, linewidths=1.2, colors=BLUE, linestyles=":"))
    set_axis(ax, "y", scale, label=False)
    ax.set_title(text(name), fontsize="small", loc="left")
    return [_line(BLUE, 3.0), _line(GREY, 1.2)]


def _line(color: str, width: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linewidth=width)
