"""An axis of a hyperparameter: its scale, ticks that do not overlap, and its label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from kt_extras.plots.data.scales import Scale
from kt_extras.plots.style import text, width_of

_INCHES = 0.075  # of a letter of a tick label


def set_axis(ax: Any, which: Literal["x", "y"], scale: Scale, *, label: bool = True) -> None:
    """Give an axis the scale of a hyperparameter.

    Args:
        ax: The axes.
        which: Which of its axes.
        scale: The scale.
        label: Whether the axis says the name.  Defaults to True.
    """
    axis = ax.xaxis if which == "x" else ax.yaxis
    if label:
        (ax.set_xlabel if which == "x" else ax.set_ylabel)(text(scale.name))
    limit = ax.set_xlim if which == "x" else ax.set_ylim
    if scale.options is not None:
        _set_options(ax, which, scale.options)
        limit(-0.5, len(scale.options) - 0.5)
        return
    if scale.high > scale.low:
        set_scale = ax.set_xscale if which == "x" else ax.set_yscale
        if scale.sampling == "log":
            set_scale("log")
        elif scale.sampling == "reverse_log":
            set_scale("function", functions=(scale.forward, scale.backward))
        margin = 0.03 if len(scale.grid) < 2 else 0.25 / (len(scale.grid) - 1)
        limit(*scale.values(np.array([-margin, 1 + margin])))
    else:
        limit(scale.low - 0.5, scale.low + 0.5)
    room = 6 if which == "y" else int(width_of(ax) / 0.55)
    places = ticks(scale, max(2, min(6, room)))
    axis.set_ticks(places, labels=labels(places))
    axis.set_ticks([], minor=True)


def ticks(scale: Scale, count: int) -> list[float]:
    """Return round values of a numeric scale, about so many, at distances that can be read.

    >>> ticks(Scale("rate", "log", 1e-4, 1e-1), 6)
    [0.0001, 0.001, 0.01, 0.1]
    >>> ticks(Scale("layers", low=1, high=4, grid=(1.0, 2.0, 3.0, 4.0)), 6)
    [1.0, 2.0, 3.0, 4.0]
    """
    if scale.high <= scale.low:
        return [scale.low]
    if scale.grid and len(scale.grid) <= count:
        return _apart(scale, list(scale.grid), count)
    if scale.sampling == "log":
        return _log_ticks(scale, count)
    if scale.sampling == "reverse_log":
        wanted = [_rounded(scale, value) for value in scale.values(np.linspace(0, 1, count))]
        return _apart(scale, wanted, count)
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(count - 1, integer=scale.whole).tick_values(scale.low, scale.high)
    return [float(v) for v in found if scale.low - 1e-9 <= v <= scale.high + 1e-9] or [scale.low]


def labels(places: Sequence[float]) -> list[str]:
    """Return the labels of ticks, in as few letters as tell them apart.

    >>> labels([0.00001, 0.001, 0.1]), labels([64.0, 128.0])
    (['1e-5', '0.001', '0.1'], ['64', '128'])
    """
    for digits in range(3, 12):
        found = [_number(place, digits) for place in places]
        if len(set(found)) == len(set(places)):
            return found
    return [repr(place) for place in places]


def _number(value: float, digits: int) -> str:
    shown = f"{value:.{digits}g}"
    mantissa, e, exponent = shown.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else shown


def _log_ticks(scale: Scale, count: int) -> list[float]:
    """Return powers of ten, or also 2 and 5 times these where the range is short."""
    exponents = range(int(np.floor(np.log10(scale.low))), int(np.ceil(np.log10(scale.high))) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        every = [float(f"{f * 10.0**e:.6g}") for e in exponents for f in factors]
        inside = [v for v in every if scale.low * 0.999 <= v <= scale.high * 1.001]
        if len(inside) >= min(4, count):
            break
    if len(inside) < 2:
        inside = [float(f"{v:.3g}") for v in scale.values(np.linspace(0, 1, count))]
    return inside[:: -(-len(inside) // count)]


def _rounded(scale: Scale, value: float) -> float:
    """Return a value in few digits that is still in the range."""
    for digits in range(2, 12):
        near = float(f"{value:.{digits}g}")
        if scale.low <= near <= scale.high:
            return near
    return value


def _apart(scale: Scale, values: list[float], count: int) -> list[float]:
    """Leave out values that are closer to the one before than the labels are wide."""
    kept: list[float] = []
    units = scale.units(values)
    for value, unit in zip(values, units, strict=True):
        if not kept or unit - scale.units(kept[-1:])[0] >= 0.6 / count:
            kept.append(value)
    return kept


def _set_options(ax: Any, which: Literal["x", "y"], options: Sequence[Any]) -> None:
    """Label each option, every second one if there are many, at an angle if they are long."""
    every = -(-len(options) // 24)
    shown = [text(option, 16) for option in options[::every]]
    places = range(0, len(options), every)
    if which == "y":
        ax.set_yticks(places, labels=shown)
        return
    total = sum(len(label) + 2 for label in shown) * _INCHES
    if total < width_of(ax):
        ax.set_xticks(places, labels=shown)
    else:
        how = {"rotation": 40, "ha": "right", "rotation_mode": "anchor", "fontsize": "small"}
        ax.set_xticks(places, labels=shown, **how)
