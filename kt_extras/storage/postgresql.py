"""What only PostgreSQL needs: advisory locks, and a say in when to wait for the disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from typing import Any

from kt_extras.storage.address import engine
from kt_extras.storage.lock import ProjectInUseError, this_process
from kt_extras.storage.sql import sa

_DRIVERS = {"psycopg", "psycopg2"}  # whose names for the arguments of a connection are known here
_PATIENCE = 15  # seconds to reach the server
_GRACE = 1.0  # seconds for the server to notice that the last holder was killed
_NAME_LENGTH = 63  # of an application, as the server cuts it

_locks = sa.table(
    "pg_locks", *map(sa.column, ("locktype", "database", "classid", "objid", "granted", "pid"))
)
_databases = sa.table("pg_database", sa.column("oid"), sa.column("datname"))
_activity = sa.table("pg_stat_activity", *map(sa.column, ("pid", "application_name")))


class PostgreSQL:
    """A database on a server.

    What is committed survives the death of the process.  The server is made to wait for its disk
    only with `sync`; without, a crash of the server itself can cost the last fraction of a
    second, never something before what it keeps.  A project's lock belongs to the session, so it
    needs a connection of its own to the server: no pooler that hands out sessions by transaction.

    Args:
        url: With a driver.
    """

    def __init__(self, url: sa.URL) -> None:
        arguments: dict[str, object] = {}
        if url.get_driver_name() in _DRIVERS:
            ours = {"connect_timeout": _PATIENCE, "application_name": _application()}
            arguments = {k: v for k, v in ours.items() if k not in url.query}
        self._engine = engine(url, arguments)
        sa.event.listen(self._engine, "connect", _set_up)

    def is_there(self) -> bool:
        """Return True: a server can be asked."""
        return True

    def connect(self) -> sa.Connection:
        """Open a session."""
        return self._engine.connect()

    @contextlib.contextmanager
    def transaction(
        self, connection: sa.Connection, *, writing: bool, sync: bool
    ) -> Iterator[None]:
        """Do what follows as a whole or not at all."""
        with connection.begin():
            if writing and sync:  # as the server is set up: by default, once it is on the disk
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO DEFAULT")
            yield

    def exclude(self, connection: sa.Connection) -> None:
        """Let no two sessions make the tables at the same time."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(*_key("tables"))))

    def lock(self, connection: sa.Connection, project: str) -> None:
        """Keep other sessions from writing to the project, until this one ends."""
        key = _key("project", project)
        query = sa.select(sa.func.pg_try_advisory_lock(*key))
        end = time.monotonic() + _GRACE
        while not _scalar(connection, query):
            if time.monotonic() >= end:
                with connection.begin():
                    raise ProjectInUseError(project, _holder(connection, key))
            time.sleep(0.02)

    def unlock(self) -> None:
        """Do nothing: the session is closed, and its locks with it."""

    def disinherit(self, connection: sa.Connection) -> None:
        """Take the socket from a forked child, which would keep the session alive."""
        raw: Any = connection.connection.dbapi_connection
        with contextlib.suppress(Exception):  # closed already, or of a driver without files
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, raw.fileno())
            os.close(nothing)


def _set_up(raw: Any, _: object) -> None:
    with raw.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off")
    raw.commit()


def _scalar(connection: sa.Connection, query: sa.Select[Any]) -> Any:
    with connection.begin():
        return connection.scalar(query)


def _application() -> str:
    return f"kt_extras, {this_process()}"[:_NAME_LENGTH]


def _key(*words: str) -> tuple[int, int]:
    """Return the pair of numbers that stands for a name among the locks of a database."""
    digest = hashlib.sha256("/".join(("kt_extras", *words)).encode("utf-8", "surrogatepass"))
    high, low = digest.digest()[:4], digest.digest()[4:8]
    return int.from_bytes(high, "big") >> 1, int.from_bytes(low, "big") >> 1


def _holder(connection: sa.Connection, key: tuple[int, int]) -> str:
    """Return what the server lets one see of the session that holds a lock."""
    here = sa.select(_databases.c.oid).where(_databases.c.datname == sa.func.current_database())
    query = (
        sa.select(_activity.c.application_name, _locks.c.pid)
        .select_from(_locks.outerjoin(_activity, _activity.c.pid == _locks.c.pid))
        .where(_locks.c.locktype == "advisory", _locks.c.granted)
        .where(_locks.c.database == here.scalar_subquery())
        .where(_locks.c.classid == key[0], _locks.c.objid == key[1])
    )
    row = connection.execute(query).first()
    if row is None:
        return ""
    name = (row.application_name or "").removeprefix("kt_extras, ")
    return f"{name or 'another process'} (PostgreSQL session {row.pid})"
