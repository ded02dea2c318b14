"""Databases of PostgreSQL: advisory locks, and commits that wait for the disk only with `sync`."""

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

# Drivers that know the arguments `connect_timeout` and `application_name`.
_DRIVERS = {"psycopg", "psycopg2"}
_CONNECT_SECONDS = 15  # within which the server must answer
_LOCK_SECONDS = 1.0  # within which the server notices that the last holder was killed
_NAME_LENGTH = 63  # of an application, as the server cuts it

_locks = sa.table(
    "pg_locks", *map(sa.column, ("locktype", "database", "classid", "objid", "granted", "pid"))
)
_databases = sa.table("pg_database", sa.column("oid"), sa.column("datname"))
_activity = sa.table("pg_stat_activity", *map(sa.column, ("pid", "application_name")))


class PostgreSQL:
    """A database on a server.

    A committed transaction survives the death of the process.  The server waits for its disk only
    with `sync`; without it, a crash of the server can lose the last fraction of a second, but never
    a record before one that it keeps.  The lock of a project belongs to the session, so the URL
    must not name a pooler that assigns sessions by transaction.

    Args:
        url: The URL of the database. Its driver defaults to psycopg.
    """

    def __init__(self, url: sa.URL) -> None:
        self.url = url = with_driver(url)
        arguments: dict[str, object] = {}
        if url.get_driver_name() in _DRIVERS:
            ours = {"connect_timeout": _CONNECT_SECONDS, "application_name": _application()}
            arguments = {k: v for k, v in ours.items() if k not in url.query}
        self._engine = engine(url, arguments)
        sa.event.listen(self._engine, "connect", _set_up)

    def exists(self) -> bool:
        """Return True: a server can be queried."""
        return True

    def connect(self) -> sa.Connection:
        """Open a session."""
        return self._engine.connect()

    @contextlib.contextmanager
    def transaction(
        self, connection: sa.Connection, *, writing: bool, sync: bool
    ) -> Iterator[None]:
        """Run the block in one transaction."""
        with connection.begin():
            if writing and sync:  # as the server is configured: on by default
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO DEFAULT")
            yield

    def lock_tables(self, connection: sa.Connection) -> None:
        """Keep other sessions from creating the tables until the transaction ends."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(*_key("tables"))))

    def lock(self, connection: sa.Connection, project: str) -> None:
        """Keep other sessions from writing to the project until this one ends."""
        key = _key("project", project)
        query = sa.select(sa.func.pg_try_advisory_lock(*key))
        end = time.monotonic() + _LOCK_SECONDS
        while not _scalar(connection, query):
            if time.monotonic() >= end:
                with connection.begin():
                    raise ProjectInUseError(project, _holder(connection, key))
            time.sleep(0.02)

    def unlock(self) -> None:
        """Do nothing: the locks end with the session, which was closed."""

    def close_in_child(self, connection: sa.Connection) -> None:
        """Close the socket in a forked child, which would keep the session open.

        The descriptor is replaced, not closed through the driver, which would end the session of
        the parent too.
        """
        raw: Any = connection.connection.dbapi_connection
        with contextlib.suppress(Exception):  # closed already, or of a driver without files
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, raw.fileno())
            os.close(nothing)


def with_driver(url: sa.URL) -> sa.URL:
    """Return a URL with psycopg as the driver unless it names one.

    >>> with_driver(sa.make_url("postgresql://db.example/runs")).drivername
    'postgresql+psycopg'
    """
    return url if "+" in url.drivername else url.set(drivername="postgresql+psycopg")


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
    """Return the two numbers under which an advisory lock with this name is taken."""
    digest = hashlib.sha256("/".join(("kt_extras", *words)).encode("utf-8", "surrogatepass"))
    high, low = digest.digest()[:4], digest.digest()[4:8]
    return int.from_bytes(high, "big") >> 1, int.from_bytes(low, "big") >> 1


def _holder(connection: sa.Connection, key: tuple[int, int]) -> str:
    """Return a description of the session that holds a lock, `""` if there is none."""
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
