"""What only SQLite needs: a write-ahead log, and a lock file for each project."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kt_extras.storage.address import engine
from kt_extras.storage.lock import FileLock
from kt_extras.storage.sql import sa

_PATIENCE = 60.0  # seconds that a process waits for others to finish writing
_WRITING = "kte_writing"


class SQLite:
    """A database in a file.

    A transaction is in the write-ahead log when it is committed, handed to the operating system:
    it survives the death of the process.  With `sync` the log is synced to disk too.  That log
    needs a local disk: SQLite on a network file system is not safe.

    Args:
        url: With an absolute path.
    """

    def __init__(self, url: sa.URL) -> None:
        arguments = {} if "timeout" in url.query else {"timeout": _PATIENCE}
        self._engine = engine(url, {**arguments, "check_same_thread": False})
        self._path = Path(str(url.database))
        self._lock: FileLock | None = None
        sa.event.listen(self._engine, "connect", _set_up)
        sa.event.listen(self._engine, "begin", _begin)

    def is_there(self) -> bool:
        """Tell whether there is a database; asking it would make one."""
        return self._path.exists()

    def connect(self) -> sa.Connection:
        """Open the file, made with its folder if there is none."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return self._engine.connect()

    @contextlib.contextmanager
    def transaction(
        self, connection: sa.Connection, *, writing: bool, sync: bool
    ) -> Iterator[None]:
        """Do what follows as a whole or not at all; whoever writes is the only one."""
        connection.execution_options(**{_WRITING: writing})
        raw: Any = connection.connection.dbapi_connection
        (mode,) = raw.execute("PRAGMA journal_mode").fetchone()
        level = "NORMAL" if mode == "wal" and not sync else "FULL"
        raw.execute(f"PRAGMA synchronous = {level}")
        with connection.begin():
            yield

    def exclude(self, _: sa.Connection) -> None:
        """Do nothing: whoever writes is alone."""

    def lock(self, _: sa.Connection, project: str) -> None:
        """Keep other processes from writing to the project, until this one dies."""
        if self._lock is None:
            name = re.sub(r"[^\w.-]", "_", project)[:60]
            mark = f"{zlib.crc32(project.encode('utf-8', 'surrogatepass')):08x}"
            path = self._path.with_name(f"{self._path.name}-{name}-{mark}.lock")
            lock = FileLock(path, project)
            lock.acquire()
            self._lock = lock

    def unlock(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def disinherit(self, _: sa.Connection) -> None:
        """Do nothing: the lock file takes care of itself."""


def _set_up(raw: Any, _: object) -> None:
    raw.isolation_level = None  # transactions begin where `_begin` says, not where Python guesses
    raw.text_factory = lambda text: text.decode("utf-8", "replace")  # the checksum will tell
    raw.execute("PRAGMA foreign_keys = ON")
    _switch_to_log(raw)


def _switch_to_log(raw: Any) -> None:
    """Turn the write-ahead log on; the one moment for which SQLite itself does not wait."""
    end = time.monotonic() + _PATIENCE
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
    return True  # also where the file system can't have one


def _begin(connection: sa.Connection) -> None:
    """Begin as a writer where there is something to write, for a reader can't become one."""
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
