"""Tables of what a search has recorded, ready for `pandas.DataFrame`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kt_extras.records.trial_record import Entry


def table(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return one row a trial, ready for `pandas.DataFrame`.

    Returns:
        Rows with `number`, `trial_id`, `state`, `score`, `best_epoch` (from 0), `epochs` (trained,
        over all executions), `seconds`, `message`, and each hyperparameter under its own name
        (`values.<name>` if that is taken); inactive hyperparameters are left out.
    """
    return [_row(entry) for entry in entries]


def _row(entry: Entry) -> dict[str, Any]:
    trial = entry.trial
    row = {
        "number": entry.number,
        "trial_id": trial.trial_id,
        "state": entry.state,
        "score": trial.score,
        "best_epoch": trial.best_step if trial.score is not None else None,
        "epochs": entry.epochs,
        "seconds": entry.seconds,
        "message": trial.message,
    }
    for name, value in entry.best_values.items():
        row[f"values.{name}" if name in row else name] = value
    return row


def epochs_of(entry: Entry) -> dict[str, list[Any]]:
    """Return the metrics of every epoch in columns, ready for `pandas.DataFrame`.

    Returns:
        `execution`, `epoch` (both from 0) and a column a metric, NaN where it was not measured.
    """
    names = list(dict.fromkeys(n for run in entry.executions for m in run.values() for n in m))
    columns: dict[str, list[Any]] = {name: [] for name in ("execution", "epoch", *names)}
    for execution, run in enumerate(entry.executions):
        for epoch, metrics in run.items():
            columns["execution"].append(execution)
            columns["epoch"].append(epoch)
            for name in names:
                columns[name].append(metrics.get(name, math.nan))
    return columns


def lineage_rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return one row a takeover, in the order of epochs and members."""
    numbers = {entry.trial.trial_id: entry.number for entry in entries}
    rows = [
        {
            "epoch": taken.epoch,
            "member": entry.number,
            "parent": numbers[taken.parent],
            "before": dict(taken.before),
            "after": dict(taken.after),
        }
        for entry in entries
        for taken in entry.takeovers
    ]
    return sorted(rows, key=lambda row: (row["epoch"], row["member"]))
