"""The records of a search in a database, beside those of others, and tables to query.

The records are those of the embedded journal, and they are the truth.  Each is written in one
transaction together with what it changes in the tables of `kt_extras.storage.schema`.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from kt_extras.storage.address import address, shown, without_secrets
from kt_extras.storage.derived import derive
from kt_extras.storage.errors import DamagedRecordError, StorageError
from kt_extras.storage.lock import ProjectInUseError, keep_from_children
from kt_extras.storage.postgresql import PostgreSQL
from kt_extras.storage.reading import Row, checked, page
from kt_extras.storage.schema import DERIVED, is_laid_out, lay_out, projects, records
from kt_extras.storage.sql import sa
from kt_extras.storage.sqlite import SQLite

Record = dict[str, Any]

_DELAYS = (0.1, 0.5, 1, 2, 4, 8, 16)  # seconds before each attempt to get a lost connection back
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

    def is_there(self) -> bool: ...
    def connect(self) -> sa.Connection: ...
    def transaction(
        self, connection: sa.Connection, *, writing: bool, sync: bool
    ) -> contextlib.AbstractContextManager[None]: ...
    def exclude(self, connection: sa.Connection, /) -> None: ...
    def lock(self, connection: sa.Connection, project: str, /) -> None: ...
    def unlock(self) -> None: ...
    def disinherit(self, connection: sa.Connection, /) -> None: ...


class Database:
    """Appends the records of one project to a database and reads them back.

    A record is committed before `append` returns, so it survives the death of the process; with
    `sync` it also survives the loss of power.  An append costs the same however many there are.
    One connection is held from the first use to `release`; if the server goes away for a while,
    `append` waits for it (half a minute) and never writes a record twice.

    Args:
        url: What a tuner takes as `storage`, the name that errors use.
        project: Its name; a database holds any number of projects.

    Raises:
        ModuleNotFoundError: SQLAlchemy or the driver is not installed.
        ValueError: The URL is not one of SQLite or PostgreSQL, or the project has no name.

    >>> import tempfile
    >>> database = Database(f"sqlite:///{tempfile.mkdtemp()}/runs.db", "digits")
    >>> with database:  # to the exclusion of other processes
    ...     database.append({"kind": "enqueue", "values": {"units": 8}})
    >>> list(database.read())
    [{'kind': 'enqueue', 'values': {'units': 8}}]
    >>> database.release()
    """

    def __init__(self, url: str | sa.URL, project: str) -> None:
        self.url = address(url)
        self.project = _name(project)
        sqlite = self.url.get_backend_name() == "sqlite"
        self._backend: Backend = SQLite(self.url) if sqlite else PostgreSQL(self.url)
        self._connection: sa.Connection | None = None
        self._laid_out = False  # whether the tables are there, in a format that is known
        self._locked = False
        self._place: tuple[int, int] | None = None  # the project's id and its number of records
        self._mutex = threading.RLock()

    def __enter__(self) -> Database:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __str__(self) -> str:
        return f"{shown(self.url)} (project {self.project!r})"

    # What the journal has, too.

    def exists(self) -> bool:
        """Tell whether there is such a project."""
        with self._reading() as connection:
            return connection is not None and self._find(connection) is not None

    def append(self, record: Mapping[str, Any], *, sync: bool = False) -> None:
        """Write one record at the end.

        Args:
            record: What JSON can hold; no NaN and no infinity.
            sync: Whether to wait until it is on the disk.

        Raises:
            ProjectInUseError: Another process has written to the project since the last append.
            StorageError: Nothing was written.
        """
        text = json.dumps(record, allow_nan=False, separators=(",", ":"))
        with self._mutex, self._explained():
            place = self._place
            try:
                self._write(record, text, sync=sync)
            except sa.exc.DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                self._write_again(record, text, place, sync=sync)

    def read(self) -> Iterator[Record]:
        """Yield the records in order.

        Raises:
            FileNotFoundError: There is no such project.
            DamagedRecordError: A record is missing or does not match its checksum.
        """
        with self._reading() as connection:
            place = self._find(connection) if connection is not None else None
        if place is None:
            raise FileNotFoundError(f"{shown(self.url)} holds no project {self.project!r}.")
        yield from self._records(*place)

    def acquire(self) -> None:
        """Keep other processes from writing to the project, until `release` or the process's end.

        Raises:
            ProjectInUseError: Another process does so.
        """
        with self._mutex, self._explained():
            connection = self._open()
            if not self._locked:
                self._backend.lock(connection, self.project)
                self._locked = True

    def release(self) -> None:
        """Let others write, and close the connection; it is opened again when needed."""
        with self._mutex:
            self._locked = False
            self._close()
            self._backend.unlock()

    # What the journal does not have.

    def delete(self) -> None:
        """Remove the project with all that belongs to it, if there is one."""
        with self._writing() as connection:
            if (place := self._find(connection)) is not None:
                for table in (*DERIVED, records):
                    connection.execute(sa.delete(table).where(table.c.project == place[0]))
                connection.execute(sa.delete(projects).where(projects.c.id == place[0]))

    def cut(self, count: int) -> None:
        """Keep the first `count` records and drop those after them, whole or damaged."""
        with self._writing() as connection:
            if (place := self._find(connection)) is not None:
                rest = sa.and_(records.c.project == place[0], records.c.sequence > count)
                connection.execute(sa.delete(records).where(rest))
                kept = {"records": min(count, place[1])}
                change = sa.update(projects).where(projects.c.id == place[0]).values(kept)
                connection.execute(change)
                self._derive_again(connection, place[0], kept["records"])

    def rebuild(self) -> None:
        """Make the derived tables of the project anew from its records."""
        with self._writing() as connection:
            if (place := self._find(connection)) is not None:
                self._derive_again(connection, *place)

    def disinherit(self) -> None:
        """Let go of the connection in a forked child; called by Python itself."""
        if self._connection is not None:
            self._backend.disinherit(self._connection)

    # How it is done.

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

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        self._laid_out = False
        if connection is not None:
            with contextlib.suppress(sa.exc.SQLAlchemyError, sqlite3.Error):
                connection.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what is wrong in the words of the one who gave the URL."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            if getattr(error, "connection_invalidated", False):
                self._close()
            said = str(getattr(error, "orig", None) or error).strip()
            raise StorageError(
                f"`storage` {shown(self.url)} cannot be used: "
                f"{without_secrets(said, self.url)}.{_cure(said)}"
            ) from None

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection | None]:
        """Give a connection in a transaction, or None if there are no tables to read."""
        with self._mutex, self._explained():
            if not self._backend.is_there():
                yield None
                return
            connection = self._open()
            with self._backend.transaction(connection, writing=False, sync=False):
                self._laid_out = self._laid_out or is_laid_out(connection, shown(self.url))
                yield connection if self._laid_out else None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._mutex, self._explained():
            self._place = None
            with self._transaction(sync=True) as connection:
                yield connection

    @contextlib.contextmanager
    def _transaction(self, *, sync: bool) -> Iterator[sa.Connection]:
        connection = self._open()
        if not self._laid_out:
            with self._backend.transaction(connection, writing=True, sync=True):
                self._backend.exclude(connection)
                if not is_laid_out(connection, shown(self.url)):
                    lay_out(connection)
            self._laid_out = True
        with self._backend.transaction(connection, writing=True, sync=sync):
            yield connection

    def _find(self, connection: sa.Connection) -> tuple[int, int] | None:
        query = sa.select(projects.c.id, projects.c.records).where(projects.c.name == self.project)
        row = connection.execute(query).first()
        return None if row is None else (row.id, row.records)

    def _found(self, connection: sa.Connection) -> tuple[int, int]:
        """Make the project."""
        row = sa.insert(projects).values(name=self.project, records=0)
        return connection.execute(row.returning(projects.c.id)).scalar_one(), 0

    def _write(self, record: Mapping[str, Any], text: str, *, sync: bool) -> None:
        with self._transaction(sync=sync) as connection:
            project, last = self._place or self._find(connection) or self._found(connection)
            mine = sa.and_(projects.c.id == project, projects.c.records == last)
            change = sa.update(projects).where(mine).values(records=last + 1)
            if connection.execute(change).rowcount != 1:
                raise ProjectInUseError(self.project)
            self._place = None  # until it is certain that this is written
            row = {"project": project, "sequence": last + 1, "kind": record.get("kind")}
            row |= {"checksum": zlib.crc32(text.encode()), "record": text}
            connection.execute(sa.insert(records), row)
            derive(connection, project, record)
        self._place = project, last + 1

    def _write_again(
        self,
        record: Mapping[str, Any],
        text: str,
        place: tuple[int, int] | None,
        *,
        sync: bool,
    ) -> None:
        """Get a lost connection back, and write the record unless it has been written."""
        for delay in _DELAYS:
            self._close()
            time.sleep(delay)
            try:
                with self._transaction(sync=sync) as connection:
                    now = self._find(connection)
                    written = now != place and self._ends_with(connection, now, text)
                if written:
                    self._place = now
                else:
                    self._place = place
                    self._write(record, text, sync=sync)
                return
            except (sa.exc.DBAPIError, ProjectInUseError):
                if delay == _DELAYS[-1]:
                    raise

    def _ends_with(
        self, connection: sa.Connection, place: tuple[int, int] | None, text: str
    ) -> bool:
        if place is None:
            return False
        query = sa.select(records.c.record).where(
            records.c.project == place[0], records.c.sequence == place[1]
        )
        return connection.scalar(query) == text

    def _records(self, project: int, count: int) -> Iterator[Record]:
        def fetch(after: int) -> Sequence[Row]:
            with self._reading() as connection:
                return [] if connection is None else page(connection, project, after)

        return checked(fetch, count, self._damaged)

    def _derive_again(self, connection: sa.Connection, project: int, count: int) -> None:
        for table in DERIVED:
            connection.execute(sa.delete(table).where(table.c.project == project))
        for record in checked(lambda after: page(connection, project, after), count, self._damaged):
            derive(connection, project, record)

    def _damaged(self, sequence: int, count: int, reason: str) -> DamagedRecordError:
        return DamagedRecordError(shown(self.url), self.project, sequence, count, reason)


def _name(project: str) -> str:
    wrong = not isinstance(project, str) or not project or "\x00" in project
    if wrong or any("\ud800" <= character <= "\udfff" for character in project):
        raise ValueError(
            f"`project_name` must be a text that a database can hold, not empty, got {project!r}."
        )
    return project


def _cure(said: str) -> str:
    return next((cure for sign, cure in _CURES.items() if sign in said), "")
