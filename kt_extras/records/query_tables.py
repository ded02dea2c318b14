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


def _of_trial(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.project == sa.bindparam("of_project"), table.c.trial == sa.bindparam("of_trial")
    )


# Statements are built once: for each record that would cost more than to execute them.
_LAST = sa.select(sa.func.max(trials.c.number)).where(
    trials.c.project == sa.bindparam("of_project")
)
_PROJECT = sa.update(projects).where(projects.c.id == sa.bindparam("of_project"))
_BEGIN = sa.insert(trials).values(number=sa.func.coalesce(_LAST.scalar_subquery() + 1, 0))
_BEGIN_AGAIN = sa.update(trials).where(_of_trial(trials)).values(attempt=trials.c.attempt + 1)
_PROGRESS = sa.select(trials.c.execution, trials.c.epoch, trials.c.epochs).where(_of_trial(trials))
_CHANGE = sa.update(trials).where(_of_trial(trials))
_DELETE = {
    t: sa.delete(t).where(_of_trial(t)) for t in (trial_values, epoch_metrics, trial_results)
}
_FORGET_EPOCHS = _DELETE[epoch_metrics].where(epoch_metrics.c.epoch >= sa.bindparam("kept"))
_INSERT = {table: sa.insert(table) for table in _DELETE}


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
    connection.execute(_PROJECT, {"of_project": project, **values})


def _create(connection: sa.Connection, project: int, record: Record) -> None:
    """Begin a trial, or begin it again: a new attempt keeps the epochs before the last pause."""
    key, kept = _key(project, record), record.get("kept", 0)
    fresh: Row = dict.fromkeys(("score", "best_epoch", "execution", "epoch", "ended", "message"))
    fresh |= {"state": "running", "epochs": kept, "began": record.get("t")}
    fresh |= {"execution": 0, "epoch": kept - 1} if kept else {}
    if connection.execute(_BEGIN_AGAIN, key | fresh).rowcount:
        connection.execute(_FORGET_EPOCHS, key | {"kept": kept})
        connection.execute(_DELETE[trial_results], key)
    else:
        own = {"project": project, "trial": record["trial"], "attempt": 1}
        connection.execute(_BEGIN, {"of_project": project} | own | fresh)
    _set_values(connection, project, record)


def _resume(connection: sa.Connection, project: int, record: Record) -> None:
    """Let a trial that was paused run again, perhaps with what another one had."""
    fresh: Row = dict.fromkeys(("score", "best_epoch", "ended", "message"))
    connection.execute(_CHANGE, _key(project, record) | fresh | {"state": "running", "attempt": 1})
    if "values" in record:
        _set_values(connection, project, record)


def _report(connection: sa.Connection, project: int, record: Record) -> None:
    """Add an epoch; a step that does not go on from the last one begins a new execution."""
    key, step = _key(project, record), record["step"]
    row = connection.execute(_PROGRESS, key).first()
    if row is None:
        return
    execution, last, epochs = row
    if last is None or step <= last:
        execution, last = (0 if execution is None else execution + 1), -1
    progress = {"execution": execution, "epoch": step, "epochs": epochs + step - last}
    connection.execute(_CHANGE, key | progress)
    own = {"project": project, "trial": record["trial"], "execution": execution, "epoch": step}
    _insert(connection, epoch_metrics, [own | m for m in _metrics(record["metrics"])])


def _end(connection: sa.Connection, project: int, record: Record) -> None:
    key, score = _key(project, record), record.get("score")
    ending = {
        "state": record["state"],
        "score": score,
        "best_epoch": None if score is None else record.get("best_step"),
        "ended": record.get("t"),
        "message": _plain(record.get("message")),
    }
    if not connection.execute(_CHANGE, key | ending).rowcount:
        return
    _set_values(connection, project, record)
    connection.execute(_DELETE[trial_results], key)
    own = {"project": project, "trial": record["trial"]}
    _insert(connection, trial_results, [own | m for m in _metrics(record.get("results", {}))])


_CHANGES: dict[str, Callable[[sa.Connection, int, Record], None]] = {
    "project": _project,
    "create": _create,
    "report": _report,
    "resume": _resume,
    "end": _end,
}


def _key(project: int, record: Record) -> Row:
    return {"of_project": project, "of_trial": record["trial"]}


def _set_values(connection: sa.Connection, project: int, record: Record) -> None:
    connection.execute(_DELETE[trial_values], _key(project, record))
    own = {"project": project, "trial": record["trial"]}
    rows = [
        {**own, "name": _plain(name), "value": _text(value), "number": _number(value)}
        for name, value in record.get("values", {}).items()
    ]
    _insert(connection, trial_values, rows)


def _insert(connection: sa.Connection, table: sa.Table, rows: list[Row]) -> None:
    if rows:
        connection.execute(_INSERT[table], rows)


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
