"""One line that shows the progress of a search."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from tqdm import tqdm

_FORMAT = "{unit} {n_fmt}/{total_fmt} |{bar:20}| {elapsed}<{remaining}{postfix}"
_FORMAT_ENDLESS = "{unit} {n_fmt} | {elapsed}{postfix}"


class ProgressLine:
    """A bar in a terminal or notebook, a line for each trial in a log file, or nothing.

    Args:
        unit: What is counted: `"trial"` or `"epoch"`.
        total: Expected number of units, None if unknown.
        done: Number of units that earlier sessions have finished.
        visible: Whether to show anything.
    """

    def __init__(self, unit: str, total: int | None, done: int, *, visible: bool) -> None:
        self._visible = visible
        self._live = _redraws(sys.stdout)
        self._bar = tqdm(
            total=total,
            initial=done,
            unit=unit,
            file=sys.stdout if self._live else _Lines(sys.stdout),
            disable=not visible,
            bar_format=_FORMAT if total else _FORMAT_ENDLESS,
            ascii=" -",
            delay=0 if self._live else 1e-9,  # a log file gets no line before the first trial
            dynamic_ncols=self._live,
            mininterval=0.5 if self._live else float("inf"),
        )

    def show(self, *parts: str) -> None:
        """Replace the text behind the bar; a log file gets it at the end of the trial."""
        self._bar.set_postfix_str(", ".join(parts), refresh=False)
        if self._live:
            self._bar.update(0)

    def advance(self, done: int, left: int) -> None:
        """Show how much is done, and raise the total if more is left than was expected."""
        if self._bar.total is not None:
            self._bar.total = max(self._bar.total, done + left)
        self._bar.update(done - self._bar.n)
        self._bar.refresh()

    def write(self, text: str) -> None:
        """Write a separate line."""
        if self._visible:
            sys.stdout.write(f"{text}\n")

    def close(self) -> None:
        """End the line, and leave it visible."""
        self._bar.leave = self._live
        self._bar.close()


class _Lines:
    """A stream on which each drawing of the bar is a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = ""

    def write(self, text: str) -> None:
        text = text.replace("\r", "").strip()
        if text and text != self._last:
            self._stream.write(f"{text}\n")
            self._last = text

    def flush(self) -> None:
        self._stream.flush()


def _redraws(stream: Any) -> bool:
    """Return whether a carriage return moves to the start of the line, as in a terminal."""
    return stream.isatty() or "ipykernel" in type(stream).__module__
