"""The names under which processes that share a search train trials."""

from __future__ import annotations

_OF = "/"  # member/tuner


def worker_in(member: str, tuner_id: str) -> str:
    """Return the name under which a tuner of a process trains.

    Args:
        member: The process.
        tuner_id: The tuner.

    >>> worker_in("ada-4711-0c2f91d3", "tuner0")
    'ada-4711-0c2f91d3/tuner0'
    """
    return f"{member}{_OF}{tuner_id}"


def member_of(worker: str) -> str:
    """Return the process in which a trial is trained.

    Args:
        worker: The name that `worker_in` has returned.

    >>> member_of("ada-4711-0c2f91d3/tuner0")
    'ada-4711-0c2f91d3'
    """
    return worker.partition(_OF)[0]
