"""The folds of a trial that are compared with those of the best trial."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras_tuner

from kt_extras.bridge.metrics import Last, Metrics
from kt_extras.bridge.objective import loss_of
from kt_extras.records.scores import best_of
from kt_extras.records.trial_record import TrialRecord

Executions = Sequence[dict[int, Metrics]]


def ended_folds(record: TrialRecord, last: Last | None) -> Executions:
    """Return the folds of a trial, if one has just ended; none otherwise.

    Where the end of a fold was not foreseen, as with early stopping, it is known in the first epoch
    of the next one.

    Args:
        record: The trial, which has just reported an epoch.
        last: What ends with the epoch.
    """
    if last is Last.OF_EXECUTION:
        return record.executions
    return record.executions[:-1] if len(record.executions[-1]) == 1 else []


def losses_of(executions: Executions, objective: keras_tuner.Objective) -> list[float]:
    """Return the lowest loss of each execution, infinite where there is none."""
    found = (best_of(run, objective) for run in executions)
    return [math.inf if best is None else loss_of(objective, best[0]) for best in found]
