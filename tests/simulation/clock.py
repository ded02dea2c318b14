"""Time under the test's control."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

_TICK = 0.001  # seconds that pass at every look at a clock


class Clock:
    """A monotonic clock and a wall clock that stand still unless they are looked at or moved.

    Attributes:
        monotonic, wall: Seconds.
    """

    def __init__(self) -> None:
        self.monotonic, self.wall = 1000.0, 1.7e9

    def pass_by(self, seconds: float) -> None:
        """Let time pass, as when the machine sleeps."""
        self.monotonic += seconds
        self.wall += seconds

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, which the monotonic clock does not see."""
        self.wall += seconds

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Replace the clocks of the module `time`."""
        with (
            mock.patch.object(time, "monotonic", self._look),
            mock.patch.object(time, "time", self._look_at_wall),
            mock.patch.object(time, "sleep", self.pass_by),
        ):
            yield

    def _look(self) -> float:
        self.pass_by(_TICK)
        return self.monotonic

    def _look_at_wall(self) -> float:
        self.pass_by(_TICK)
        return self.wall
