"""Tables of text that fit a terminal."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

_LONGEST = 40  # characters of a cell
_GAP = "  "


def terminal_width() -> int:
    """Return how many characters a line may have, 100 if there is no terminal."""
    return shutil.get_terminal_size((100, 24)).columns


def text_table(rows: Sequence[Mapping[str, Any]], width: int | None = None) -> list[str]:
    """Return rows as lines under a line of names; numbers are aligned at the right.

    Args:
        rows: Rows, whose first ones have the first columns.
        width: How long a line may be.  Columns that do not fit are left out from the right, and
            named below.  Defaults to None: the width of the terminal.

    >>> for line in text_table([{"trial": 3, "loss": 0.123456789}, {"trial": 12, "act": "relu"}]):
    ...     print(line)
    trial     loss  act
        3  0.12346  -
       12        -  relu
    """
    width = terminal_width() if width is None else width
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: _column(name, [row.get(name) for row in rows]) for name in names}
    kept, used = list[str](), -len(_GAP)
    for name in names:
        used += len(_GAP) + len(columns[name][0])
        if kept and used > width:
            break
        kept.append(name)
    lines = [_GAP.join(cells).rstrip() for cells in zip(*(columns[n] for n in kept), strict=True)]
    if left_out := names[len(kept) :]:
        lines += wrapped(f"(too wide for: {', '.join(left_out)})", width)
    return lines


def wrapped(text: str, width: int | None = None, indent: str = "") -> list[str]:
    """Return a text in lines that are no longer than the terminal is wide.

    >>> wrapped("one two three", 8)
    ['one two', 'three']
    """
    import textwrap

    width = max(20, terminal_width()) if width is None else width
    return textwrap.wrap(text, width, subsequent_indent=indent) or [""]


def cell(value: Any) -> str:
    """Return a value as a cell shows it.

    >>> cell(None), cell(1e-05), cell(True), cell(3)
    ('-', '1e-05', 'True', '3')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    text = f"{value:.5g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def duration(seconds: float) -> str:
    """Return a time for people.

    >>> duration(3.21), duration(125), duration(7380), duration(200000)
    ('3.2 s', '2 min 5 s', '2 h 3 min', '55 h 33 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"


def _column(name: str, values: Sequence[Any]) -> list[str]:
    """Return a name and its cells, all of the same width."""
    cells = [name, *map(cell, values)]
    width = max(map(len, cells))
    known = [value for value in values if value is not None]
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in known)
    return [text.rjust(width) if numeric else text.ljust(width) for text in cells]
