"""Compares the folds of a trial with those of the best trial."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras_tuner

from kt_extras.bridge.metrics import Last, Metrics
from kt_extras.bridge.objective import loss_of
from kt_extras.records.scores import best_of
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search.folds import FoldPruner


def has_worse_folds(
    pruner: FoldPruner,
    record: TrialRecord,
    last: Last | None,
    best: Sequence[TrialRecord],
    objective: keras_tuner.Objective,
) -> bool:
    """Return whether a trial is not worth its other folds.

    That is asked when a fold has ended; if its end was not foreseen, as with early stopping, in the
    first epoch of the next one.

    Args:
        pruner: Decides.
        record: The trial, which has just reported an epoch.
        last: What ends with the epoch.
        best: The best of the other trials, if there is one.
        objective: The search's, with its direction known.
    """
    ended = last is Last.OF_EXECUTION
    if not best or not (ended or len(record.executions[-1]) == 1):
        return False
    runs = record.executions if ended else record.executions[:-1]
    return pruner.should_stop(losses_of(runs, objective), losses_of(best[0].executions, objective))


def losses_of(
    executions: Sequence[dict[int, Metrics]], objective: keras_tuner.Objective
) -> list[float]:
    """Return the lowest loss of each execution, infinite where there is none."""
    found = (best_of(run, objective) for run in executions)
    return [math.inf if best is None else loss_of(objective, best[0]) for best in found]
