"""Tells the chief that a worker lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc

from kt_extras.parallel.wire import WORKERS

_INTERVAL = 1.0  # seconds, until the chief has said how often it wants to hear
_PATIENCE = 5.0  # seconds for an answer


class Heartbeat:
    """A thread that tells the chief, every few seconds, that this process lives.

    How often is the chief's answer.  A chief that is not there is told again later; one of
    KerasTuner's own, which takes no heartbeats, is told nothing.

    Args:
        channel: A `grpc.Channel` to the chief.
        metadata: Who this is.
        failed: Called with the text of the error that has ended the chief.
    """

    def __init__(self, channel: Any, metadata: Any, failed: Callable[[str], None]) -> None:
        self._beat = channel.unary_unary(f"/{WORKERS}/Beat")
        self._metadata, self._failed = metadata, failed
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kt_extras-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, at once."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        interval = _INTERVAL
        while True:
            try:
                answer = self._beat(b"", metadata=self._metadata, timeout=_PATIENCE)
                interval = float(answer)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return
                if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                    self._failed(error.details())
            if self._stopped.wait(interval):
                return
