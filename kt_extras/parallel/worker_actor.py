"""A process that trains: an actor of Ray."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any

from kt_extras.parallel.answers import Answer, Failure
from kt_extras.parallel.places import Place

_BEATS = 4  # in the time after which a silent worker has died
_LONGEST = 2.0  # seconds between two, so that a worker soon knows that it is to stop


class WorkerActor:
    """Runs the search of a tuner that asks an oracle elsewhere.

    Args:
        name: The name of the worker.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def where(self) -> tuple[str, int]:
        """Return the machine and the number of this process."""
        return socket.gethostname(), os.getpid()

    def run(self, oracle: Any, sent: list[Any], place: Place, workers: int, timeout: float) -> Any:
        """Run trials until there are no more.

        Args:
            oracle: The actor that has the oracle.
            sent: References to the tuner and to the arguments of `search`.
            place: Where the driver runs.
            workers: How many workers there are to be.
            timeout: Seconds after which a worker that is not heard from has died.

        Returns:
            An `Answer`: what a tuner of kt_extras says of its time, and whether the user has
            interrupted the search; or the error that has ended it.
        """
        try:
            place.enter()
            return self._work(oracle, sent, workers, timeout)
        except KeyboardInterrupt:
            return Answer(None, stop_asked=True)
        except BaseException as error:
            return Answer(None, Failure.of(error))

    def _work(self, oracle: Any, sent: list[Any], workers: int, timeout: float) -> Answer:
        """Run trials, heard from meanwhile."""
        import ray

        from kt_extras.parallel.remote_oracle import Heart, Link  # loads KerasTuner

        link = Link(ray, oracle, self._name)
        heart = Heart(link, min(timeout / _BEATS, _LONGEST))
        heart.start()
        try:
            report = self._search(link, ray.get(sent), workers)
        finally:
            heart.end()
        return Answer(report, stop_asked=link.stop_asked)

    def _search(self, link: Any, received: list[Any], workers: int) -> Any:
        from ray import cloudpickle

        from kt_extras.parallel.remote_oracle import RemoteMonitor, RemoteOracle
        from kt_extras.parallel.sent_data import called

        tuner = cloudpickle.loads(received[0])
        args, kwargs = called(*received[1])
        is_ours = hasattr(tuner, "_work_for")
        remote = RemoteOracle(tuner.oracle, link, workers, waits=not is_ours)
        if is_ours:
            tuner._work_for(remote, link.worker, RemoteMonitor(link))
            link.stop = tuner._ask_to_stop
        else:
            tuner.oracle = remote
            _watch_epochs(tuner, link)
        try:
            tuner.search(*args, **kwargs)
        except BaseException:
            with suppress(Exception):  # the first error is the one to see
                remote.give_back_all()
            raise
        return getattr(tuner, "_time_report", None)


def _watch_epochs(tuner: Any, link: Any) -> None:
    """Let a tuner of KerasTuner say that an epoch has ended, and stop there if it is asked to."""
    inner = tuner.on_epoch_end

    def on_epoch_end(*args: Any, **kwargs: Any) -> None:
        inner(*args, **kwargs)
        link.has_moved = True
        if link.stop_asked:
            raise KeyboardInterrupt

    tuner.on_epoch_end = on_epoch_end
