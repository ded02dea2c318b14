"""What a record changes in the tables that people query.

Each record costs a few statements on rows that are found by their key, however many there are.
Kinds of records and fields that are not known here are kept in `kte_records` and change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from kt_extras.storage.schema import (
    epoch_metrics,
    projects,
    trial_results,
    trial_values,
    trials,
)
from kt_extras.storage.sql import sa

Record = Mapping[str, Any]
Row = dict[str, Any]


def derive(connection: sa.Connection, project: int, record: Record) -> None:
    """Bring the derived tables up to date with one more record.

    Args:
        connection: In the transaction that writes the record.
        project: The project's `kte_projects.id`.
        record: A plain event with its `kind`.
    """
    change = _CHANGES.get(record.get("kind", ""))
    if change is not None:
        change(connection, project, record)


def _project(connection: sa.Connection, project: int, record: Record) -> None:
    seed = record.get("seed")
    values = {
        "objective": _plain(record.get("objective")),
        "seed": None if seed is None else str(seed),
    }
    connection.execute(sa.update(projects).where(projects.c.id == project).values(values))


def _create(connection: sa.Connection, project: int, record: Record) -> None:
    """Begin a trial, or begin it again: a new attempt keeps nothing of the last one's metrics."""
    trial = record["trial"]
    fresh: Row = dict.fromkeys(("score", "best_epoch", "execution", "epoch", "ended", "message"))
    fresh |= {"state": "running", "epochs": 0, "began": record.get("t")}
    again = sa.update(trials).where(_is(trials, project, trial))
    if connection.execute(again.values(**fresh, attempt=trials.c.attempt + 1)).rowcount:
        for table in (epoch_metrics, trial_results):
            connection.execute(sa.delete(table).where(_is(table, project, trial)))
    else:
        last = sa.select(sa.func.max(trials.c.number)).where(trials.c.project == project)
        number = sa.func.coalesce(last.scalar_subquery() + 1, 0)
        row = {**fresh, "project": project, "trial": trial, "attempt": 1, "number": number}
        connection.execute(sa.insert(trials).values(row))
    _set_values(connection, project, record)


def _report(connection: sa.Connection, project: int, record: Record) -> None:
    """Add an epoch; a step that does not go on from the last one begins a new execution."""
    trial, step = record["trial"], record["step"]
    columns = (trials.c.execution, trials.c.epoch, trials.c.epochs)
    row = connection.execute(sa.select(*columns).where(_is(trials, project, trial))).first()
    if row is None:
        return
    execution, last, epochs = row
    if last is None or step <= last:
        execution, last = (0 if execution is None else execution + 1), -1
    values = {"execution": execution, "epoch": step, "epochs": epochs + step - last}
    connection.execute(sa.update(trials).where(_is(trials, project, trial)).values(values))
    key = {"project": project, "trial": trial, "execution": execution, "epoch": step}
    _insert(connection, epoch_metrics, [key | m for m in _metrics(record["metrics"])])


def _end(connection: sa.Connection, project: int, record: Record) -> None:
    trial, score = record["trial"], record.get("score")
    values = {
        "state": record["state"],
        "score": score,
        "best_epoch": None if score is None else record.get("best_step"),
        "ended": record.get("t"),
        "message": _plain(record.get("message")),
    }
    change = sa.update(trials).where(_is(trials, project, trial)).values(values)
    if not connection.execute(change).rowcount:
        return
    _set_values(connection, project, record)
    connection.execute(sa.delete(trial_results).where(_is(trial_results, project, trial)))
    key = {"project": project, "trial": trial}
    _insert(connection, trial_results, [key | m for m in _metrics(record.get("results", {}))])


_CHANGES: dict[str, Callable[[sa.Connection, int, Record], None]] = {
    "project": _project,
    "create": _create,
    "report": _report,
    "end": _end,
}


def _set_values(connection: sa.Connection, project: int, record: Record) -> None:
    trial = record["trial"]
    connection.execute(sa.delete(trial_values).where(_is(trial_values, project, trial)))
    key = {"project": project, "trial": trial}
    values = record.get("values", {})
    rows = [
        {**key, "name": _plain(name), "value": _text(value), "number": _number(value)}
        for name, value in values.items()
    ]
    _insert(connection, trial_values, rows)


def _insert(connection: sa.Connection, table: sa.Table, rows: list[Row]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _is(table: sa.Table, project: int, trial: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.project == project, table.c.trial == trial)


def _metrics(metrics: Mapping[str, float | str]) -> list[Row]:
    """Return a row a metric; records hold what is no finite number by its name."""
    rows = []
    for name, value in metrics.items():
        number = float(value)
        finite = math.isfinite(number)
        value_columns = {"value": number, "nonfinite": None}
        nonfinite_columns = {"value": None, "nonfinite": str(number)}
        rows.append({"name": _plain(name), **(value_columns if finite else nonfinite_columns)})
    return rows


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else _plain(str(value))


def _number(value: object) -> float | None:
    if not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _plain(text: str | None) -> str | None:
    """Write out the characters that not every database can hold."""
    if text is None:
        return None
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
