"""KerasTuner's chief, which serves an oracle to workers for as long as one of them needs it."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from kt_extras.bridge.chief_protocol import add_calls
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.parallel.address import Address
from kt_extras.parallel.chief_calls import WAITING, ChiefCalls
from kt_extras.parallel.oracle_service import TIMEOUT, OracleService
from kt_extras.parallel.wire import OPTIONS, WORKERS, tuner_of

_VARIABLE = "KT_EXTRAS_WORKER_TIMEOUT"
_WITHOUT_HEARTBEATS = 3600.0  # seconds; KerasTuner's own time-out
_BEATS = 6  # heartbeats in the time after which a silent worker is lost
_MAX_INTERVAL = 5.0  # seconds between two of them
_GRACE = 5.0  # seconds after the last call
_TURN = 0.2  # seconds between looks at whether the search is over
_THREADS = WAITING + 16


class ChiefServer:
    """Serves an oracle until the search has ended and every worker has been told so, or is lost.

    Workers of kt_extras send heartbeats; one that is silent for `timeout` is lost, and its trial is
    run again by others.  KerasTuner's own send none; they are lost after an hour without a call.

    Args:
        oracle: The oracle, in an open session.
        address: Where to listen, and nowhere else.
        timeout: Seconds after which a silent worker is lost. Defaults to the environment variable
            `KT_EXTRAS_WORKER_TIMEOUT`, or 60.
        grace: Seconds for which the chief answers after the last call. Defaults to 5.

    Raises:
        OSError: Nothing can listen at the address, or another process does.
        ValueError: The environment variable is no number above 0.
    """

    def __init__(
        self,
        oracle: SamplerOracle,
        address: Address,
        timeout: float | None = None,
        grace: float = _GRACE,
    ) -> None:
        self._timeout = timeout_from_environment() if timeout is None else timeout
        self._grace = grace
        self._beating: set[str] = set()
        self._said: deque[str] = deque()  # by other threads
        address.check_free()
        self._oracle = oracle
        self._service = OracleService(oracle, timeout=self._timeout_of)
        self._calls = ChiefCalls(oracle, self._service)
        self._told_of_error: set[str] = set()
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="kt_extras-chief"),
            options=(*OPTIONS, ("grpc.so_reuseport", 0)),
        )
        add_calls(self._calls, self._server)
        own = {"Beat": self._beat, "Leave": self._leave}
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(method) for name, method in own.items()
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(WORKERS, handlers),)
        )
        self._server.add_insecure_port(str(address))  # raises if that fails

    def serve(self) -> None:
        """Answer calls until the search is over.

        Raises:
            Exception: What the oracle has raised; the workers were told.
        """
        self._server.start()
        try:
            while not self._is_over():
                time.sleep(_TURN)
                with self._calls.lock:
                    lost = self._service.lose_silent()
                self._say(lost)
            if (error := self._calls.error) is not None:
                self._wait(lambda: self._told_of_error >= self._service.workers)
                raise error
        finally:
            self._server.stop(grace=None).wait()

    def _is_over(self) -> bool:
        calls = self._calls
        if calls.error is not None:
            return True
        quiet = time.monotonic() - calls.latest > self._grace
        return quiet and bool(calls.told) and self._service.workers <= calls.told

    def _wait(self, until: Callable[[], bool]) -> None:
        """Wait until something holds, for as long as all living workers are heard in."""
        last = time.monotonic() + 2 * self._interval + 1
        while time.monotonic() < last and not until():
            time.sleep(_TURN)

    def _say(self, lost: list[str]) -> None:
        """Warn of workers that are lost, or have left."""
        for worker in set(lost) - self._calls.told:
            self._said.append(
                f"Worker {worker} was not heard from for {self._timeout_of(worker):g} seconds; its "
                "trial is run again by another one."
            )
        if self._said and not self._service.workers and not self._calls.told:
            self._said.append(
                "No worker is left.  The search goes on when one is started; or end the chief."
            )
        while self._said:
            warnings.warn(self._said.popleft(), stacklevel=3)

    # What workers of kt_extras send.

    def _beat(self, _: bytes, context: Any) -> bytes:
        """Answer a heartbeat with the seconds until the next one."""
        worker = self._calls.meet(context) or ""
        self._beating.add(worker)
        if self._calls.error is not None:
            self._told_of_error.add(worker)
        self._calls.refuse(context)
        return f"{self._interval:g}".encode()

    def _leave(self, text: bytes, context: Any) -> bytes:
        """Take back the trial of a worker that an error has ended."""
        worker = self._calls.meet(context) or ""
        with self._calls.lock:
            self._service.give_back(worker)
            self._service.lose(worker)
        self._said.append(f"Worker {worker} has ended: {text.decode()}")
        return b""

    @property
    def _interval(self) -> float:
        return min(self._timeout / _BEATS, _MAX_INTERVAL)

    def _timeout_of(self, worker: str) -> float:
        beats = worker in self._beating or tuner_of(worker) is not None
        return self._timeout if beats else max(self._timeout, _WITHOUT_HEARTBEATS)


def timeout_from_environment() -> float:
    """Return after how many seconds a silent worker is lost.

    Raises:
        ValueError: The environment variable is no number above 0.
    """
    given = os.environ.get(_VARIABLE, str(TIMEOUT))
    try:
        timeout = float(given)
    except ValueError:
        timeout = math.nan
    if not 0 < timeout < math.inf:
        raise ValueError(f"`{_VARIABLE}` must be a number of seconds above 0, got {given!r}.")
    return timeout
