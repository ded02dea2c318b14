"""Databases of SQLite: a write-ahead log, and a lock file for each project."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import sqlite3
import tempfile
import time
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from kt_extras.storage.address import engine, shown
from kt_extras.storage.errors import RemovedRecordsError, StorageError
from kt_extras.storage.lock import TURN_SECONDS, FileLock, ProjectInUseError
from kt_extras.storage.sql import sa

_BUSY_SECONDS = 60.0  # that a process waits for others to finish writing
_JOIN_SECONDS = 1.0  # within which others have joined a search, or the end of one is noticed
_WHOLE, _TURN, _MEMBER = ".lock", ".turn", ".member"  # the ends of files that are locked
_WRITING = "kte_writing"
_IN_USE = ("", "-wal", "-shm")
_LOGS = ("-wal", "-journal")  # beside the file; they hold what is not in it yet


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

    loses_locks = False

    def __init__(self, url: sa.URL) -> None:
        self.url = _with_absolute_path(url)
        arguments = {} if "timeout" in url.query else {"timeout": _BUSY_SECONDS}
        self._engine = engine(self.url, {**arguments, "check_same_thread": False})
        self._path = Path(str(self.url.database))
        self._files: dict[str, tuple[int, int]] = {}  # those in use, by device and inode
        self._locks: dict[str, FileLock] = {}  # those that are held, by their ends
        self._turn: FileLock | None = None
        self._data_version: tuple[int, int] | None = None  # the connection, and SQLite's number
        sa.event.listen(self._engine, "connect", _set_up)
        sa.event.listen(self._engine, "begin", _begin)

    def exists(self) -> bool:
        """Return whether the file exists; a query would create it."""
        return self._path.exists()

    def connect(self) -> sa.Connection:
        """Open the file. It and its folder are created if they do not exist.

        Where nothing can be created beside it, as SQLite must do, a copy in memory is read.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"`storage` {shown(self.url)} cannot be used: its folder cannot be made "
                f"({error.strerror}).  Choose a file in a folder that this process may write."
            ) from None
        try:
            connection = self._engine.connect()
        except sa.exc.OperationalError as error:
            if "locked" in str(error) or not self._path.is_file():
                raise
            try:
                connection = self._engine_of_copy().connect()
            except (OSError, sqlite3.Error, sa.exc.SQLAlchemyError):
                raise error from None
        self._files = {}
        self._note_files()
        return connection

    @contextlib.contextmanager
    def transaction(
        self, connection: sa.Connection, *, writing: bool, sync: bool
    ) -> Iterator[None]:
        """Run the block in one transaction; there is one writer at a time.

        Raises:
            RemovedRecordsError: The file is not the one that was opened: what is written to that
                one is lost when it is closed.
        """
        self._check_files()
        connection.execution_options(**{_WRITING: writing})
        raw: Any = connection.connection.dbapi_connection
        (mode,) = raw.execute("PRAGMA journal_mode").fetchone()
        level = "NORMAL" if mode == "wal" and not sync else "FULL"
        raw.execute(f"PRAGMA synchronous = {level}")
        with connection.begin():
            yield
        self._check_files()
        self._note_files()

    def lock_tables(self, _: sa.Connection) -> None:
        """Do nothing: a transaction that writes is the only one."""

    def lock(self, _: sa.Connection, project: str) -> None:
        """Keep other processes from writing to the project, until `unlock` or the process ends."""
        if _WHOLE not in self._locks:
            lock = self._file_lock(project, _WHOLE)
            lock.acquire()
            try:
                if member := self._other_member(project):
                    raise ProjectInUseError(project, member)
            except BaseException:
                lock.release()
                raise
            self._locks[_WHOLE] = lock

    def unlock(self) -> None:
        """Release all locks of the project."""
        while self._locks:
            self._locks.popitem()[1].release()
        turn, self._turn = self._turn, None
        if turn is not None:
            last = FileLock(turn.path, turn.project)
            with contextlib.suppress(ProjectInUseError, StorageError, OSError), last:
                pass  # its release removes the file, unless another member has its turn

    def join(self, _: sa.Connection, project: str, member: str) -> None:
        """Hold a lock of a member, and keep others from `lock`, until `unlock`."""
        ending = f".{member}{_MEMBER}"
        if ending not in self._locks:
            whole, lock = self._file_lock(project, _WHOLE), self._file_lock(project, ending)
            whole.acquire(_JOIN_SECONDS)  # others may join at the same time
            try:
                lock.acquire()
            finally:
                whole.release()
            self._locks[ending] = lock

    def living(self, _: sa.Connection, project: str, members: Collection[str]) -> set[str]:
        """Return those of some members whose locks are held."""
        locks = {one: self._file_lock(project, f".{one}{_MEMBER}") for one in members}
        return {one for one, lock in locks.items() if _holder(lock) is not None}

    def has_others(self, _: sa.Connection, project: str, member: str) -> bool:
        """Return whether there are members beside one."""
        return self._other_member(project, f".{member}{_MEMBER}") is not None

    def begin_turn(self, _: sa.Connection, project: str) -> None:
        """Wait until no other member is in a turn, and hold the lock of one."""
        if self._turn is None:
            self._turn = self._file_lock(project, _TURN, stays=True)
        if not self._turn.held:
            self._turn.acquire(TURN_SECONDS)

    def end_turn(self, _: sa.Connection, __: str) -> None:
        """Release the lock of a turn."""
        if self._turn is not None:
            self._turn.release()

    def has_changed(self, connection: sa.Connection) -> bool:
        """Return whether other connections may have written since the last call."""
        raw: Any = connection.connection.dbapi_connection
        (version,) = raw.execute("PRAGMA data_version").fetchone()
        before, self._data_version = self._data_version, (id(raw), version)
        return before != self._data_version

    def _file_lock(self, project: str, ending: str, *, stays: bool = False) -> FileLock:
        name = re.sub(r"[^\w.-]", "_", project)[:60]
        mark = f"{zlib.crc32(project.encode('utf-8', 'surrogatepass')):08x}"
        path = self._path.with_name(f"{self._path.name}-{name}-{mark}{ending}")
        return FileLock(path, project, stays=stays)

    def _other_member(self, project: str, own: str = "") -> str | None:
        """Return a description of a living member, None if there is none but one's own."""
        stem = self._file_lock(project, "").path.name
        for path in self._path.parent.glob(f"{glob.escape(stem)}.*{_MEMBER}"):
            if path.name != f"{stem}{own}" and (holder := _holder(FileLock(path, project))):
                return holder
        return None

    def close_in_child(self, _: sa.Connection) -> None:
        """Do nothing: `FileLock` closes its own file."""

    def _engine_of_copy(self) -> sa.Engine:
        return sa.create_engine(
            "sqlite://", creator=lambda: _copy(self._path), poolclass=sa.pool.NullPool
        )

    def _note_files(self) -> None:
        """Note which files are in use; the log is there from the first change on."""
        if len(self._files) < len(_IN_USE):
            paths = (f"{self._path}{ending}" for ending in _IN_USE)
            self._files = {path: found for path in paths if (found := _identity(path))}

    def _check_files(self) -> None:
        if any(_identity(path) != known for path, known in self._files.items()):
            raise RemovedRecordsError(
                f"`storage` {shown(self.url)} cannot be used: its file or its log was removed or "
                "replaced while it was in use, and what was written since then is lost.  Put it "
                "back if there is a copy, and search again."
            )


def _with_absolute_path(url: sa.URL) -> sa.URL:
    database = url.database or ":memory:"
    if database == ":memory:" or database.startswith("file:") or url.host:
        raise ValueError(
            "`storage` must name a file, such as 'sqlite:///runs.db' (relative) or "
            f"'sqlite:////data/runs.db' (absolute), got {shown(url)!r}."
        )
    return url.set(database=str(Path(database).absolute()))


def _holder(lock: FileLock) -> str | None:
    """Return a description of who holds a lock, None if nobody does; its file is removed then."""
    if not lock.path.exists():
        return None
    try:
        lock.acquire()
    except ProjectInUseError as error:
        return error.holder or "another process"
    lock.release()
    return None


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _copy(path: Path) -> sqlite3.Connection:
    """Return a copy of a database in memory, which cannot be changed."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (path.name, *(path.name + log for log in _LOGS)):
            if (source := path.with_name(name)).exists():
                shutil.copyfile(source, Path(folder, name))
        with contextlib.closing(sqlite3.connect(Path(folder, path.name))) as copied:
            memory = sqlite3.connect(":memory:", check_same_thread=False)
            copied.backup(memory)
    memory.execute("PRAGMA query_only = ON")
    memory.isolation_level = None
    memory.text_factory = _text
    return memory


def _set_up(raw: Any, _: object) -> None:
    raw.isolation_level = None  # `_begin` begins transactions, not the driver
    raw.text_factory = _text
    raw.execute("PRAGMA foreign_keys = ON")
    _switch_to_log(raw)


def _text(text: bytes) -> str:
    """Return a text; a damaged one is read, too, so that its checksum fails."""
    return text.decode("utf-8", "replace")


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
