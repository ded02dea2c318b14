"""Pictures of how trials were trained: curves, budgets, workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kt_extras.analysis.search_data import SearchData, data_of
from kt_extras.arguments import counted
from kt_extras.plots import data as columns_of
from kt_extras.plots.data.columns import Columns, value_of
from kt_extras.plots.data.training import metric_of
from kt_extras.plots.points import none_scored
from kt_extras.plots.style import (
    BLUE,
    LOOKS,
    MANY,
    SIZE,
    SKY,
    Look,
    axes_for,
    empty,
    legend,
    limits,
    small_axes,
    text,
    titled,
    whole_numbers,
    width_of,
)

_UNITS = ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "hours"), (300, 60, "minutes"))
_CURVES = 2000  # in one picture: more would cover each other
_LANES = 60  # of all workers together that have a label each


def curves(search: Any, metric: str | None = None, *, execution: int = 0, ax: Any = None) -> Any:
    """Draw a metric of each trial by epoch; the best trial stands out.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        metric: Name of a metric.  Defaults to None: the objective, or the first metric of the
            trials if the objective was not measured in each epoch.
        execution: Which training run of each trial, from 0.  Defaults to 0.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.  The last epoch of a trial that was stopped early has a mark.
        Of more than 2000 trials every second, third, ... one is shown.

    Raises:
        ValueError: No trial has measured the metric.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    data = data_of(search)
    table = columns_of.curves(data, metric, execution=execution)
    name = metric_of(data, metric)
    ax, title = axes_for(ax), f"Curves of {text(data.name)}"
    values = np.array(table["value"], dtype=float)
    finite = values[np.isfinite(values)]
    if not len(finite):
        why = "No trial has reported an epoch yet."
        return empty(ax, title, why if data.trials else none_scored(data))
    small_axes(ax)
    lines, best = _lines(table, values), _best(data)
    every = -(-len(lines) // _CURVES)
    shown = [line for i, line in enumerate(lines) if i % every == 0 or line[0] == best]
    of = f" by {text(data.objective.name)}" if len(data.objectives) > 1 else ""
    handles, names = _draw_curves(ax, shown, best, f"best{of}: trial {best}")
    sign = data.objective.sign if name == data.objective.name else _sign(lines)
    low, high, beyond = limits(finite.tolist(), sign)
    last = max(table["epoch"])
    ax.set(ylim=(low, high), xlim=(-0.02 * last - 0.1, last * 1.02 + 0.1), ylabel=text(name))
    ax.set_xlabel("epoch, counted from 0")
    whole_numbers(ax.xaxis)
    rows = legend(ax, handles, names)
    notes = [f"{len(shown):,} of {len(lines):,} curves"] if every > 1 else []
    notes += [f"{counted(beyond, 'value')} beyond the edge"] if beyond else []
    titled(ax, title, ", ".join(notes), rows=rows)
    return ax


def rungs(search: Any, *, ax: Any = None) -> Any:
    """Draw how many trials have reached each budget of a scheduler, and were promoted from it.

    Args:
        search: A search with a scheduler (ASHA, PASHA, BOHB, Hyperband), as for
            `kt_extras.plots.history`.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.

    Raises:
        ModuleNotFoundError: Matplotlib is not installed.
    """
    data = data_of(search)
    table = columns_of.rungs(data)
    brackets = list(dict.fromkeys(table["bracket"]))
    ax = axes_for(ax, (max(SIZE[0], 1.2 + 0.75 * len(table["budget"])), SIZE[1]))
    title = f"Rungs of {text(data.name)}"
    if not brackets:
        why = "No trial has a budget: only searches with a scheduler, such as ASHA, have rungs."
        return empty(ax, title, why if data.trials else none_scored(data))
    small_axes(ax)
    gaps = np.cumsum(
        [0, *(a != b for a, b in zip(table["bracket"], table["bracket"][1:], strict=False))]
    )
    places = np.arange(len(gaps)) + 0.7 * gaps
    reached = ax.bar(places, table["reached"], 0.82, color=SKY)
    wide = width_of(ax) / len(places) > 0.55
    promoted = ax.bar(places, table["promoted"], 0.5, color=BLUE)
    for place, count, up in zip(places, table["reached"], table["promoted"], strict=True):
        said = f"{count}\n({up} up)" if up and wide else f"{count}"
        how = {"ha": "center", "va": "bottom", "fontsize": "small", "textcoords": "offset points"}
        ax.annotate(said, (place, count), (0, 2), **how)
    ax.set_xticks(places, labels=[str(budget) for budget in table["budget"]])
    ax.grid(visible=False, axis="x")
    ax.set(xlabel="epochs", ylabel="trials", ylim=(0, max(table["reached"]) * 1.2 or 1))
    whole_numbers(ax.yaxis)
    if len(brackets) > 1:
        for bracket in brackets:
            middle = np.mean(
                [p for p, b in zip(places, table["bracket"], strict=True) if b == bracket]
            )
            about: dict[str, Any] = {"xytext": (0, -17), "textcoords": "offset points"}
            about |= {"ha": "center", "va": "top"}
            at = {"xycoords": ax.get_xaxis_transform(), "annotation_clip": False}
            ax.annotate(f"bracket {bracket}", (middle, 0), fontsize="small", **about, **at)
        ax.xaxis.labelpad = 16
    rows = legend(ax, [reached[0], promoted[0]], ["trained so many epochs", "was given more"])
    titled(ax, title, rows=rows)
    return ax


def timeline(search: Any, *, ax: Any = None) -> Any:
    """Draw when each trial was trained, and by which worker.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.  Trials that one worker trained at the same time have a line
        each.

    Raises:
        ModuleNotFoundError: Matplotlib is not installed.
    """
    data = data_of(search)
    table = columns_of.timeline(data)
    lanes = list(dict.fromkeys(zip(table["worker"], table["lane"], strict=True)))
    lanes.sort(key=lambda lane: (list(dict.fromkeys(table["worker"])).index(lane[0]), lane[1]))
    height = min(8.0, 1.6 + 0.32 * len(lanes))
    ax, title = axes_for(ax, (SIZE[0], max(height, 2.4))), f"Timeline of {text(data.name)}"
    if not lanes:
        return empty(ax, title, none_scored(data))
    small_axes(ax)
    seconds, unit = _unit(max(table["ended"]))
    row = {lane: i for i, lane in enumerate(lanes)}
    many = len(table["trial"]) > MANY
    handles, names = [], []
    for state in dict.fromkeys([*LOOKS, *table["state"]]):
        where = [i for i, found in enumerate(table["state"]) if found == state]
        if where:
            look = LOOKS.get(state, Look("o", "#8C8C8C"))
            spans = [(table["began"][i] / seconds, table["ended"][i] / seconds) for i in where]
            rows_of = [row[table["worker"][i], table["lane"][i]] for i in where]
            handles.append(_draw_bars(ax, spans, rows_of, look, many=many))
            names.append(f"{state} ({len(where)})")
    workers = len({worker for worker, _ in lanes})
    ax.set_ylim(len(lanes) - 0.4, -0.6)
    if len(lanes) <= _LANES and (workers > 1 or lanes[0][0] is not None):
        firsts = [
            (row[lane], text(lane[0] or "this process", 20)) for lane in lanes if lane[1] == 0
        ]
        ax.set_yticks([at for at, _ in firsts], labels=[label for _, label in firsts])
    else:
        ax.set_yticks([])
    ax.grid(visible=False, axis="y")
    ax.set_xlim(0, max(table["ended"]) / seconds * 1.01 or 1.0)
    ax.set_xlabel(f"time of the search ({unit})")
    note = (
        "trials that ran at the same time are on lines of their own" if len(lanes) > workers else ""
    )
    titled(ax, title, note, rows=legend(ax, handles, names))
    return ax


def _lines(table: Columns, values: Any) -> list[tuple[int, str, Any]]:
    """Return number, state and points of each trial."""
    trials = np.array(table["trial"])
    ends = np.flatnonzero(np.diff(trials)) + 1
    starts = [0, *ends.tolist()]
    points = np.column_stack([np.array(table["epoch"], dtype=float), values])
    parts = np.split(points, ends)
    return [
        (table["trial"][start], table["state"][start], part)
        for start, part in zip(starts, parts, strict=True)
    ]


def _draw_curves(
    ax: Any, lines: Sequence[tuple[int, str, Any]], best: int | None, label: str
) -> tuple[list[Any], list[str]]:
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D

    handles, names = [], []
    many = len(lines) > MANY // 4
    alpha = float(np.clip(60 / len(lines), 0.06, 0.6))
    for state in dict.fromkeys([*LOOKS, *(state for _, state, _ in lines)]):
        paths = [part for _, found, part in lines if found == state]
        if not paths:
            continue
        look = LOOKS.get(state, Look("o", "#8C8C8C"))
        style = {"colors": look.color, "linewidths": 0.8, "alpha": alpha, "rasterized": many}
        ax.add_collection(LineCollection([p for p in paths if len(p) > 1], **style))
        ends = np.array(
            [p[-1] for p in (paths if state != "completed" else [p for p in paths if len(p) == 1])]
        )
        if len(ends):
            size = {"s": 8 if many else 18, "linewidths": 0.8, "rasterized": many}
            ax.scatter(
                *ends.T, marker=look.marker, color=look.color, alpha=min(1, 3 * alpha), **size
            )
        marker = {} if state == "completed" else {"marker": look.marker, "markersize": 4}
        handles.append(Line2D([], [], color=look.color, linewidth=1.2, **marker))
        names.append(f"{state} ({len(paths)})")
    for number, _, part in lines:
        if number == best:
            color = ax.xaxis.label.get_color()
            handles += ax.plot(*part.T, color=color, linewidth=2, zorder=4)
            names.append(label)
    return handles, names


def _best(data: SearchData) -> int | None:
    target = data.objective
    scored = [
        (trial.violation, score * target.sign, trial.number)
        for trial in data.trials
        if (score := value_of(trial, target, data)) is not None
    ]
    return min(scored)[2] if scored else None


def _sign(lines: Sequence[tuple[int, str, Any]]) -> float:
    """Return the sign of a loss for a metric that falls in most trainings, else that of a score."""
    falls = [part[-1, 1] <= part[0, 1] for _, _, part in lines if len(part) > 1]
    return 1.0 if not falls or np.mean(falls) >= 0.5 else -1.0


def _draw_bars(
    ax: Any, spans: Sequence[tuple[float, float]], rows: Sequence[int], look: Look, *, many: bool
) -> Any:
    """Draw bars of one state; return what stands for them in a legend."""
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    begin, end = np.array(spans).T
    low, high = np.array(rows) - 0.4, np.array(rows) + 0.4
    corners = np.stack([begin, low, end, low, end, high, begin, high], axis=1).reshape(-1, 4, 2)
    edge = ax.get_facecolor()
    style = {"facecolors": look.color, "edgecolors": edge, "linewidths": 0.0 if many else 0.5}
    hatch = None if many else look.hatch or None
    ax.add_collection(PolyCollection(corners, hatch=hatch, rasterized=many, **style))
    return Patch(facecolor=look.color, edgecolor=edge, hatch=hatch)


def _unit(seconds: float) -> tuple[float, str]:
    return next(
        ((size, name) for least, size, name in _UNITS if seconds >= least), (1.0, "seconds")
    )
