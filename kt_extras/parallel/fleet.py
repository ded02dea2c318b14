"""The workers of a search: started, replaced when they die, and ended."""

from __future__ import annotations

import os
import signal
import socket
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from kt_extras.parallel.answers import Answer
from kt_extras.parallel.settings import Settings
from kt_extras.parallel.worker_actor import WorkerActor

_MANY = 3  # workers in a row that die before they ask for a trial, at least


class Job(NamedTuple):
    """What each worker does.

    Attributes:
        oracle: The actor that has the oracle.
        sent: References to the tuner and to the arguments of `search`.
        place: Where the driver runs.
    """

    oracle: Any
    sent: list[Any]
    place: Any


@dataclass
class _Worker:
    name: str
    actor: Any
    where: Any  # a reference to its machine and process
    run: Any  # a reference to how it has ended
    found: tuple[str, int] | None = None  # its machine and process, once they are known


class Fleet:
    """Keeps as many workers as are wanted, of which those run for which there are resources.

    Args:
        ray: The module.
        settings: How many, on what.
        job: What they do.
        lost: Called with the name of a worker that has died.
    """

    def __init__(self, ray: Any, settings: Settings, job: Job, lost: Callable[[str], None]) -> None:
        self._ray, self._settings, self._job, self._lost = ray, settings, job, lost
        self._class = ray.remote(WorkerActor)
        self._workers: dict[Any, _Worker] = {}  # by the reference to their end
        self._died_early = 0  # in a row
        self._asked: set[str] = set()
        for _ in range(settings.workers):
            self._start()

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def waits_alone(self) -> bool:
        """Whether none of the workers has asked for a trial."""
        return not any(worker.name in self._asked for worker in self._workers.values())

    def note_asked(self, names: set[str]) -> None:
        """Note which workers have asked for a trial."""
        if names - self._asked:
            self._died_early = 0
        self._asked |= names

    def wait(self, timeout: float) -> list[Answer]:
        """Return how workers have ended; replace those that have died.

        Args:
            timeout: Seconds to wait for that.

        Raises:
            RuntimeError: One after the other dies before it asks for a trial.
        """
        ended = []
        self._find()
        done, _ = self._ray.wait(list(self._workers), timeout=timeout)
        for ref in done:
            worker = self._workers.pop(ref)
            try:
                ended.append(self._ray.get(ref))
                self._ray.kill(worker.actor)
            except self._ray.exceptions.RayError as error:
                self._replace(worker, f"{error}")
        return ended

    def replace(self, names: list[str], reason: str) -> None:
        """End workers, and start others in their place.

        Args:
            names: Their names; those that there are not are passed over.
            reason: Why.
        """
        for worker in [one for one in self._workers.values() if one.name in names]:
            del self._workers[worker.run]
            self._replace(worker, reason)

    def end(self) -> None:
        """End all workers at once."""
        while self._workers:
            _, worker = self._workers.popitem()
            self._kill(worker)  # it may be stopped

    def _find(self) -> None:
        """Note the processes of workers that run by now."""
        new = {worker.where: worker for worker in self._workers.values() if worker.found is None}
        if new:
            for ref in self._ray.wait(list(new), num_returns=len(new), timeout=0)[0]:
                with suppress(self._ray.exceptions.RayError):  # it has died
                    new[ref].found = self._ray.get(ref)

    def _start(self) -> None:
        name = f"worker-{uuid.uuid4().hex[:12]}"
        settings, job = self._settings, self._job
        environment = {"env_vars": settings.environment()}
        options = settings.actor_options()
        actor = self._class.options(runtime_env=environment, **options).remote(name)
        where = actor.where.remote()
        run = actor.run.remote(
            job.oracle, job.sent, job.place, settings.workers, settings.heartbeat_timeout
        )
        self._workers[run] = _Worker(name, actor, where, run)

    def _replace(self, worker: _Worker, reason: str) -> None:
        self._kill(worker)
        self._lost(worker.name)
        if worker.name not in self._asked:
            self._died_early += 1
            if self._died_early >= max(_MANY, self._settings.workers):
                raise RuntimeError(
                    f"{self._died_early} workers in a row have died before they asked for a trial. "
                    " Look at the memory of the machines, and at what the modules of the tuner do "
                    f"when they are imported.  The last one: {reason}"
                )
        self._start()

    def _kill(self, worker: _Worker) -> None:
        """End a process, also one that is stopped, to which Ray's own message does not come."""
        if worker.found is not None and worker.found[0] == socket.gethostname():
            with suppress(ProcessLookupError):
                os.kill(worker.found[1], signal.SIGKILL)
        with suppress(Exception):
            self._ray.kill(worker.actor)
