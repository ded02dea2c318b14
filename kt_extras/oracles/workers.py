"""The names of workers, of which one may train several trials at once."""

from __future__ import annotations

_PART = "#"  # not "-", with which users number workers


def part_of(worker: str, slot: int) -> str:
    """Return the name under which a worker trains one of several trials.

    >>> part_of("worker-1", 0)
    'worker-1#0'
    """
    return f"{worker}{_PART}{slot}"


def worker_of(name: str) -> str:
    """Return the worker that trains under a name.

    >>> worker_of("worker-1#0"), worker_of("worker-1")
    ('worker-1', 'worker-1')
    """
    return name.partition(_PART)[0]
