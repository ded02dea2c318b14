"""How pictures look: colours that colour-blind readers tell apart, markers, titles, legends.

The colours are those of Okabe and Ito (2008).  Text has Matplotlib's colour, so that a style of the
user's, a dark one say, holds for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kt_extras.arrays import FloatArray

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PINK, GREY = "#56B4E9", "#CC79A7", "#8C8C8C"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY)
COLORMAP = "viridis_r"  # the best is dark; monotonous in lightness, so it survives grey printing
LINES = ("#A9B8C6", ORANGE, RED)  # from bad to good, to be seen on a dark ground too
MANY = 400  # points above which they are drawn as pixels, smaller and more transparent

PANELS = 12  # hyperparameters in one picture, unless they are named
SIZE = (6.4, 4.0)  # inches of a picture with one panel


@dataclass(frozen=True)
class Look:
    """How the trials of a state are drawn.

    Attributes:
        marker: Of Matplotlib.
        color: Of the marker.
        hatch: Of a bar.
    """

    marker: str
    color: str
    hatch: str = ""


LOOKS: Mapping[str, Look] = {
    "completed": Look("o", BLUE),
    "paused": Look("s", SKY, ".."),
    "pruned": Look("v", ORANGE, "//"),
    "running": Look(">", GREEN, "--"),
    "waiting": Look("<", GREY, "--"),
    "failed": Look("x", RED, "xx"),
    "infeasible": Look("+", PINK, "++"),
    "rejected": Look("|", GREY, "||"),
}
VIOLATING = Look("d", GREY)


def axes_for(ax: Any, size: tuple[float, float] = SIZE) -> Any:
    """Return the axes to draw on: the given ones, or those of a new figure.

    Raises:
        TypeError: `ax` is not a `matplotlib.axes.Axes`.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    require_matplotlib()
    if ax is None:
        return _new_figure(size).add_subplot()
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"`ax` must be a `matplotlib.axes.Axes` or None, got {ax!r}.")
    return ax


def figure_for(figure: Any, size: tuple[float, float]) -> Any:
    """Return the figure to draw on: the given one, or a new one.

    Raises:
        TypeError: `figure` is not a `matplotlib.figure.Figure`, nor a part of one.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    require_matplotlib()
    if figure is None:
        return _new_figure(size)
    from matplotlib.figure import FigureBase

    if not isinstance(figure, FigureBase):
        raise TypeError(f"`figure` must be a `matplotlib.figure.Figure` or None, got {figure!r}.")
    return figure


def require_matplotlib() -> None:
    """Raise a `ModuleNotFoundError` that says what to install if Matplotlib is missing."""
    try:
        import matplotlib.figure  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ModuleNotFoundError(
            "Pictures need Matplotlib; run `pip install 'kt_extras[plots]'`.  The numbers behind "
            "them, `kt_extras.plots.data`, need nothing.",
            name=error.name,
        ) from error


def text(value: Any, limit: int = 40) -> str:
    r"""Return text for a picture: on one line, not too long, and never read as a formula.

    >>> text("cost in $\n(per hour)"), text("x" * 50, limit=8)
    ('cost in \\$ (per hour)', 'xxxxxxx…')
    """
    plain = " ".join(str(value).split())
    if len(plain) > limit:
        plain = plain[: limit - 1] + "…"
    return plain.replace("$", r"\$")


def empty(ax: Any, title: str, sentence: str) -> Any:
    """Say in place of a picture why there is nothing to draw."""
    ax.set_axis_off()
    titled(ax, title)
    how = {"ha": "center", "va": "center", "wrap": True, "color": GREY}
    ax.text(0.5, 0.5, sentence, transform=ax.transAxes, **how)
    return ax


def titled(ax: Any, title: str, note: str = "", *, rows: int = 0) -> None:
    """Put a title above axes, a note below it in small letters, and leave room for a legend.

    Args:
        ax: The axes.
        title: What is shown.
        note: What the reader has to know besides.
        rows: Lines of the legend between these and the axes.
    """
    room = 6 + 13.0 * rows
    if note:
        how = {"fontsize": "small", "color": GREY, "annotation_clip": False}
        at = {"xytext": (0, room), "textcoords": "offset points", "xycoords": "axes fraction"}
        ax.annotate(wrapped(ax, note), (0, 1), **at, **how, ha="left", va="bottom")
        room += 12.0 * (1 + wrapped(ax, note).count("\n"))
    ax.set_title(title, loc="left", fontsize="medium", pad=room)


def wrapped(ax: Any, note: str) -> str:
    """Return a note in lines that fit the width of axes."""
    import textwrap

    return "\n".join(textwrap.wrap(note, max(int(width_of(ax) * 14), 20), break_long_words=False))


def legend(ax: Any, handles: Sequence[Any], labels: Sequence[str]) -> int:
    """Put a legend between the title and the axes; return the number of its lines."""
    if not handles:
        return 0
    shown = [f" {label}" if label.startswith("_") else label for label in labels]
    widest = 0.36 + 0.063 * max(map(len, shown))
    across = max(1, min(len(shown), int(width_of(ax) / widest)))
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2, "borderpad": 0.1}
    spacing = {"columnspacing": 1.0, "handletextpad": 0.4, "handlelength": 1.4, "labelspacing": 0.3}
    ax.legend(handles, shown, ncols=across, frameon=False, fontsize="small", **place, **spacing)
    return -(-len(shown) // across)


def width_of(ax: Any) -> float:
    """Return the width of axes in inches, roughly: the figure may not be laid out yet."""
    figure = ax.figure
    while getattr(figure, "figure", figure) is not figure and not hasattr(figure, "get_figwidth"):
        figure = figure.figure  # a part of a figure
    left, right = 0.0, 1.0
    position = ax.get_subplotspec()
    if position is not None:
        box = position.get_position(ax.figure)
        grid = position.get_gridspec()
        left, right = (0.0, 1.0) if grid.ncols == 1 else (box.x0, box.x0 + 0.95 / grid.ncols)
    return float(figure.get_figwidth() * (right - left) - 0.7)


def scatter(ax: Any, x: Any, y: Any, look: Look, *, many: bool, **how: Any) -> Any:
    """Draw points with the look of a state.

    Args:
        ax: The axes.
        x: Where.
        y: Where.
        look: Marker and colour.
        many: Whether the whole picture has many points.
        **how: What differs from that, as for Matplotlib.
    """
    size = {"x": 26, "+": 34, "|": 34}.get(look.marker, 20) * (0.45 if many else 1.0)
    filled = look.marker not in "x+|"
    style = {"s": size, "c": look.color, "marker": look.marker, "alpha": 0.45 if many else 0.85}
    style |= {"linewidths": 0.0 if filled else 1.1, "rasterized": many, "zorder": 2}
    return ax.scatter(np.asarray(x, float), np.asarray(y, float), **{**style, **how})


def handle(look: Look) -> Any:
    """Return what stands for the points of a state in a legend."""
    from matplotlib.lines import Line2D

    size = 5.5 if look.marker not in "x+|" else 6.5
    return Line2D([], [], color=look.color, marker=look.marker, linestyle="", markersize=size)


def limits(values: Sequence[float] | FloatArray, sign: float) -> tuple[float, float, int]:
    """Return the range of scores to show, and how many worse ones are beyond it.

    A training that diverges gives a loss that is a million times the others, and an axis on which
    nothing else can be read.  So bad scores are cut off where they are far from the rest.

    Args:
        values: Finite scores, at least one.
        sign: The factor to a loss.

    >>> limits([1.0, 1.1, 1.2, 1.3, 900.0], 1.0)[2]
    1
    """
    losses = np.sort(np.asarray(values, dtype=float) * sign)
    low, quarter, half, upper = np.quantile(losses, [0, 0.25, 0.5, 0.75])
    far = upper + 5 * max(upper - quarter, half - low)
    worst = losses[-1] if far <= low else losses[losses <= far][-1]
    margin = 0.04 * (worst - low) or 0.04 * abs(low) or 1.0
    ends = sorted((sign * (low - margin), sign * (worst + margin)))
    return ends[0], ends[1], int((losses > worst).sum())


def whole_numbers(axis: Any) -> None:
    """Let an axis have ticks at whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))


def small_axes(ax: Any) -> None:
    """Leave out the lines of the frame that carry no ticks, and draw a faint grid."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.grid(visible=True, color=GREY, alpha=0.2, linewidth=0.6)
    ax.set_axisbelow(True)


def _new_figure(size: tuple[float, float]) -> Any:
    from matplotlib import pyplot

    return pyplot.figure(figsize=size, layout="constrained")
