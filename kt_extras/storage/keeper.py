"""A thread that keeps a connection alive."""

from __future__ import annotations

import threading
from collections.abc import Callable

_SECONDS = 1.0  # between two calls


class Keeper:
    """Calls a function every second, in a thread that ends with `stop` or the process.

    Args:
        keep: The function.
    """

    def __init__(self, keep: Callable[[], None]) -> None:
        self._keep, self._stopped = keep, threading.Event()
        threading.Thread(target=self._run, name="kt_extras keeper", daemon=True).start()

    def stop(self) -> None:
        """End the thread after its running call; do not wait for it."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(_SECONDS):
            self._keep()
