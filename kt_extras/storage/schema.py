"""The tables that hold the records of searches, and the protocol of tables derived from them.

`kte_records` holds every record of every project, in order; a reload reads nothing else.  Tables
for queries in SQL can be derived from it (`QueryTables`).  All names begin with `kte_`, since the
database may hold other tables too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kt_extras.storage.errors import StorageError
from kt_extras.storage.sql import sa

FORMAT = 1
PREFIX = "kte_"

metadata = sa.MetaData()


def key_column(name: str, type_: type[sa.types.TypeEngine[Any]]) -> sa.Column[Any]:
    """Return a column of a primary key."""
    return sa.Column(name, type_, primary_key=True, autoincrement=False)


formats = sa.Table("kte_format", metadata, key_column("format", sa.Integer))

projects = sa.Table(
    "kte_projects",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("records", sa.BigInteger, nullable=False),  # how many there must be
    # Set by the `QueryTables`.
    sa.Column("objective", sa.Text),
    sa.Column("seed", sa.Text),  # any integer from 0, and databases have 64 bits
)


def project_column() -> sa.Column[int]:
    """Return the first column of a primary key: the `kte_projects.id` of the row's project."""
    return sa.Column("project", sa.Integer, sa.ForeignKey(projects.c.id), primary_key=True)


records = sa.Table(
    "kte_records",
    metadata,
    project_column(),
    key_column("sequence", sa.BigInteger),  # from 1, without gaps
    sa.Column("kind", sa.Text),
    sa.Column("checksum", sa.BigInteger, nullable=False),  # CRC-32 of the text
    sa.Column("record", sa.Text, nullable=False),  # JSON, ASCII only
    sqlite_with_rowid=False,
)


class QueryTables(Protocol):
    """Tables that are derived from the records of each project, for queries in SQL."""

    @property
    def tables(self) -> Sequence[sa.Table]:
        """The tables, each after those that it refers to.

        Their names begin with `kte_`, and each has a `project_column`.
        """

    def update(self, connection: sa.Connection, project: int, record: Mapping[str, Any]) -> None:
        """Bring the tables up to date with one more record.

        Args:
            connection: A connection in the transaction that writes the record.
            project: The `kte_projects.id` of the project.
            record: The record, whatever its kind.
        """


def is_created(connection: sa.Connection, storage: str) -> bool:
    """Return whether the tables of records exist.

    Args:
        connection: A connection in a transaction.
        storage: The URL of the database for an error, with its password masked.

    Raises:
        StorageError: A newer version has created them.
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


def create(connection: sa.Connection, query_tables: Sequence[sa.Table]) -> None:
    """Create the tables of records, then those that are derived from them.

    Args:
        connection: A connection in a transaction that writes.
        query_tables: The derived tables, each after those that it refers to.
    """
    metadata.create_all(connection)
    for table in query_tables:
        table.create(connection)
    connection.execute(sa.insert(formats).values(format=FORMAT))


def check_query_tables(
    connection: sa.Connection, query_tables: Sequence[sa.Table], storage: str
) -> None:
    """Raise if a writer would leave the derived tables of the database behind its records.

    Args:
        connection: A connection in a transaction.
        query_tables: The derived tables that the writer keeps up to date.
        storage: The URL of the database for the error, with its password masked.

    Raises:
        StorageError: The database lacks one of them, or has some and the writer keeps none.
    """
    names = {name for name in sa.inspect(connection).get_table_names() if name.startswith(PREFIX)}
    found, kept = names - set(metadata.tables), {table.name for table in query_tables}
    if kept - found or (found and not kept):
        raise StorageError(
            f"`query_tables` must be those of `storage` {storage} where records are written: they "
            f"are {sorted(found)}, got {sorted(kept)}.  For the database of a search pass "
            "`kt_extras.records.query_tables.SearchTables()`."
        )
