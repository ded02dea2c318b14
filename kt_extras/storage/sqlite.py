"""Databases of SQLite: a write-ahead log, and a lock file for each project."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kt_extras.storage.address import engine, shown
from kt_extras.storage.lock import FileLock
from kt_extras.storage.sql import sa

_BUSY_SECONDS = 60.0  # that a process waits for others to finish writing
_WRITING = "kte_writing"


class SQLite:
    """A database in a file.

    A committed transaction is in the write-ahead log, handed to the operating system, so it
    survives the death of the process.  With `sync` the log is synced to the disk too.  The log
    needs a local disk: SQLite on a network file system is not safe.

    Args:
        url: The URL of the file. A relative path counts from the current directory.

    Raises:
        ValueError: The URL does not name a file.
    """

    def __init__(self, url: sa.URL) -> None:
        self.url = _with_absolute_path(url)
        arguments = {} if "timeout" in url.query else {"timeout": _BUSY_SECONDS}
        self._engine = engine(self.url, {**arguments, "check_same_thread": False})
        self._path = Path(str(self.url.database))
        self._lock: FileLock | None = None
        sa.event.listen(self._engine, "connect", _set_up)
        sa.event.listen(self._engine, "begin", _begin)

    def exists(self) -> bool:
        """Return whether the file exists; a query would create it."""
        return self._path.exists()

    def connect(self) -> sa.Connection:
        """Open the file. It and its folder are created if they do not exist."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return self._engine.connect()

    @contextlib.contextmanager
    def transaction(
        self, connection: sa.Connection, *, writing: bool, sync: bool
    ) -> Iterator[None]:
        """Run the block in one transaction; there is one writer at a time."""
        connection.execution_options(**{_WRITING: writing})
        raw: Any = connection.connection.dbapi_connection
        (mode,) = raw.execute("PRAGMA journal_mode").fetchone()
        level = "NORMAL" if mode == "wal" and not sync else "FULL"
        raw.execute(f"PRAGMA synchronous = {level}")
        with connection.begin():
            yield

    def lock_tables(self, _: sa.Connection) -> None:
        """Do nothing: a transaction that writes is the only one."""

    def lock(self, _: sa.Connection, project: str) -> None:
        """Keep other processes from writing to the project, until `unlock` or the process ends."""
        if self._lock is None:
            name = re.sub(r"[^\w.-]", "_", project)[:60]
            mark = f"{zlib.crc32(project.encode('utf-8', 'surrogatepass')):08x}"
            path = self._path.with_name(f"{self._path.name}-{name}-{mark}.lock")
            lock = FileLock(path, project)
            lock.acquire()
            self._lock = lock

    def unlock(self) -> None:
        """Release the lock of the project."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def close_in_child(self, _: sa.Connection) -> None:
        """Do nothing: `FileLock` closes its own file."""


def _with_absolute_path(url: sa.URL) -> sa.URL:
    database = url.database or ":memory:"
    if database == ":memory:" or database.startswith("file:") or url.host:
        raise ValueError(
            "`storage` must name a file, such as 'sqlite:///runs.db' (relative) or "
            f"'sqlite:////data/runs.db' (absolute), got {shown(url)!r}."
        )
    return url.set(database=str(Path(database).absolute()))


def _set_up(raw: Any, _: object) -> None:
    raw.isolation_level = None  # `_begin` begins transactions, not the driver
    # A damaged record is read, too, so that its checksum fails.
    raw.text_factory = lambda text: text.decode("utf-8", "replace")
    raw.execute("PRAGMA foreign_keys = ON")
    _switch_to_log(raw)


def _switch_to_log(raw: Any) -> None:
    """Turn on the write-ahead log; SQLite does not wait for a locked file here, so retry."""
    end = time.monotonic() + _BUSY_SECONDS
    while not _has_switched(raw, last=time.monotonic() > end):
        time.sleep(0.01)


def _has_switched(raw: Any, *, last: bool) -> bool:
    if raw.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        return True
    try:
        raw.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if last or "locked" not in str(error):
            raise
        return False
    return True  # also if the file system does not support it


def _begin(connection: sa.Connection) -> None:
    """Begin a transaction that writes as a writer, since a reader cannot become one."""
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
