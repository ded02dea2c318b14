"""Pictures as parts of a page: they have the colours of the page, also in the dark."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from kt_extras import plots
from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.html import element, number, text
from kt_extras.analysis.search_data import SearchData
from kt_extras.arguments import counted
from kt_extras.plots import data as columns_of
from kt_extras.plots.hyperparameter_pictures import draw_importance
from kt_extras.plots.style import require_matplotlib

_INK, _PAPER = "#010203", "#030201"  # stand for the colours of the page
_STYLE = {
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.facecolor": _PAPER,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "path",  # so that no letter is wider than there is room for it
    "svg.hashsalt": "kt_extras",
}
_SMALL, _WIDE = (5.4, 3.6), (10.5, 4.6)
_PANELS = 6  # hyperparameters that have a slice


def scores(search: SearchData) -> str:
    """Return the pictures of scores: the history, the curves, and the front of objectives."""
    goal = search.objective.name
    best = best_first(search)
    led = ""
    if best and len(search.objectives) == 1:
        led = f"  The best is trial {best[0].number} with {number(best[0].score)}."
    shown = [
        _small("history", lambda f: plots.history(search, ax=f.add_subplot()),
               f"{goal} of {counted(len(search.trials), 'trial')}, and the best so far.{led}"),
        _small("curves", lambda f: plots.curves(search, ax=f.add_subplot()),
               "The curves of the trials by epoch."),
    ]  # fmt: skip
    if len(search.objectives) > 1:
        goals = " and ".join(target.name for target in search.objectives[:3])
        on = sum(columns_of.pareto_front(search)["on_front"])
        shown = [
            _small("front", lambda f: plots.pareto_front(search, ax=f.add_subplot()),
                   f"The trials by {goals}.  {on} are on the front: none is better in all."),
            _small("volume", lambda f: plots.hypervolume(search, ax=f.add_subplot()),
                   "How much of the space of the objectives the trials so far dominate."),
            *shown,
        ]  # fmt: skip
    return element("div", "\n".join(shown), class_="pictures")


def hyperparameters(search: SearchData) -> str:
    """Return the pictures of hyperparameters: which matter, and which values were good."""
    table = columns_of.importance(search)
    names: Sequence[str] = table["hyperparameter"]
    wide = [
        _wide("parallel", lambda f: plots.parallel_coordinates(search, ax=f.add_subplot()),
              "Each trial is a line over the values of its hyperparameters; the best stand out."),
    ]  # fmt: skip
    if not names:
        return "\n".join(wide)
    goals = [target.name for target in search.objectives]
    shares = ", ".join(
        f"{name} {share:.2f}" for name, share in zip(names[:3], table["importance"], strict=False)
    )
    small = [
        _small("importance", lambda f: draw_importance(f.add_subplot(), table, goals),
               f"How much each hyperparameter matters; the most important: {shares}.")
    ]  # fmt: skip
    if len(names) > 1 and columns_of.contour(search, names[0], names[1])["trial"]:
        draw: Draw = lambda f: plots.contour(search, *names[:2], ax=f.add_subplot())  # noqa: E731
        what = f"Scores by the two most important hyperparameters, {names[0]} and {names[1]}."
        small.append(_small("contour", draw, what))
    what = f"Scores by the values of {', '.join(names[:_PANELS])}."
    wide.append(_wide("slice", lambda f: plots.slice(search, names[:_PANELS], figure=f), what, 5.6))
    return element("div", "\n".join(small), class_="pictures") + "\n".join(wide)


def budgets(search: SearchData) -> str:
    """Return the pictures of schedulers, nothing for a search without."""
    shown = []
    if any(trial.takeovers for trial in search.trials):
        shown = [
            _small("lineage", lambda f: plots.lineage(search, ax=f.add_subplot()),
                   "Which member of the population went on with the state of which other one."),
            _small("schedule", lambda f: plots.schedule(search, figure=f),
                   "The hyperparameters that led to the best score, and those of the members."),
        ]  # fmt: skip
    elif len(columns_of.rungs(search)["budget"]) > 1:
        shown = [
            _small("rungs", lambda f: plots.rungs(search, ax=f.add_subplot()),
                   "How many trials were trained for how many epochs, and were given more."),
        ]  # fmt: skip
    return element("div", "\n".join(shown), class_="pictures") if shown else ""


def timeline(search: SearchData) -> str:
    """Return the picture of when each trial was trained, and where."""
    what = "When each trial was trained, by worker."
    return _wide("timeline", lambda f: plots.timeline(search, ax=f.add_subplot()), what, 2.8)


Draw = Callable[[Any], Any]


def _small(name: str, draw: Draw, caption: str) -> str:
    return _figure(name, draw, caption, _SMALL)


def _wide(name: str, draw: Draw, caption: str, height: float = _WIDE[1]) -> str:
    return _figure(name, draw, caption, (_WIDE[0], height), class_="wide", tabindex="0")


def _figure(
    name: str, draw: Draw, caption: str, size: tuple[float, float], **attributes: str
) -> str:
    """Return a picture with its caption, which also says what it shows to those who hear it."""
    require_matplotlib()
    from matplotlib import style
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with style.context(_STYLE, after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a letter that the font does not have
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", dpi=144, metadata=metadata)
    drawn = _for_page(buffer.getvalue(), name, caption)
    return element("figure", drawn + text("figcaption", caption), **attributes)


def _for_page(svg: str, name: str, caption: str) -> str:
    """Return a file of SVG as an element: names of its own, and the colours of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = svg.replace(_INK, "currentColor").replace(_PAPER, "var(--paper)")
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    label = text("title", caption)
    return re.sub(r"(<svg[^>]*)>", lambda m: f'{m[1]} role="img">{label}', svg, count=1).strip()
