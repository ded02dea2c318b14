"""One connection to a database: its transactions, its lock, and its errors explained."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Sequence

from kt_extras.storage.address import shown, without_secrets
from kt_extras.storage.backends import backend_for
from kt_extras.storage.errors import RemovedRecordsError, StorageError
from kt_extras.storage.keeper import Keeper
from kt_extras.storage.lock import close_after_fork
from kt_extras.storage.schema import check_query_tables, create, is_created
from kt_extras.storage.sql import sa

# What to do about an error, by a part of the driver's message; the first that fits counts.
_GO_ON = "then search again: it goes on where it ended."
_HINTS = {
    "lock timeout": "  Another process has been in its turn for too long; end it.",
    "database is locked": "  Another process has been writing for too long; end it.",
    "database or disk is full": f"  Make room on the disk, {_GO_ON}",
    "No space left": f"  Make room on the disk of the server, {_GO_ON}",
    "disk I/O error": f"  The disk reports an error or is full; check it, {_GO_ON}",
    "readonly": "  Give this process the right to write the file and its folder.",
    "read-only": "  The server takes no changes now; choose the one that does.",
    "unable to open": "  Choose a file in a folder that this process may write.",
    "not a database": "  Choose another file.",
    "malformed": "  The file is damaged; `sqlite3 FILE .recover` may save what is left.",
    "constraint": "  Its tables do not fit each other; `python -m kt_extras repair` mends them.",
    "too many": f"  Close other connections to the server, {_GO_ON}",
    "pg_hba.conf": "  Let the server accept this user from here, in its file pg_hba.conf.",
    "authentication": "  Check the user and the password.",
    "no password supplied": "  Check the user and the password.",
    "role ": "  Check the user and the password.",
    "permission denied": "  Grant the user the right to create tables and to write them.",
    "does not exist": "  Check the name of the database, or create it.",
    "onnection": "  Check the host, the port and that the server is running.",
    " host ": "  Check the host, the port and that the server is running.",
}

_GRACE_SECONDS = 5.0  # within which members have their connections again after the server's restart
_NEVER = float("-inf")


class Session:
    """Holds one connection from its first use to `close`, and opens it again when needed.

    Args:
        url: The URL of the database; its scheme chooses the entry of
            `kt_extras.storage.backends.BACKENDS`.
        project: The name of the project, which `lock` locks.
        query_tables: The derived tables, each after those that it refers to. Defaults to none.
    """

    def __init__(
        self, url: str | sa.URL, project: str, query_tables: Sequence[sa.Table] = ()
    ) -> None:
        self._backend = backend_for(url)
        self.url = self._backend.url
        self.project = project
        self._connection: sa.Connection | None = None
        self._query_tables = query_tables
        self._readable = False  # whether the tables of records exist in the known format
        self._writable = False  # whether the given derived tables do, too
        self._locked = False
        self._member: str | None = None
        self._in_turn = False
        self._reconnected = _NEVER  # when a lost connection was opened again
        self._keeper: Keeper | None = None
        self.mutex = threading.RLock()

    def lock(self) -> None:
        """Keep other processes from writing to the project."""
        with self.mutex, self.explained():
            connection = self._open()
            if not self._locked:
                self._backend.lock(connection, self.project)
                self._locked = True

    # Members, which share a project in turns.

    def join(self, member: str) -> None:
        """Become a member of the project, until `close` or the end of this process.

        Args:
            member: A name that no other process has.
        """
        with self.mutex, self.explained():
            connection = self._open()
            if self._member is None:
                self._backend.join(connection, self.project, member)
                self._member = member
                if self._backend.loses_locks:
                    self._keeper = Keeper(self._keep)

    @property
    def is_member(self) -> bool:
        """Whether the project is shared with other processes."""
        return self._member is not None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

    def living(self, members: Collection[str]) -> set[str]:
        """Return those of some members whose processes live.

        All of them may, for some seconds after a connection was lost: they may not have theirs
        again yet.
        """
        with self.mutex, self.explained():
            connection = self._open()
            if time.monotonic() < self._reconnected + _GRACE_SECONDS:
                return set(members)
            return self._backend.living(connection, self.project, members)

    def has_others(self) -> bool:
        """Return whether there are other members."""
        with self.mutex, self.explained():
            return self._backend.has_others(self._open(), self.project, self._member or "")

    def begin_turn(self) -> None:
        """Wait until no other member is in a turn, and begin one."""
        with self.mutex, self.explained():
            self._backend.begin_turn(self._open(), self.project)
            self._in_turn = True

    def has_changed(self) -> bool:
        """Return whether others may have written since the last call."""
        with self.mutex, self.explained():
            return self._backend.has_changed(self._open())

    def end_turn(self) -> None:
        """Let others have their turns; a connection that was lost has ended it already."""
        with self.mutex:
            self._in_turn = False
            if self._connection is None:
                return
            try:
                self._backend.end_turn(self._connection, self.project)
            except BaseException as error:
                self.disconnect()  # which ends it too
                if not isinstance(error, sa.exc.SQLAlchemyError):
                    raise

    def _keep(self) -> None:
        """Open a lost connection again, so that others do not take this process for dead."""
        if not self.mutex.acquire(blocking=False):
            return  # it is in use
        try:
            if self._member is not None:
                with self._backend.transaction(self._open(), writing=False, sync=False):
                    pass
        except (sa.exc.SQLAlchemyError, RuntimeError):
            self.disconnect()
        finally:
            self.mutex.release()

    def close(self) -> None:
        """Release the locks and close the connection."""
        with self.mutex:
            keeper, self._keeper = self._keeper, None
            if keeper is not None:
                keeper.stop()
            self._locked, self._member, self._in_turn = False, None, False
            self._reconnected = _NEVER
            self.disconnect()
            self._backend.unlock()

    def close_in_child(self) -> None:
        """Close the connection in a forked child without releasing the parent's lock."""
        if self._connection is not None:
            self._backend.close_in_child(self._connection)

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn an error of the driver into a `StorageError` that says what to do."""
        try:
            yield
        except RemovedRecordsError:
            self.disconnect()  # another file or project may be there when it is used again
            raise
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            if getattr(error, "connection_invalidated", False):
                self.disconnect()
            said = " ".join(str(getattr(error, "orig", None) or error).split()).rstrip(".?")
            raise StorageError(
                f"`storage` {shown(self.url)} cannot be used: "
                f"{without_secrets(said, self.url)}.{_hint(said)}"
            ) from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection | None]:
        """Yield a connection in a transaction, or None if there are no tables to read."""
        with self.mutex, self.explained():
            if self._connection is None and not self._backend.exists():
                yield None
                return
            connection = self._open()
            with self._backend.transaction(connection, writing=False, sync=False):
                self._readable = self._readable or is_created(connection, shown(self.url))
                yield connection if self._readable else None

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction that writes and waits for the disk."""
        with self.mutex, self.explained(), self.transaction(sync=True) as connection:
            yield connection

    @contextlib.contextmanager
    def transaction(self, *, sync: bool) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction that writes; create the tables if there are none.

        Args:
            sync: Whether the commit waits until the changes are on the disk.

        Raises:
            StorageError: The derived tables are not those of the database.
        """
        connection = self._open()
        if not self._writable:
            with self._backend.transaction(connection, writing=True, sync=True):
                self._backend.lock_tables(connection)
                if not is_created(connection, shown(self.url)):
                    create(connection, self._query_tables)
                check_query_tables(connection, self._query_tables, shown(self.url))
            self._readable = self._writable = True
        with self._backend.transaction(connection, writing=True, sync=sync):
            yield connection

    def disconnect(self) -> None:
        """Close the connection, also a broken one; the next connection takes a held lock again."""
        connection, self._connection = self._connection, None
        self._readable = self._writable = False
        if connection is not None:
            with contextlib.suppress(sa.exc.SQLAlchemyError, sqlite3.Error):
                connection.close()

    def _open(self) -> sa.Connection:
        if self._connection is None:
            connection = self._backend.connect()
            try:
                self._lock_again(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            close_after_fork(self)
        return self._connection

    def _lock_again(self, connection: sa.Connection) -> None:
        """Take the locks that were lost with a connection."""
        if self._locked:
            self._backend.lock(connection, self.project)
        if self._member is not None:
            self._backend.join(connection, self.project, self._member)
            self._reconnected = time.monotonic()
        if self._in_turn:  # others may have had theirs meanwhile, which `append` notices
            self._backend.begin_turn(connection, self.project)


def _hint(said: str) -> str:
    return next((hint for sign, hint in _HINTS.items() if sign in said), "")
