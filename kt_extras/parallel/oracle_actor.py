"""The process that has the oracle of a search: an actor of Ray, started anew if it dies."""

from __future__ import annotations

import io
import threading
import time
from contextlib import redirect_stdout
from typing import Any, NamedTuple

from kt_extras.parallel.answers import Answer, answered
from kt_extras.parallel.direct_calls import CallServer, Contact
from kt_extras.parallel.places import Place

BEATS = "beats"  # the group of threads that take heartbeats, while others decide
_PATIENCE = 15.0  # seconds in which the process of an earlier driver ends
_PAUSE = 0.2


class News(NamedTuple):
    """What the driver of a search is told.

    Attributes:
        silent: Workers that were not heard from for too long; their trials are run again.
        hung: Workers that are heard from, but whose training does not go on.
        asked: Workers that have asked for a trial.
        boards: Trials that are shown in TensorBoard, with the directory.
        ended_because: Why the search has ended, None if it has not.
        said: What the oracle has printed.
    """

    silent: list[str]
    hung: list[str]
    asked: set[str]
    boards: list[tuple[str, str]]
    ended_because: str | None
    said: str


class OracleActor:
    """Answers the calls of workers.

    It is opened with the first call: what is on record is taken up, also after its death.

    Args:
        pickled: The oracle, as `cloudpickle` writes it.
        place: Where the driver runs.
        timeout: Seconds after which a worker that is not heard from has died.
        progress_timeout: Seconds without a call after which a worker hangs, or None.
    """

    def __init__(
        self,
        pickled: bytes,
        place: Place,
        timeout: float,
        progress_timeout: float | None,
    ) -> None:
        self._pickled, self._place = pickled, place
        self._timeout, self._progress_timeout = timeout, progress_timeout
        self._lock = threading.RLock()  # held while the oracle is asked
        self._opened: Any = None
        self._calls: CallServer | None = None
        self._moved: dict[str, float] = {}  # when a worker was last seen to go on
        self._asked: set[str] = set()
        self._boards: list[tuple[str, str]] = []
        self._output = io.StringIO()

    # For the driver.

    def open(self) -> Answer:
        """Take up what is on record."""
        return answered(lambda: self._service and None)

    def poll(self, known_boards: int) -> Answer:
        """Return what has happened, and lose workers that are silent.

        Args:
            known_boards: How many of the directories of TensorBoard the driver knows.
        """
        with self._lock:
            return answered(lambda: self._news(known_boards))

    def lose(self, worker: str) -> Answer:
        """Let the trials of a worker that has died be run again."""
        with self._lock:
            return answered(lambda: self._lose(worker))

    def stop(self) -> Answer:
        """Give out no more trials, and let workers stop after their running epoch."""
        return answered(lambda: self._service.stop())

    def end_search(self) -> Answer:
        """Give out no more trials."""
        return answered(lambda: self._service.end_search())

    def close(self) -> Answer:
        """Give back the trials that no worker ends, and let other processes search the project."""
        with self._lock:
            return answered(self._close)

    # For workers.

    def contact(self) -> Answer:
        """Return where `call` can be called without Ray."""
        return answered(self._contact)

    def call(self, worker: str, number: int, method: str, *args: Any) -> Answer:
        """Answer a call; see `OracleService.call`."""
        self._moved[worker] = time.monotonic()
        with self._lock, redirect_stdout(self._output):
            if method == "create_trial":
                self._asked.add(worker)
            answer = answered(lambda: self._service.call(worker, number, method, *args))
        return answer._replace(stop_asked=self._opened is not None and self._opened.stop_asked)

    def show(self, trial_id: str, log_dir: str) -> None:
        """Have a trial shown in a directory of TensorBoard."""
        if (trial_id, log_dir) not in self._boards[-100:]:
            self._boards.append((trial_id, log_dir))

    def hear(self, worker: str, has_moved: bool) -> bool:
        """Note that a worker lives; return whether it is to stop.

        Args:
            worker: The worker.
            has_moved: Whether its training has gone on since it was last heard.
        """
        if self._opened is None:
            return False
        self._opened.hear(worker)
        if has_moved or worker not in self._moved:
            self._moved[worker] = time.monotonic()
        return bool(self._opened.stop_asked)

    def _contact(self) -> Contact:
        if self._calls is None:
            import ray

            # First, or two threads would import the same modules, and wait for each other.
            _ = self._service
            self._calls = CallServer(ray.util.get_node_ip_address(), self.call)
        return self._calls.contact

    @property
    def _service(self) -> Any:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self) -> Any:
        self._place.enter()
        import ray
        from ray import cloudpickle

        from kt_extras.parallel.served_oracle import served  # loads KerasTuner

        oracle = cloudpickle.loads(self._pickled)
        service = None
        until = time.monotonic() + _PATIENCE
        while service is None:
            service = served(oracle, self._timeout, last_try=time.monotonic() > until)
            if service is None:
                time.sleep(_PAUSE)
        if (
            not ray.get_runtime_context().was_current_actor_reconstructed
        ):  # the workers of an earlier driver have ended with it
            for worker in service.workers:
                service.lose(worker)
        return service

    def _news(self, known_boards: int) -> News:
        service = self._service
        silent, hung = service.lose_silent(), []
        for worker in silent:
            self._moved.pop(worker, None)
        if self._progress_timeout is not None:
            latest = time.monotonic() - self._progress_timeout
            hung = [worker for worker, moved in list(self._moved.items()) if moved < latest]
        said = self._output.getvalue()
        self._output = io.StringIO()
        return News(
            silent,
            hung,
            set(self._asked),
            self._boards[known_boards:],
            service.ended_because,
            said,
        )

    def _lose(self, worker: str) -> list[str]:
        self._moved.pop(worker, None)
        self._asked.discard(worker)
        return list(self._service.lose(worker))

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
