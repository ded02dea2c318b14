"""Tables of what a search has recorded, ready for `pandas.DataFrame`."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import Any

import keras_tuner

from kt_extras.records.scores import best_metrics
from kt_extras.records.trial_record import TrialRecord


def table(
    trials: Sequence[TrialRecord], objective: keras_tuner.Objective | None = None
) -> list[dict[str, Any]]:
    """Return one row a trial, ready for `pandas.DataFrame`.

    Args:
        trials: The trials.
        objective: The search's, which says which epoch is the best.  Defaults to None: without
            metrics.

    Returns:
        Rows with `number`, `trial_id`, `state`, `score`, `best_epoch` (from 0), `epochs` (trained,
        over all executions), `seconds`, `message`, each hyperparameter under its own name
        (`values.<name>` if that is taken), and each metric of the best epoch under its own name
        (`metrics.<name>` if that is taken, by a hyperparameter of any trial, too).  Inactive
        hyperparameters are left out, and so are the metrics of trials without a score.
    """
    hyperparameters = {name for record in trials for name in record.best_values}
    return [_row(record, objective, hyperparameters) for record in trials]


def _row(
    record: TrialRecord,
    objective: keras_tuner.Objective | None,
    hyperparameters: Container[str],
) -> dict[str, Any]:
    trial = record.trial
    row = {
        "number": record.number,
        "trial_id": trial.trial_id,
        "state": record.state.value,
        "score": trial.score,
        "best_epoch": trial.best_step if trial.score is not None else None,
        "epochs": record.epochs,
        "seconds": record.seconds,
        "message": trial.message,
    }
    for name, value in record.best_values.items():
        row[f"values.{name}" if name in row else name] = value
    metrics = best_metrics(record, objective) if objective is not None else {}
    for name, metric in metrics.items():
        row[f"metrics.{name}" if name in row or name in hyperparameters else name] = metric
    return row


def history_of(trials: Sequence[TrialRecord], trial_id: str | int) -> dict[str, list[Any]]:
    """Return the metrics of every epoch of one trial, as `epochs_of` does.

    Args:
        trials: All trials.
        trial_id: The id of one, or its number.

    Raises:
        KeyError: There is no such trial.
    """
    for record in trials:
        if trial_id in (record.trial.trial_id, record.number):
            return epochs_of(record)
    known = [record.trial.trial_id for record in trials]
    raise KeyError(f"`trial_id` must be the id or the number of one of {known}, got {trial_id!r}.")


def epochs_of(record: TrialRecord) -> dict[str, list[Any]]:
    """Return the metrics of every epoch in columns, ready for `pandas.DataFrame`.

    Returns:
        `execution`, `epoch` (both from 0) and a column a metric, NaN where it was not measured.
    """
    names = list(dict.fromkeys(n for run in record.executions for m in run.values() for n in m))
    columns: dict[str, list[Any]] = {name: [] for name in ("execution", "epoch", *names)}
    for execution, run in enumerate(record.executions):
        for epoch, metrics in run.items():
            columns["execution"].append(execution)
            columns["epoch"].append(epoch)
            for name in names:
                columns[name].append(metrics.get(name, math.nan))
    return columns


def lineage_rows(trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Return one row a takeover, in the order of epochs and members."""
    numbers = {record.trial.trial_id: record.number for record in trials}
    rows = [
        {
            "epoch": taken.epoch,
            "member": record.number,
            "parent": numbers[taken.parent],
            "before": dict(taken.before),
            "after": dict(taken.after),
        }
        for record in trials
        for taken in record.exploits
    ]
    return sorted(rows, key=lambda row: (row["epoch"], row["member"]))
