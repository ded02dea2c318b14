"""One connection to a database: its transactions, its lock, and what its errors mean."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from typing import Protocol

from kt_extras.storage.address import address, shown, without_secrets
from kt_extras.storage.errors import StorageError
from kt_extras.storage.lock import keep_from_children
from kt_extras.storage.postgresql import PostgreSQL
from kt_extras.storage.schema import is_laid_out, lay_out
from kt_extras.storage.sql import sa
from kt_extras.storage.sqlite import SQLite

_CURES = {
    "database is locked": "  Another process has been writing for too long; end it.",
    "is full": "  Make room on the disk; nothing of the last record was written.",
    "readonly": "  Give this process the right to write the file and its folder.",
    "unable to open": "  Choose a file in a folder that this process may write.",
    "not a database": "  Choose another file.",
    "malformed": "  The file is damaged; `sqlite3 FILE .recover` may save what is left.",
    "onnection": "  Check the host, the port and that the server is running.",
    "authentication": "  Check the user and the password.",
    "permission denied": "  Grant the user the right to create tables and to write them.",
}


class Backend(Protocol):
    """What differs from one kind of database to another."""

    def is_there(self) -> bool:
        """Tell whether there is a database that can be asked."""

    def connect(self) -> sa.Connection:
        """Open a connection."""

    def transaction(
        self, connection: sa.Connection, *, writing: bool, sync: bool
    ) -> contextlib.AbstractContextManager[None]:
        """Do what follows as a whole or not at all."""

    def exclude(self, connection: sa.Connection, /) -> None:
        """Be the only one who makes tables, to the end of the transaction."""

    def lock(self, connection: sa.Connection, project: str, /) -> None:
        """Be the only one who writes to a project."""

    def unlock(self) -> None:
        """Give the lock back; the connection is closed."""

    def disinherit(self, connection: sa.Connection, /) -> None:
        """Let go of the connection in a forked child."""


class Session:
    """Holds one connection from its first use to `close`, and opens it again when needed.

    Args:
        url: Of the database.
        project: The name of the project, for its lock.
    """

    def __init__(self, url: str | sa.URL, project: str) -> None:
        self.url = address(url)
        self.project = project
        sqlite = self.url.get_backend_name() == "sqlite"
        self._backend: Backend = SQLite(self.url) if sqlite else PostgreSQL(self.url)
        self._connection: sa.Connection | None = None
        self._laid_out = False  # whether the tables are there, in a format that is known
        self._locked = False
        self.mutex = threading.RLock()

    def lock(self) -> None:
        """Keep other processes from writing to the project."""
        with self.mutex, self.explained():
            connection = self._open()
            if not self._locked:
                self._backend.lock(connection, self.project)
                self._locked = True

    def close(self) -> None:
        """Give the lock back, and the connection."""
        with self.mutex:
            self._locked = False
            self.disconnect()
            self._backend.unlock()

    def disinherit(self) -> None:
        """Let go of the connection in a forked child."""
        if self._connection is not None:
            self._backend.disinherit(self._connection)

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Say what is wrong in the words of the one who gave the URL."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            if getattr(error, "connection_invalidated", False):
                self.disconnect()
            said = " ".join(str(getattr(error, "orig", None) or error).split()).rstrip(".?")
            raise StorageError(
                f"`storage` {shown(self.url)} cannot be used: "
                f"{without_secrets(said, self.url)}.{_cure(said)}"
            ) from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection | None]:
        """Give a connection in a transaction, or None if there are no tables to read."""
        with self.mutex, self.explained():
            if not self._backend.is_there():
                yield None
                return
            connection = self._open()
            with self._backend.transaction(connection, writing=False, sync=False):
                self._laid_out = self._laid_out or is_laid_out(connection, shown(self.url))
                yield connection if self._laid_out else None

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that writes and waits for the disk."""
        with self.mutex, self.explained(), self.transaction(sync=True) as connection:
            yield connection

    @contextlib.contextmanager
    def transaction(self, *, sync: bool) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that writes; make the tables first, if need be."""
        connection = self._open()
        if not self._laid_out:
            with self._backend.transaction(connection, writing=True, sync=True):
                self._backend.exclude(connection)
                if not is_laid_out(connection, shown(self.url)):
                    lay_out(connection)
            self._laid_out = True
        with self._backend.transaction(connection, writing=True, sync=sync):
            yield connection

    def disconnect(self) -> None:
        """Give up the connection, whatever state it is in, but not the wish for the lock."""
        connection, self._connection = self._connection, None
        self._laid_out = False
        if connection is not None:
            with contextlib.suppress(sa.exc.SQLAlchemyError, sqlite3.Error):
                connection.close()

    def _open(self) -> sa.Connection:
        if self._connection is None:
            connection = self._backend.connect()
            try:
                if self._locked:  # the lock was lost with the connection
                    self._backend.lock(connection, self.project)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            keep_from_children(self)
        return self._connection


def _cure(said: str) -> str:
    return next((cure for sign, cure in _CURES.items() if sign in said), "")
