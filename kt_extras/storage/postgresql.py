"""Databases of PostgreSQL: advisory locks, which end with the connection."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Collection, Iterator
from typing import Any

from kt_extras.storage.address import engine
from kt_extras.storage.lock import TURN_SECONDS, ProjectInUseError, this_process
from kt_extras.storage.sql import sa

# Drivers that know the arguments `connect_timeout` and `application_name`.
_DRIVERS = {"psycopg", "psycopg2"}
_CONNECT_SECONDS = 15  # within which the server must answer
_LOCK_SECONDS = 1.0  # within which the server notices that the last holder was killed
# So that the server notices within a minute that the machine of a session has vanished.
_SETTINGS = f"""
SET synchronous_commit TO off;
SET lock_timeout TO '{TURN_SECONDS:.0f}s';
SET tcp_keepalives_idle TO 20;
SET tcp_keepalives_interval TO 10;
SET tcp_keepalives_count TO 3;
"""
_NAME_LENGTH = 63  # of an application, as the server cuts it

_locks = sa.table(
    "pg_locks", *map(sa.column, ("locktype", "database", "classid", "objid", "granted", "pid"))
)
_databases = sa.table("pg_database", sa.column("oid"), sa.column("datname"))
_activity = sa.table("pg_stat_activity", *map(sa.column, ("pid", "application_name")))


class PostgreSQL:
    """A database on a server.

    A committed transaction survives the death of the process.  The server waits for its disk
    before others see what was written, so its crash loses nothing that a process has acted on;
    only the lone writer of a project (`lock`) waits with `sync` alone.  Locks belong to the
    session, so the URL must not name a pooler that assigns sessions by transaction.  The server
    drops the session of a machine that has vanished within a minute.

    Args:
        url: The URL of the database. Its driver defaults to psycopg.
    """

    loses_locks = True

    def __init__(self, url: sa.URL) -> None:
        self._is_member = False
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
            if writing and (sync or self._is_member):  # as the server is configured, by default on
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO DEFAULT")
            yield

    def lock_tables(self, connection: sa.Connection) -> None:
        """Keep other sessions from creating the tables until the transaction ends."""
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(*_key("tables"))))

    def lock(self, connection: sa.Connection, project: str) -> None:
        """Keep other sessions from writing to the project until this one ends."""
        query = sa.select(sa.func.pg_try_advisory_lock(*_key("project", project)))
        _acquire(connection, project, query)

    def unlock(self) -> None:
        """Do no more than forget them: locks end with the session, which was closed."""
        self._is_member = False

    def join(self, connection: sa.Connection, project: str, member: str) -> None:
        """Hold a lock of a member, and keep others from `lock`, until the session ends."""
        query = sa.select(
            sa.func.pg_try_advisory_lock_shared(*_key("project", project)),
            sa.func.pg_advisory_lock(*_key("member", project, member)),
        )
        _acquire(connection, project, query)
        self._is_member = True

    def living(self, connection: sa.Connection, project: str, members: Collection[str]) -> set[str]:
        """Return those of some members whose locks are held."""
        if not members:
            return set()
        keys = {_key("member", project, member): member for member in members}
        query = _held(_locks.c.classid, _locks.c.objid)
        with connection.begin():
            held = {(int(row[0]), int(row[1])) for row in connection.execute(query)}
        return {member for key, member in keys.items() if key in held}

    def has_others(self, connection: sa.Connection, project: str, _: str) -> bool:
        """Return whether there are members beside this session."""
        query = _held(_locks.c.pid, key=_key("project", project))
        with connection.begin():
            others = query.where(_locks.c.pid != sa.func.pg_backend_pid()).limit(1)
            return connection.execute(others).first() is not None

    def begin_turn(self, connection: sa.Connection, project: str) -> None:
        """Wait until no other member is in a turn, and hold the lock of one."""
        _scalar(connection, sa.select(sa.func.pg_advisory_lock(*_key("turn", project))))

    def end_turn(self, connection: sa.Connection, project: str) -> None:
        """Release the lock of a turn."""
        _scalar(connection, sa.select(sa.func.pg_advisory_unlock(*_key("turn", project))))

    def has_changed(self, _: sa.Connection) -> bool:
        """Return True: the server has no number that is cheaper to ask for than the records."""
        return True

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
        cursor.execute(_SETTINGS)
    raw.commit()


def _scalar(connection: sa.Connection, query: sa.Select[Any]) -> Any:
    with connection.begin():
        return connection.scalar(query)


def _acquire(connection: sa.Connection, project: str, query: sa.Select[Any]) -> None:
    """Run a query until it has the lock of a project, whose former holder may be ending.

    Raises:
        ProjectInUseError: Another session keeps the lock.
    """
    end = time.monotonic() + _LOCK_SECONDS
    while not _scalar(connection, query):
        if time.monotonic() >= end:
            with connection.begin():
                raise ProjectInUseError(project, _holder(connection, _key("project", project)))
        time.sleep(0.02)


def _application() -> str:
    return f"kt_extras, {this_process()}"[:_NAME_LENGTH]


def _key(*words: str) -> tuple[int, int]:
    """Return the two numbers under which an advisory lock with this name is taken."""
    digest = hashlib.sha256("/".join(("kt_extras", *words)).encode("utf-8", "surrogatepass"))
    high, low = digest.digest()[:4], digest.digest()[4:8]
    return int.from_bytes(high, "big") >> 1, int.from_bytes(low, "big") >> 1


def _held(*columns: sa.ColumnElement[Any], key: tuple[int, int] | None = None) -> sa.Select[Any]:
    """Return a query of the advisory locks of this database that are held."""
    here = sa.select(_databases.c.oid).where(_databases.c.datname == sa.func.current_database())
    query = (
        sa.select(*columns)
        .where(_locks.c.locktype == "advisory", _locks.c.granted)
        .where(_locks.c.database == here.scalar_subquery())
    )
    if key is not None:
        query = query.where(_locks.c.classid == key[0], _locks.c.objid == key[1])
    return query


def _holder(connection: sa.Connection, key: tuple[int, int]) -> str:
    """Return a description of the session that holds a lock, `""` if there is none."""
    query = _held(_activity.c.application_name, _locks.c.pid, key=key).select_from(
        _locks.outerjoin(_activity, _activity.c.pid == _locks.c.pid)
    )
    row = connection.execute(query).first()
    if row is None:
        return ""
    name = (row.application_name or "").removeprefix("kt_extras, ")
    return f"{name or 'another process'} (PostgreSQL session {row.pid})"
