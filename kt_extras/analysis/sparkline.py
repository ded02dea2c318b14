"""A small curve without axes, for a notebook: drawn at once, and without Matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kt_extras.analysis.html import element, number, text

_WIDTH, _HEIGHT = 320, 56  # pixels
_POINTS = 400  # more would not be seen


def sparkline(values: Sequence[float], *, label: str, steps: bool = False) -> str:
    """Return a curve as an element of SVG with its lowest and highest value.

    Args:
        values: Its heights from left to right; those that are not finite are left out.
        label: What it shows, for a caption.
        steps: Whether a value holds until the next one.  Defaults to False.

    >>> '<path d="M' in sparkline([0.5, 0.7, 0.9], label="best so far")
    True
    """
    places = [(i, float(v)) for i, v in enumerate(values) if math.isfinite(v)]
    if not places:
        return text("p", label)
    every = max(1, len(places) // _POINTS)
    places = [*places[:-1:every], places[-1]]
    low, high = min(v for _, v in places), max(v for _, v in places)
    across = (_WIDTH - 8) / (places[-1][0] or 1)
    up = (_HEIGHT - 8) / ((high - low) or 1)
    points = [(4 + i * across, _HEIGHT - 4 - (v - low) * up) for i, v in places]
    lines = "".join(f"H{x:.1f}V{y:.1f}" if steps else f"L{x:.1f} {y:.1f}" for x, y in points[1:])
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}{lines}"
    style = 'fill="none" stroke="#0072B2" stroke-width="1.8"'
    x, y = points[-1]
    dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#0072B2"/>'
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    said = text("title", f"{label}, from {number(low)} to {number(high)}")
    line = f'<path d="{path}" {style}/>{dot}'
    drawn = f'<svg {size} role="img" style="max-width: 100%">{said}{line}</svg>'
    caption = f"{label} (lowest {number(low)}, highest {number(high)})"
    return element("div", drawn + text("div", caption, style="font-size: smaller"))
