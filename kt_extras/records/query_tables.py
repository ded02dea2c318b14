"""The tables of a database that are derived from the events of a search, for queries in SQL.

NaN and infinities are NULL in a column of numbers, on every database, so that `min`, `max` and
`avg` skip them; the column `nonfinite` then holds `nan`, `inf` or `-inf`.

The best trials of a project, where less is better:

    SELECT trial, score FROM kte_trials JOIN kte_projects ON kte_projects.id = kte_trials.project
    WHERE kte_projects.name = 'digits' AND score IS NOT NULL ORDER BY score LIMIT 10

A learning curve:

    SELECT epoch, value FROM kte_epoch_metrics
    WHERE project = 1 AND trial = '0007' AND execution = 0 AND name = 'val_loss' ORDER BY epoch
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from kt_extras.bridge.metrics import encoded
from kt_extras.bridge.metrics import rows as epochs_in
from kt_extras.records.events import (
    EpochReported,
    ProjectOpened,
    TrialAdded,
    TrialBegun,
    TrialEnded,
    TrialResumed,
    from_record,
)
from kt_extras.search import Point
from kt_extras.storage.schema import key_column, project_column, projects
from kt_extras.storage.sql import sa

Row = dict[str, Any]

_metadata = sa.MetaData()


def _trial_key() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["project", "trial"], ["kte_trials.project", "kte_trials.trial"])


trials = sa.Table(
    "kte_trials",
    _metadata,
    project_column(),
    key_column("trial", sa.Text),
    sa.Column("number", sa.BigInteger, nullable=False),  # from 0, in the order of beginning
    sa.Column("state", sa.Text, nullable=False),  # the value of a `TrialState`
    sa.Column("attempt", sa.Integer, nullable=False),  # from 1; what follows is of the last one
    sa.Column("score", sa.Double),
    sa.Column("best_epoch", sa.BigInteger),
    sa.Column("epochs", sa.BigInteger, nullable=False),  # trained, over all executions
    sa.Column("execution", sa.BigInteger),  # the last one and its last epoch, both from 0
    sa.Column("epoch", sa.BigInteger),
    sa.Column("began", sa.Double),  # seconds on the search's clock
    sa.Column("ended", sa.Double),
    sa.Column("message", sa.Text),
    sa.UniqueConstraint("project", "number"),
    sqlite_with_rowid=False,
)

trial_values = sa.Table(  # the values of the active hyperparameters
    "kte_trial_values",
    _metadata,
    project_column(),
    key_column("trial", sa.Text),
    key_column("name", sa.Text),
    sa.Column("value", sa.Text),  # as text, also for numbers and booleans
    sa.Column("number", sa.Double),  # numbers and booleans again, as numbers
    _trial_key(),
    sqlite_with_rowid=False,
)

epoch_metrics = sa.Table(
    "kte_epoch_metrics",
    _metadata,
    project_column(),
    key_column("trial", sa.Text),
    key_column("execution", sa.BigInteger),
    key_column("epoch", sa.BigInteger),
    key_column("name", sa.Text),
    sa.Column("value", sa.Double),
    sa.Column("nonfinite", sa.Text),
    _trial_key(),
    sqlite_with_rowid=False,
)

trial_results = sa.Table(  # metrics that came with the end of a trial rather than with an epoch
    "kte_trial_results",
    _metadata,
    project_column(),
    key_column("trial", sa.Text),
    key_column("name", sa.Text),
    sa.Column("value", sa.Double),
    sa.Column("nonfinite", sa.Text),
    _trial_key(),
    sqlite_with_rowid=False,
)


class SearchTables:
    """Keeps `kte_trials` and the tables that refer to it up to date with the events of a search.

    It also sets the columns `objective` and `seed` of `kte_projects`.  An event costs a few
    statements on rows that are found by their key, however many rows there are.

    >>> import tempfile
    >>> from kt_extras.storage.database import Database
    >>> url = f"sqlite:///{tempfile.mkdtemp()}/runs.db"
    >>> with Database(url, "digits", SearchTables()) as database:
    ...     database.append({"kind": "create", "trial": "0000", "values": {"units": 8}, "t": 0.5})
    >>> with sa.create_engine(url).connect() as connection:
    ...     connection.execute(sa.text("SELECT trial, state FROM kte_trials")).all()
    [('0000', 'running')]
    """

    tables = (trials, trial_values, epoch_metrics, trial_results)

    def update(self, connection: sa.Connection, project: int, record: Mapping[str, Any]) -> None:
        """Bring the tables up to date with one more record.

        Kinds of records and fields that this version does not know change nothing.

        Args:
            connection: A connection in the transaction that writes the record.
            project: The `kte_projects.id` of the project.
            record: An event as `kt_extras.records.events.to_record` returns it.

        Raises:
            kt_extras.storage.StorageError: A field that the event must have is missing.
        """
        change = _CHANGES.get(record.get("kind", ""))
        if change is not None:
            change(connection, project, from_record(record))


def _of_trial(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.project == sa.bindparam("of_project"), table.c.trial == sa.bindparam("of_trial")
    )


# Statements are built once: to build one takes longer than to execute it.
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


def _open_project(connection: sa.Connection, project: int, event: ProjectOpened) -> None:
    values = {
        "objective": _plain(event.objective),
        "seed": None if event.seed is None else str(event.seed),
    }
    connection.execute(_PROJECT, {"of_project": project, **values})


def _begin_trial(connection: sa.Connection, project: int, event: TrialBegun) -> None:
    """Begin a trial, or another attempt, which keeps the epochs up to the last saved state."""
    key, kept = _key(project, event.trial), event.kept
    new: Row = dict.fromkeys(("score", "best_epoch", "execution", "epoch", "ended", "message"))
    new |= {"state": "running", "epochs": kept, "began": event.t}
    new |= {"execution": 0, "epoch": kept - 1} if kept else {}
    if connection.execute(_BEGIN_AGAIN, key | new).rowcount:
        connection.execute(_FORGET_EPOCHS, key | {"kept": kept})
        connection.execute(_DELETE[trial_results], key)
    else:
        own = {"project": project, "trial": event.trial, "attempt": 1}
        connection.execute(_BEGIN, {"of_project": project} | own | new)
    _set_values(connection, project, event.trial, event.values)


def _resume_trial(connection: sa.Connection, project: int, event: TrialResumed) -> None:
    new: Row = dict.fromkeys(("score", "best_epoch", "ended", "message"))
    new |= {"state": "running", "attempt": 1}
    connection.execute(_CHANGE, _key(project, event.trial) | new)
    if event.values is not None:
        _set_values(connection, project, event.trial, event.values)


def _add_epoch(connection: sa.Connection, project: int, event: EpochReported) -> None:
    """Add an epoch; a step that does not follow the last one begins a new execution."""
    key, step = _key(project, event.trial), event.step
    row = connection.execute(_PROGRESS, key).first()
    if row is None:
        return
    execution, last, epochs = row
    if last is None or step <= last:
        execution, last = (0 if execution is None else execution + 1), -1
    progress = {"execution": execution, "epoch": step, "epochs": epochs + step - last}
    connection.execute(_CHANGE, key | progress)
    own = {"project": project, "trial": event.trial, "execution": execution, "epoch": step}
    _insert(connection, epoch_metrics, [own | m for m in _metric_rows(event.metrics)])


def _end_trial(connection: sa.Connection, project: int, event: TrialEnded) -> None:
    key = _key(project, event.trial)
    ending = {
        "state": event.state,
        "score": event.score,
        "best_epoch": None if event.score is None else event.best_step,
        "ended": event.t,
        "message": _plain(event.message),
    }
    if not connection.execute(_CHANGE, key | ending).rowcount:
        return
    _set_values(connection, project, event.trial, event.values)
    connection.execute(_DELETE[trial_results], key)
    own = {"project": project, "trial": event.trial}
    _insert(connection, trial_results, [own | m for m in _metric_rows(event.results)])


def _add_trial(connection: sa.Connection, project: int, event: TrialAdded) -> None:
    """Add a trial that was trained elsewhere, with its epochs and its end."""
    begun = TrialBegun(trial=event.trial, values=event.values, t=event.began)
    _begin_trial(connection, project, begun)
    for run in event.executions:
        for step, metrics in epochs_in(run).items():
            reported = EpochReported(trial=event.trial, step=step, metrics=encoded(metrics))
            _add_epoch(connection, project, reported)
    _end_trial(connection, project, event)


# By kind, since events of other kinds need not be read. Snapshots are not written to databases,
# so their kinds are not here.
_CHANGES: dict[str, Callable[[sa.Connection, int, Any], None]] = {
    ProjectOpened.kind: _open_project,
    TrialBegun.kind: _begin_trial,
    TrialResumed.kind: _resume_trial,
    EpochReported.kind: _add_epoch,
    TrialEnded.kind: _end_trial,
    TrialAdded.kind: _add_trial,
}


def _key(project: int, trial: str) -> Row:
    return {"of_project": project, "of_trial": trial}


def _set_values(connection: sa.Connection, project: int, trial: str, values: Point) -> None:
    connection.execute(_DELETE[trial_values], _key(project, trial))
    own = {"project": project, "trial": trial}
    rows = [
        {**own, "name": _plain(name), "value": _text(value), "number": _number(value)}
        for name, value in values.items()
    ]
    _insert(connection, trial_values, rows)


def _insert(connection: sa.Connection, table: sa.Table, rows: list[Row]) -> None:
    if rows:
        connection.execute(_INSERT[table], rows)


def _metric_rows(metrics: Mapping[str, float | str]) -> list[Row]:
    """Return a row for each metric; events hold NaN and infinities by their name."""
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
    """Escape the characters that some databases cannot hold: NUL and lone surrogates."""
    if text is None:
        return None
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
