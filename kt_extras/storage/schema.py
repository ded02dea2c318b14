"""The tables of a database of searches.

`kte_records` is the truth: every record of every project, in order.  All other tables are derived
from it, for those who ask in SQL; the names begin with `kte_` since the database may hold more.
What is no finite number is NULL in a column of numbers, on every database, so that `min`, `max`
and `avg` pass over it; `nonfinite` then says what it was: `nan`, `inf` or `-inf`.

The best trials of a project, where less is better:

    SELECT trial, score FROM kte_trials JOIN kte_projects ON kte_projects.id = kte_trials.project
    WHERE kte_projects.name = 'digits' AND score IS NOT NULL ORDER BY score LIMIT 10

A learning curve:

    SELECT epoch, value FROM kte_epoch_metrics
    WHERE project = 1 AND trial = '0007' AND execution = 0 AND name = 'val_loss' ORDER BY epoch
"""

from __future__ import annotations

from typing import Any

from kt_extras.storage.errors import StorageError
from kt_extras.storage.sql import sa

FORMAT = 1

metadata = sa.MetaData()


def _of_project() -> sa.Column[int]:
    return sa.Column("project", sa.Integer, sa.ForeignKey("kte_projects.id"), primary_key=True)


def _trial_key() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["project", "trial"], ["kte_trials.project", "kte_trials.trial"])


def _key(name: str, type_: type[sa.types.TypeEngine[Any]]) -> sa.Column[Any]:
    return sa.Column(name, type_, primary_key=True, autoincrement=False)


formats = sa.Table("kte_format", metadata, _key("format", sa.Integer))

projects = sa.Table(
    "kte_projects",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("records", sa.BigInteger, nullable=False),  # how many there must be
    sa.Column("objective", sa.Text),
    sa.Column("seed", sa.Text),  # any integer from 0, and databases have 64 bits
)

records = sa.Table(
    "kte_records",
    metadata,
    _of_project(),
    _key("sequence", sa.BigInteger),  # from 1, without gaps
    sa.Column("kind", sa.Text),
    sa.Column("checksum", sa.BigInteger, nullable=False),  # CRC-32 of the text
    sa.Column("record", sa.Text, nullable=False),  # JSON, ASCII only
    sqlite_with_rowid=False,
)

trials = sa.Table(
    "kte_trials",
    metadata,
    _of_project(),
    _key("trial", sa.Text),
    sa.Column("number", sa.BigInteger, nullable=False),  # from 0, in the order of beginning
    sa.Column("state", sa.Text, nullable=False),
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

trial_values = sa.Table(
    "kte_trial_values",
    metadata,
    _of_project(),
    _key("trial", sa.Text),
    _key("name", sa.Text),
    sa.Column("value", sa.Text),  # as text, whatever it is
    sa.Column("number", sa.Double),  # numbers and booleans again, as numbers
    _trial_key(),
    sqlite_with_rowid=False,
)

epoch_metrics = sa.Table(
    "kte_epoch_metrics",
    metadata,
    _of_project(),
    _key("trial", sa.Text),
    _key("execution", sa.BigInteger),
    _key("epoch", sa.BigInteger),
    _key("name", sa.Text),
    sa.Column("value", sa.Double),
    sa.Column("nonfinite", sa.Text),
    _trial_key(),
    sqlite_with_rowid=False,
)

trial_results = sa.Table(  # metrics that came with the end of a trial rather than with an epoch
    "kte_trial_results",
    metadata,
    _of_project(),
    _key("trial", sa.Text),
    _key("name", sa.Text),
    sa.Column("value", sa.Double),
    sa.Column("nonfinite", sa.Text),
    _trial_key(),
    sqlite_with_rowid=False,
)

DERIVED = (trial_results, epoch_metrics, trial_values, trials)  # in the order of their removal


def is_laid_out(connection: sa.Connection, storage: str) -> bool:
    """Tell whether the tables are there.

    Args:
        connection: To the database.
        storage: What an error calls it.

    Raises:
        StorageError: A newer version has made them.
    """
    if not sa.inspect(connection).has_table(formats.name):
        return False
    found = connection.scalar(sa.select(sa.func.max(formats.c.format)))
    if found is not None and found > FORMAT:
        raise StorageError(
            f"`storage` {storage} has format {found}, made by a newer kt_extras; this one knows up "
            f"to {FORMAT}.  Upgrade kt_extras, or choose another database."
        )
    return found is not None


def lay_out(connection: sa.Connection) -> None:
    """Make the tables."""
    metadata.create_all(connection)
    connection.execute(sa.insert(formats).values(format=FORMAT))
