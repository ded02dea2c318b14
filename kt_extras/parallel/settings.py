"""How many processes search, on what, and how long they may be silent."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from kt_extras.arguments import check_integer, is_finite, is_number


class Settings:
    """The checked arguments of `kt_extras.parallel.search`.

    Args:
        workers: As there.
        resources_per_worker: As there.
        address: As there.
        heartbeat_timeout: As there.
        progress_timeout: As there.

    Attributes:
        workers: How many processes train.
        resources: What each of them has.
        address: That of the cluster, None for this machine.
        heartbeat_timeout: Seconds.
        progress_timeout: Seconds, or None.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: It is out of its range.

    >>> Settings(2, {"CPU": -1}, None, 60, None)
    Traceback (most recent call last):
    ValueError: `resources_per_worker` must map names to numbers from 0, got {'CPU': -1}.
    """

    def __init__(
        self,
        workers: Any,
        resources_per_worker: Any,
        address: Any,
        heartbeat_timeout: Any,
        progress_timeout: Any,
    ) -> None:
        check_integer("workers", workers, minimum=1)
        _check_resources(resources_per_worker)
        if not (address is None or isinstance(address, str)):
            raise TypeError(f"`address` must be a string or None, got {address!r}.")
        if address == "":
            raise ValueError('`address` must name a cluster, such as "auto", or be None, got "".')
        _check_seconds("heartbeat_timeout", heartbeat_timeout)
        if progress_timeout is not None:
            _check_seconds("progress_timeout", progress_timeout)
        self.workers = int(workers)
        self.resources = {"CPU": 1.0, **(resources_per_worker or {})}
        self.address: str | None = address
        self.heartbeat_timeout = float(heartbeat_timeout)
        self.progress_timeout = progress_timeout

    @property
    def threads(self) -> int:
        """How many threads TensorFlow has in each worker."""
        own = math.ceil(self.resources["CPU"])
        if self.address is None:  # this machine is shared by the workers
            own = max(own, cores() // self.workers)
        return max(own, 1)

    def actor_options(self) -> dict[str, Any]:
        """Return the options of the actors that train."""
        rest = {k: float(v) for k, v in self.resources.items() if k not in {"CPU", "GPU", "memory"}}
        options: dict[str, Any] = {
            "num_cpus": self.resources["CPU"],
            "num_gpus": self.resources.get("GPU", 0),
            "resources": rest,
            "max_restarts": 0,
        }
        if "memory" in self.resources:
            options["memory"] = self.resources["memory"]
        return options

    def environment(self) -> dict[str, str]:
        """Return the environment variables of the workers; those of this process come first."""
        threads = str(self.threads)
        names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
        shares = {name: os.environ.get(name, threads) for name in names}
        given = {k: os.environ[k] for k in ("TF_CPP_MIN_LOG_LEVEL",) if k in os.environ}
        return {**shares, **given}


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_resources(given: Any) -> None:
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise TypeError(
            '`resources_per_worker` must be a dictionary such as `{"CPU": 1, "GPU": 1}`, or None, '
            f"got {given!r}."
        )
    fits = all(isinstance(k, str) and is_finite(v) and v >= 0 for k, v in given.items())
    if not fits:
        raise ValueError(
            f"`resources_per_worker` must map names to numbers from 0, got {dict(given)!r}."
        )


def _check_seconds(name: str, given: Any) -> None:
    if not is_number(given):
        raise TypeError(f"`{name}` must be a number of seconds, got {given!r}.")
    if not (is_finite(given) and given > 0):
        raise ValueError(f"`{name}` must be a number of seconds above 0, got {given!r}.")
