"""The kinds of databases that can hold searches, by the scheme of their URL."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import Protocol

from kt_extras.storage.address import EXAMPLES, parse, shown
from kt_extras.storage.postgresql import PostgreSQL
from kt_extras.storage.sql import sa
from kt_extras.storage.sqlite import SQLite


class Backend(Protocol):
    """The operations that differ between kinds of databases.

    Attributes:
        url: The URL of the database, complete: with its driver, or with the absolute path of its
            file.
        loses_locks: Whether locks end with the connection.
    """

    url: sa.URL
    loses_locks: bool

    def __init__(self, url: sa.URL) -> None:
        """Check the URL and prepare for connections; nothing is opened yet."""

    def exists(self) -> bool:
        """Return whether there is a database that can be queried."""

    def connect(self) -> sa.Connection:
        """Open a connection."""

    def transaction(
        self, connection: sa.Connection, *, writing: bool, sync: bool
    ) -> contextlib.AbstractContextManager[None]:
        """Run the block in one transaction.

        Args:
            connection: From `connect`.
            writing: Whether the block writes.
            sync: Whether the commit waits until the changes are on the disk.
        """

    def lock_tables(self, connection: sa.Connection, /) -> None:
        """Keep other processes from creating the tables until the transaction ends."""

    def lock(self, connection: sa.Connection, project: str, /) -> None:
        """Keep other processes from writing to a project until `unlock`."""

    def unlock(self) -> None:
        """Release all locks of the project, after the connection was closed."""

    def join(self, connection: sa.Connection, project: str, member: str, /) -> None:
        """Hold a lock of a member, and keep others from `lock`, until `unlock`."""

    def living(
        self, connection: sa.Connection, project: str, members: Collection[str], /
    ) -> set[str]:
        """Return those of some members whose locks are held."""

    def has_others(self, connection: sa.Connection, project: str, member: str, /) -> bool:
        """Return whether there are members beside one."""

    def begin_turn(self, connection: sa.Connection, project: str, /) -> None:
        """Wait until no other member is in a turn, and hold the lock of one."""

    def end_turn(self, connection: sa.Connection, project: str, /) -> None:
        """Release the lock of a turn."""

    def has_changed(self, connection: sa.Connection, /) -> bool:
        """Return whether other connections may have written since the last call."""

    def close_in_child(self, connection: sa.Connection, /) -> None:
        """Close the connection in a forked child without releasing the parent's lock."""


#: The class for each scheme of a URL. A further kind of database is one more entry.
BACKENDS: Mapping[str, type[Backend]] = {"sqlite": SQLite, "postgresql": PostgreSQL}


def backend_for(storage: str | sa.URL) -> Backend:
    """Return the backend of the database that a URL names.

    Args:
        storage: The URL, as SQLAlchemy writes URLs.

    Raises:
        ModuleNotFoundError: The driver is not installed.
        TypeError: `storage` is not a string.
        ValueError: `storage` is not a URL, or not one of a known kind of database.

    >>> backend_for("postgresql+psycopg://ada:secret@db.example/runs").url.drivername
    'postgresql+psycopg'
    >>> backend_for("mysql://ada:secret@db.example/runs")
    Traceback (most recent call last):
    ValueError: `storage` must have one of the schemes 'sqlite', 'postgresql', ... got
    'mysql://ada:***@db.example/runs'.
    """
    url = parse(storage)
    scheme = url.get_backend_name()
    if scheme not in BACKENDS:
        known = ", ".join(map(repr, BACKENDS))
        raise ValueError(
            f"`storage` must have one of the schemes {known}, {EXAMPLES}, got {shown(url)!r}."
        )
    return BACKENDS[scheme](url)
