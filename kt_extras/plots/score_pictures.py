"""Pictures of scores and of several objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.search_data import SearchData, data_of
from kt_extras.arguments import counted
from kt_extras.plots import data as columns_of
from kt_extras.plots.data.columns import Columns, objective_of
from kt_extras.plots.data.scores import named, reference_of, targets_of
from kt_extras.plots.points import draw_states, draw_unscored, none_scored
from kt_extras.plots.style import (
    BLUE,
    COLORMAP,
    CYCLE,
    GREY,
    MANY,
    RED,
    axes_for,
    empty,
    legend,
    limits,
    small_axes,
    text,
    titled,
    whole_numbers,
)

_FRONT = {"marker": "o", "color": BLUE}


def history(search: Any, *, objective: str | None = None, ax: Any = None) -> Any:
    """Draw the score of each trial and the best one so far.

    Args:
        search: A tuner or an oracle of kt_extras, a `kt_extras.Study`, what `kt_extras.load`
            returns, or its data.
        objective: Name of one of the objectives.  Defaults to None: the first.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.  Trials without a score are marks at the lower edge; scores that
        are far worse than the rest are beyond the picture, and counted above it.

    Raises:
        ValueError: There is no such objective.
        ModuleNotFoundError: Matplotlib is not installed.

    >>> from kt_extras.analysis.search_data import SearchData, Target, TrialData
    >>> from kt_extras.search import Space
    >>> trials = [TrialData(i, f"{i}", "completed", {}, score=s) for i, s in enumerate([3, 1, 2])]
    >>> search = SearchData("digits", Space([]), (Target("val_loss", "min"),), tuple(trials))
    >>> history(search).get_ylabel()
    'val_loss'
    """
    data = data_of(search)
    target = objective_of(data, objective)
    table = columns_of.history(data, objective=target.name)
    ax, title = axes_for(ax), f"History of {text(data.name)}"
    scores = [score for score in table["score"] if score is not None]
    if not scores:
        return empty(ax, title, none_scored(data))
    small_axes(ax)
    handles, names = draw_states(ax, table["trial"], table["score"], table)
    best = [np.nan if value is None else value for value in table["best"]]
    (line,) = ax.step(table["trial"], best, where="post", color="black", linewidth=1.6, zorder=3)
    line.set_color(ax.xaxis.label.get_color())
    low, high, beyond = limits(scores, target.sign)
    ax.set(ylim=(low, high), xlabel="trial", ylabel=text(target.name))
    last = len(table["trial"]) - 1
    ax.set_xlim(-0.5 - 0.015 * last, last + 0.5 + 0.015 * last)
    whole_numbers(ax.xaxis)
    more = draw_unscored(ax, table["trial"], table["state"], table["score"])
    rows = legend(ax, [line, *handles, *more[0]], ["best so far", *names, *more[1]])
    worse = "higher" if target.direction == "min" else "lower"
    note = f"{counted(beyond, 'trial')} with a much {worse} score beyond the edge" if beyond else ""
    titled(ax, title, note, rows=rows)
    return ax


def empirical_distribution(
    searches: Any, *, objective: str | None = None, feasible: bool = True, ax: Any = None
) -> Any:
    """Draw which share of the trials has a score that is at least as good as each.

    Of two searches in one picture that with the higher line has found good scores more often.

    Args:
        searches: A search, a list of them, or a dictionary from labels to searches.
        objective: Name of one of the objectives.  Defaults to None: the first of each search.
        feasible: Whether trials that violate a constraint count as failed.  Defaults to True.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.

    Raises:
        ValueError: There is no such objective, or the directions of the searches differ.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    found = named(searches)
    table = columns_of.empirical_distribution(found, objective=objective, feasible=feasible)
    ax, title = axes_for(ax), "How often each score was reached"
    target = objective_of(next(iter(found.values())), objective)
    if not table["score"]:
        return empty(ax, title, none_scored(next(iter(found.values()))))
    small_axes(ax)
    handles, dashes = [], ("-", "--", "-.", ":")
    low, high, beyond = limits(table["score"], target.sign)
    worst = max(table["score"]) if target.sign > 0 else min(table["score"])
    for i, label in enumerate(found):
        of = [(s, p) for n, s, p in zip(*table.values(), strict=True) if n == label]
        scores, shares = (
            zip(*[(of[0][0], 0.0), *of, (worst, of[-1][1])], strict=True) if of else ((), ())
        )
        style = {"color": CYCLE[i % len(CYCLE)], "linestyle": dashes[(i // len(CYCLE)) % 4]}
        # A share holds from its score on towards worse ones.
        handles += ax.plot(scores, shares, drawstyle="steps-post", linewidth=1.6, **style)
    better = "or lower" if target.direction == "min" else "or higher"
    ax.set(xlim=(low, high), ylim=(0, 1.03), ylabel="share of trials")
    ax.set_xlabel(f"{text(target.name)} ({better})")
    rows = legend(ax, handles, [text(label, 24) for label in found]) if len(found) > 1 else 0
    note = f"{counted(beyond, 'trial')} with a much worse score beyond the edge" if beyond else ""
    titled(ax, title, note, rows=rows)
    return ax


def pareto_front(search: Any, *, objectives: Sequence[str] | None = None, ax: Any = None) -> Any:
    """Draw the trials by two objectives, with the front; a third objective is the colour.

    Args:
        search: A search with several objectives, as for `history`.
        objectives: Names of two or three objectives.  Defaults to None: the first three at most.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.

    Raises:
        ValueError: The search has one objective only, or `objectives` does not name two or three.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    data = data_of(search)
    targets = targets_of(data, objectives)
    table = columns_of.pareto_front(data, objectives=[target.name for target in targets])
    ax, title = axes_for(ax), f"Pareto front of {text(data.name)}"
    if not table["trial"]:
        return empty(ax, title, "No trial has a value for each objective yet.")
    small_axes(ax)
    values = [np.array(table[target.name], dtype=float) for target in targets]
    x, y = values[:2]
    front = np.array(table["on_front"])
    feasible = np.array(table["feasible"])
    many, three = len(x) > MANY, len(targets) == 3
    colors: dict[str, Any] = {}
    if three:
        low, high, _ = limits(values[2], targets[2].sign)
        names = {"vmin": low, "vmax": high}
        colors = {"cmap": COLORMAP if targets[2].direction == "max" else "viridis", **names}
    handles, labels = [], []
    groups = (
        ("dominated", ~front & feasible, "o", GREY),
        ("violates a constraint", ~feasible, "x", RED),
    )
    for label, where, marker, color in groups:
        if where.any():
            how: dict[str, Any] = {
                "s": 14 if many else 22,
                "alpha": 0.5,
                "rasterized": many,
                "linewidths": 1.0,
            }
            how["linewidths"] = 0.0 if marker == "o" else 1.0
            how |= {"c": values[2][where], **colors} if three and marker == "o" else {"c": color}
            ax.scatter(x[where], y[where], marker=marker, **how)
            handles.append(_dot(marker, color, 4.5))
            labels.append(f"{label} ({where.sum()})")
    if front.any():
        drawn = _draw_front(
            ax, x[front], y[front], targets, values[2][front] if three else None, colors
        )
        handles.append(_dot("o", BLUE if not three else "white", 6.0))
        labels.append(f"front ({front.sum()})")
        chosen, what = _chosen(data, table)
        ax.scatter(
            x[chosen], y[chosen], s=130, facecolors="none", edgecolors=RED, linewidths=1.8, zorder=5
        )
        handles.append(_ring())
        labels.append(f"{what}: trial {table['trial'][chosen]}")
        if three:
            bar = ax.figure.colorbar(drawn, ax=ax, pad=0.02)
            bar.set_label(_goal(targets[2]))
    beyond = _limit(ax, x, y, targets)
    rows = legend(ax, handles, labels)
    note = "" if front.any() else "No trial meets the constraints, so there is no front.  "
    note += f"{counted(beyond, 'trial')} far off beyond the edge" if beyond else ""
    titled(ax, title, note, rows=rows)
    return ax


def hypervolume(
    search: Any, *, reference: Mapping[str, float] | None = None, ax: Any = None
) -> Any:
    """Draw how much of the space of the objectives the trials so far dominate.

    Args:
        search: A search with several objectives, as for `history`.
        reference: A value of each objective: the volume is that between the front and this point.
            Defaults to None: the worst value of each objective among the feasible trials.
        ax: The `matplotlib.axes.Axes` to draw on.  Defaults to None: those of a new figure.

    Returns:
        The `matplotlib.axes.Axes`.

    Raises:
        ValueError: The search has one objective only, or `reference` is not a number for each.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    data = data_of(search)
    table = columns_of.hypervolume(data, reference=reference)
    ax, title = axes_for(ax), f"Hypervolume of {text(data.name)}"
    if not table["trial"]:
        return empty(ax, title, none_scored(data))
    small_axes(ax)
    ax.step(table["trial"], table["hypervolume"], where="post", color=BLUE, linewidth=1.8)
    ax.set(xlabel="trial", ylabel="hypervolume")
    most = max(table["hypervolume"])
    least = min((volume for volume in table["hypervolume"] if volume > 0), default=0.0)
    bottom = 0.0 if least < most / 2 else least - (most - least) / 4
    ax.set_ylim(bottom, most + (most - bottom) / 20 or 1.0)
    whole_numbers(ax.xaxis)
    corner = reference_of(data) if reference is None else reference
    at = ", ".join(f"{text(name)} {value:.4g}" for name, value in corner.items())
    titled(ax, title, f"reference point: {at}")
    return ax


def _draw_front(
    ax: Any, x: Any, y: Any, targets: Sequence[Any], third: Any, colors: dict[str, Any]
) -> Any:
    """Draw the trials of the front, of two objectives with the border of what they dominate."""
    if third is not None:
        how = {"s": 42, "edgecolors": ax.xaxis.label.get_color(), "linewidths": 1.0, "zorder": 4}
        return ax.scatter(x, y, c=third, **how, **colors)
    order = np.lexsort((y * targets[1].sign, x * targets[0].sign))
    ax.plot(x[order], y[order], drawstyle="steps-post", color=BLUE, linewidth=1.4, zorder=3)
    return ax.scatter(x, y, s=34, c=BLUE, linewidths=0.0, zorder=4)


def _chosen(data: SearchData, table: Columns) -> tuple[int, str]:
    """Return the row of the trial that the search prefers, and what it is."""
    if data.weights is not None:
        best = best_first(data)[0].number
        if best in table["trial"]:
            return table["trial"].index(best), "best weighted sum"
    return table["knee"].index(True), "knee"


def _limit(ax: Any, x: Any, y: Any, targets: Sequence[Any]) -> int:
    """Label the axes, logarithmic for a positive cost of several decades; return what is beyond."""
    beyond = np.zeros(len(x), dtype=bool)
    for values, target, axis in ((x, targets[0], "x"), (y, targets[1], "y")):
        (ax.set_xlabel if axis == "x" else ax.set_ylabel)(_goal(target))
        if values.min() > 0 and values.max() / values.min() > 30:
            (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
            continue
        low, high, _ = limits(values, target.sign)
        (ax.set_xlim if axis == "x" else ax.set_ylim)(low, high)
        beyond |= (values < low) | (values > high)
    return int(beyond.sum())


def _goal(target: Any) -> str:
    return f"{text(target.name)} ({'lower' if target.direction == 'min' else 'higher'} is better)"


def _dot(marker: str, color: str, size: float) -> Any:
    from matplotlib.lines import Line2D

    edge = {"markeredgecolor": "black"} if color == "white" else {}
    return Line2D([], [], linestyle="", marker=marker, color=color, markersize=size, **edge)


def _ring() -> Any:
    from matplotlib.lines import Line2D

    style = {"markerfacecolor": "none", "markeredgecolor": RED, "markeredgewidth": 1.5}
    return Line2D([], [], linestyle="", marker="o", markersize=9, **style)
