"""The names of workers, of which one may train several trials at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.trial_record import TrialRecord

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


def would_overtake(records: Sequence[TrialRecord]) -> bool:
    """Tell whether the next member of a population would be compared before one that trains.

    Members are apart by a part of their training where a process has died.

    Args:
        records: All members.
    """
    running = [one.epoch_budget or math.inf for one in records if one.state is TrialState.RUNNING]
    paused = [one.trained for one in records if one.state is TrialState.PAUSED]
    return min(paused, default=0) >= min(running, default=math.inf)
