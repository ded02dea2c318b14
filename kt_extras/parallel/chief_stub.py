"""The calls of a worker, which survive the death of its chief."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NoReturn

import grpc

from kt_extras.bridge.chief_protocol import stub_of
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.parallel.address import Address
from kt_extras.parallel.ended_search import EndedSearch
from kt_extras.parallel.heartbeat import Heartbeat
from kt_extras.parallel.wire import (
    KIND,
    NUMBER,
    OPTIONS,
    TAKEN,
    WORKER,
    WORKERS,
    ChiefError,
    SearchOverError,
    entries,
    error_of,
    process_name,
    text_of,
)

_ATTEMPT = 60.0  # seconds for an answer, after which the call is repeated
_TURN = 2.0  # seconds between looks at whether the search is over, while there is no chief
_PAUSE = 0.2  # seconds before a call is repeated
# Seconds without a chief before the records are believed that the search is over: the chief of
# another one may be starting.
_UNTIL_OVER = 30.0
_UNTIL_OVER_ONCE_MET = 5.0
_LEAVING = 5.0  # seconds to tell the chief that this process ends

_REPEATED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)
_OPTIONS = (
    *OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


class ChiefStub:
    """Makes the calls of KerasTuner's client, in place of KerasTuner's own stub.

    A call is repeated while there is no chief, with its number, so that a chief that has done it
    already does not do it again.

    Args:
        address: Where the chief listens.
        tuner_id: What the user calls this worker.
        ended: Says whether the search is over.
        is_shared: Whether other processes train the same trials under the same name, as with a
            `tf.distribute.MultiWorkerMirroredStrategy`.  Defaults to a function that says no.
    """

    def __init__(
        self,
        address: Address,
        tuner_id: str,
        ended: EndedSearch,
        is_shared: Callable[[], bool] = lambda: False,
    ) -> None:
        self._address, self._ended, self._is_shared = address, ended, is_shared
        self._tuner_id, self._name = tuner_id, process_name(tuner_id)
        self._channel = grpc.insecure_channel(str(address), _OPTIONS)
        self._stub = stub_of(self._channel)
        self._leave = self._channel.unary_unary(f"/{WORKERS}/Leave")
        self._numbers = itertools.count()
        self._met = False
        self._failure: str | None = None

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """Return a call of KerasTuner's protocol."""
        if method.startswith("_"):
            raise AttributeError(method)
        return partial(self._call, method)

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Let the chief hear that this process lives, and if an error ends it before the search."""
        heartbeat = Heartbeat(self._channel, self._metadata, self._fail)
        heartbeat.start()
        try:
            yield
        except ChiefError:
            raise
        except BaseException as error:
            text = f"{type(error).__name__}: {text_of(error)}".encode()
            with suppress(grpc.RpcError):  # then the chief notices it by the silence
                self._leave(text, metadata=self._metadata, timeout=_LEAVING)
            raise
        finally:
            heartbeat.stop()

    @property
    def _metadata(self) -> tuple[tuple[str, Any], ...]:
        name = self._tuner_id if self._is_shared() else self._name
        return ((WORKER, name.encode()),)

    def _call(
        self, method: str, request: Any, *, timeout: float, wait_for_ready: bool = True
    ) -> Any:
        """Make a call, again and again while there is no chief, for `timeout` seconds."""
        number = () if self._is_shared() else ((NUMBER, str(next(self._numbers))),)
        metadata, began = (*self._metadata, *number), time.monotonic()
        while True:
            self._raise_if_failed()
            try:
                answer = getattr(self._stub, method)(request, metadata=metadata, timeout=_ATTEMPT)
            except grpc.RpcError as error:
                if not (wait_for_ready and error.code() in _REPEATED):
                    self._raise(error)
                self._wait_for_chief(began, timeout)
            else:
                self._met = True
                return answer

    def _wait_for_chief(self, began: float, timeout: float) -> None:
        """Return when a chief listens.

        Raises:
            SearchOverError: None does, and the search is over.
            ChiefError: None does for too long.
        """
        time.sleep(_PAUSE)
        while True:
            ready = grpc.channel_ready_future(self._channel)
            try:
                return ready.result(timeout=_TURN)
            except grpc.FutureTimeoutError:
                ready.cancel()
            self._raise_if_failed()
            waited = time.monotonic() - began
            if waited > (_UNTIL_OVER_ONCE_MET if self._met else _UNTIL_OVER):
                self._raise_if_over()
            if waited > timeout:
                raise ChiefError(
                    f"No chief has answered at {self._address} for {waited / 60:.0f} minutes.  "
                    'Start the process whose `KERASTUNER_TUNER_ID` is "chief", and check that '
                    "`KERASTUNER_ORACLE_IP` and `KERASTUNER_ORACLE_PORT` are the same in all "
                    "processes."
                )

    def _raise_if_over(self) -> None:
        if reason := self._ended.reason():
            raise SearchOverError(
                f"The search has ended, and its chief at {self._address} too: {reason}  Its "
                "results can be had in a process without the variable `KERASTUNER_ORACLE_IP`."
            )

    def _raise_if_failed(self) -> None:
        if self._failure is not None:
            raise ChiefError(self._failure)

    def _fail(self, text: str) -> None:
        """Note the error that has ended the chief."""
        if self._failure is None:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - a trial may run for long yet
        self._failure = text

    def _raise(self, error: Any) -> NoReturn:
        """Raise the error that the chief has sent."""
        metadata, text = entries(error.trailing_metadata()), error.details()
        if TAKEN in metadata:
            raise TrialTakenError(metadata[TAKEN]) from None
        if KIND in metadata:
            raise error_of(metadata[KIND], text) from None
        if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
            self._failure = text
            raise ChiefError(text) from None
        raise error
