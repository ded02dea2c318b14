"""Trials in several processes at once: on the cores of a machine, or on a cluster."""

from __future__ import annotations

from typing import Any

__all__ = ["search"]


def search(
    tuner: Any,
    *args: Any,
    workers: int,
    resources_per_worker: dict[str, float] | None = None,
    address: str | None = None,
    heartbeat_timeout: float = 60.0,
    progress_timeout: float | None = None,
    **kwargs: Any,
) -> None:
    """Run the search of a tuner in several processes, which Ray starts.

    One process has the oracle, and the others train.  The search goes on if any of them dies; call
    it again if this one does.  When it returns, the tuner has the results, as after its own
    `search`.

    Args:
        tuner: A tuner of kt_extras or of KerasTuner.
        *args: As for the `search` of the tuner.  In place of data that cannot be sent to other
            processes, such as a `tf.data.Dataset` or a generator, pass a function without
            arguments that returns them; each worker calls it once.
        workers: How many processes train.  An integer from 1.
        resources_per_worker: What Ray reserves for each of them: a dictionary from the names of
            resources to numbers from 0, such as `{"CPU": 4, "GPU": 1}`.  Defaults to None:
            `{"CPU": 1}`.
        address: The address of a Ray cluster, such as `"auto"` or `"ray://head:10001"`.  Defaults
            to None: Ray is started on this machine, and ended with the search.
        heartbeat_timeout: Seconds after which a process that is not heard from is replaced, and
            its trial run again.  Defaults to 60.
        progress_timeout: Seconds without the end of an epoch or of a trial after which a process
            counts as hung, and is replaced.  Defaults to None: it never does.
        **kwargs: As for the `search` of the tuner.

    Raises:
        KeyboardInterrupt: The user has ended the search; everything is saved.
        ModuleNotFoundError: Ray is not installed.
        RuntimeError: Workers die before their first trial, or too many trials have failed.
        TypeError: An argument has the wrong type, or cannot be sent to other processes.
        ValueError: An argument is out of its range.

    >>> search(None, workers=0)
    Traceback (most recent call last):
    ValueError: `workers` must be an integer from 1, got 0.
    """
    from kt_extras.parallel.ray_search import RaySearch  # loads KerasTuner
    from kt_extras.parallel.settings import Settings

    settings = Settings(workers, resources_per_worker, address, heartbeat_timeout, progress_timeout)
    RaySearch(tuner, settings).run(args, kwargs)
