"""The progress of a search, and a line for each of its trials: in a terminal, notebook or file."""

from __future__ import annotations

import io
import math
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from kt_extras.tuners.trial_lines import html_table, text_table

_ROWS = 20  # of the table in a notebook, the last ones
_SECONDS = 0.5  # between two drawings


@dataclass(frozen=True)
class Status:
    """What stands behind the bar.

    Args:
        objective: Name of the objective.
        best: The best score so far, as text.
        counts: Counts with their nouns, the most important last.
    """

    objective: str
    best: str
    counts: Sequence[str] = ()

    def shortened(self) -> Iterator[str]:
        """Yield texts that are shorter and shorter."""
        yield ", ".join([f"best {self.objective} {self.best}", *self.counts])
        for dropped in range(len(self.counts) + 1):
            yield ", ".join([f"best {self.best}", *self.counts[dropped:]])


class ProgressLine:
    """Shows how far a search is, and how each of its trials has ended.

    In a terminal the progress is one line that is redrawn below the lines of the trials, and that
    fits the terminal's width.  In a notebook it is the caption of one table of the last trials,
    below a curve of the best score so far.
    A file gets the lines of the trials, and the progress when the search ends.

    Args:
        unit: What is counted: `"trial"` or `"epoch"`.
        total: Expected number of units, None if unknown.
        done: Number of units that earlier sessions have finished.
        visible: Whether to show anything.
    """

    def __init__(self, unit: str, total: int | None, done: int, *, visible: bool) -> None:
        self._visible = visible
        self._terminal = visible and sys.stdout.isatty()
        self._table = _NotebookTable() if visible and _in_notebook(sys.stdout) else None
        self._status = Status("", "-")
        self._bar = tqdm(
            total=total,
            initial=done,
            unit=unit,
            file=sys.stdout if self._terminal else io.StringIO(),
            disable=not visible,
            ascii=" -",
            bar_format=_format(total, 20),
            mininterval=_SECONDS,
        )

    def show(self, status: Status) -> None:
        """Replace the text behind the bar."""
        self._status = status
        if self._terminal:
            self._fit()
            self._bar.update(0)
        elif self._table is not None:
            self._table.draw(self.text)

    def advance(self, done: int, total: int | None) -> None:
        """Show how much is done, and of how much.

        Args:
            done: Number of units that are finished.
            total: Expected number of units, None if unknown.
        """
        if not self._visible:
            return
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        if self._terminal:
            self._fit()
            self._bar.refresh()

    def trial(self, line: str, cells: Sequence[str], best: float | None = None) -> None:
        """Show how a trial has ended.

        Args:
            line: For a terminal or a file.
            cells: For the table in a notebook.
            best: The best score so far, for the curve in a notebook.  Defaults to None: unknown.
        """
        if self._table is not None:
            self._table.add(cells, best)
            self._table.draw(self.text)
        elif self._visible:
            self.write(f"{tqdm.format_interval(self._bar.format_dict['elapsed'])} {line}")

    def write(self, text: str) -> None:
        """Write separate lines."""
        if self._terminal:
            tqdm.write(text, file=sys.stdout)
        elif self._visible:
            sys.stdout.write(f"{text}\n")

    def close(self) -> None:
        """End the line, and leave it visible."""
        if self._terminal:
            self._fit()
            self._bar.refresh()
        elif self._table is not None:
            self._table.draw(self.text, at_once=True)
        else:
            self.write(self.text)
        self._bar.close()

    @property
    def text(self) -> str:
        """The whole line."""
        return self._text(20, next(self._status.shortened())) if self._visible else ""

    def _fit(self) -> None:
        """Choose the longest form of the line that fits the terminal."""
        self._bar.ncols = width = shutil.get_terminal_size().columns - 1
        texts = list(self._status.shortened())
        forms = [(bar, texts[0]) for bar in (20, 10)] + [(0, text) for text in texts]
        bar, text = next((form for form in forms if len(self._text(*form)) <= width), forms[-1])
        self._bar.bar_format = _format(self._bar.total, bar)
        self._bar.set_postfix_str(text, refresh=False)

    def _text(self, bar: int, status: str) -> str:
        how = {"bar_format": _format(self._bar.total, bar), "postfix": status, "ncols": None}
        return str(tqdm.format_meter(**{**self._bar.format_dict, **how}))


class _NotebookTable:
    """One output of a notebook's cell, which is replaced as the search goes on."""

    def __init__(self) -> None:
        self._rows: deque[Sequence[str]] = deque(maxlen=_ROWS)
        self._best: list[float] = []
        self._handle: Any = None
        self._drawn = -math.inf

    def add(self, cells: Sequence[str], best: float | None = None) -> None:
        """Add a row; a trial that ends again has one row, the last."""
        self._best += [] if best is None else [best]
        others = (row for row in self._rows if row[0] != cells[0])
        self._rows = deque([*others, cells], maxlen=_ROWS)
        self._drawn = -math.inf

    def draw(self, caption: str, *, at_once: bool = False) -> None:
        """Replace what is shown, unless that was drawn a moment ago."""
        from IPython.display import display

        if not at_once and time.monotonic() - self._drawn < _SECONDS:
            return
        self._drawn = time.monotonic()
        shown = _Shown(caption, list(self._rows), list(self._best))
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)


@dataclass(frozen=True)
class _Shown:
    """The table as a notebook shows it, or as text where there is no HTML."""

    caption: str
    rows: Sequence[Sequence[str]]
    best: Sequence[float] = ()

    def __repr__(self) -> str:
        return text_table(self.caption, self.rows)

    def _repr_html_(self) -> str:
        from kt_extras.analysis.sparkline import sparkline

        curve = sparkline(self.best, label="best score so far", steps=True) if self.best else ""
        return curve + html_table(self.caption, self.rows)


def _format(total: int | None, bar: int) -> str:
    """Return the format of the line with a bar of so many characters."""
    if not total:
        return "{unit} {n_fmt} | {elapsed}{postfix}"
    middle = f"|{{bar:{bar}}}|" if bar else "|"
    return f"{{unit}} {{n_fmt}}/{{total_fmt}} {middle} {{elapsed}}<{{remaining}}{{postfix}}"


def _in_notebook(stream: Any) -> bool:
    return "ipykernel" in type(stream).__module__
