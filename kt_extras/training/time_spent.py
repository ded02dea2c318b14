"""Where the time of a search goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

#: What is measured, in the order in which it is told; the rest is "other".
SECTIONS = ("building", "tracing", "training", "suggesting", "saving")


class TimeSpent:
    """Adds up the seconds of the sections of a search; one within another counts for itself.

    Attributes:
        seconds: Seconds by the name of the section, `"other"` among them.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys((*SECTIONS, "other"), 0.0)
        self._open = ["other"]
        self._since = time.perf_counter()

    def enter(self, name: str) -> None:
        """Begin a section."""
        self._add()
        self._open.append(name)

    def leave(self) -> None:
        """End the section that was begun last."""
        self._add()
        self._open.pop()

    def _add(self) -> None:
        now = time.perf_counter()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def text(self) -> str:
        """Return what took the time, in percent.

        >>> spent = TimeSpent()
        >>> spent.seconds.update(training=6.0, tracing=2.0)
        >>> spent.text()
        '8 s: 25% tracing, 75% training'
        """
        total = sum(self.seconds.values())
        percents = {name: round(100 * s / total) for name, s in self.seconds.items() if total}
        parts = ", ".join(f"{percent}% {name}" for name, percent in percents.items() if percent)
        return f"{total:.3g} s: {parts}"


_measured: list[TimeSpent] = []


@contextmanager
def measured() -> Iterator[TimeSpent]:
    """Measure the sections that are entered while this is open.

    >>> with measured() as spent:
    ...     with section("training"):
    ...         time.sleep(0.01)
    >>> spent.seconds["training"] >= 0.01
    True
    """
    spent = TimeSpent()
    _measured.append(spent)
    try:
        yield spent
    finally:
        spent.enter("other")
        _measured.remove(spent)


@contextmanager
def section(name: str) -> Iterator[None]:
    """Count the time that this is open for a section of the search that is measured, if any is.

    Args:
        name: One of `SECTIONS`.
    """
    spent = _measured[-1] if _measured else None
    if spent is None:
        yield
        return
    spent.enter(name)
    try:
        yield
    finally:
        spent.leave()
