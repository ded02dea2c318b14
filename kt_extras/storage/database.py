"""The records of a search in a database, beside those of other searches.

The records are the same as in a journal, and a reload reads nothing else.  Each is written in one
transaction together with what it changes in the tables that are derived from the records.
"""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from kt_extras.storage.address import shown
from kt_extras.storage.encoding import Record, to_text
from kt_extras.storage.errors import (
    DamagedRecordError,
    LostTurnError,
    RemovedRecordsError,
    StorageError,
)
from kt_extras.storage.lock import ProjectInUseError
from kt_extras.storage.reading import checked, page
from kt_extras.storage.schema import QueryTables, projects, records
from kt_extras.storage.session import Session
from kt_extras.storage.sql import sa

_T = TypeVar("_T")
Place = tuple[int, int]  # a project's id and its number of records

_DELAYS = (0.1, 0.5, 1, 2, 4, 8, 16)  # seconds before each attempt to open a lost connection
_COUNT = (
    sa.update(projects)
    .where(projects.c.id == sa.bindparam("of_project"), projects.c.records == sa.bindparam("last"))
    .values(records=projects.c.records + 1)
)
_INSERT = sa.insert(records)


class Database:
    """Appends the records of one project to a database and reads them back.

    A record is committed before `append` returns, so it survives the death of the process; with
    `sync` it also survives a loss of power.  An append costs the same however many records there
    are.  One connection is held from the first use to `release`; if the connection to a server is
    lost, `append` tries for half a minute to get it back, and never writes a record twice.

    Args:
        url: The URL of the database. A tuner takes it as `storage`, the name that errors use.
        project: The name of the project; a database holds any number of projects.
        query_tables: The tables that are derived from the records. All who write to a database must
            give the same ones; to read, none are needed. Defaults to None, for no derived tables.

    Raises:
        ModuleNotFoundError: SQLAlchemy or the driver is not installed.
        ValueError: The URL is not one of SQLite or PostgreSQL, or the project has no name.

    >>> import tempfile
    >>> database = Database(f"sqlite:///{tempfile.mkdtemp()}/runs.db", "digits")
    >>> with database:  # no other process can write to the project
    ...     database.append({"kind": "enqueue", "values": {"units": 8}})
    >>> list(database.read())
    [{'kind': 'enqueue', 'values': {'units': 8}}]
    >>> database.release()
    """

    def __init__(
        self, url: str | sa.URL, project: str, query_tables: QueryTables | None = None
    ) -> None:
        self.project = _name(project)
        self._query_tables = query_tables
        self._derived = () if query_tables is None else tuple(query_tables.tables)
        self._session = Session(url, project, self._derived)
        self._shown = shown(self._session.url)
        self._place: Place | None = None  # after which the next append writes
        self._seen = 0  # records that were read or written here
        self._mark: tuple[int, int] | None = None  # the project and the checksum of the last one

    def __enter__(self) -> Database:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __str__(self) -> str:
        return f"{self._shown} (project {self.project!r})"

    # The methods of a `Store`.

    def exists(self) -> bool:
        """Return whether the project has records."""
        with self._session.reading() as connection:
            place = None if connection is None else self._find(connection)
            return place is not None and place[1] > 0

    def append(self, record: Mapping[str, Any], *, sync: bool = False) -> None:
        """Write one record at the end.

        Args:
            record: Values that JSON can hold; no NaN and no infinity.
            sync: Whether to wait until the record is on the disk. Defaults to False.

        Raises:
            ProjectInUseError: Another process has written to the project since the last append.
            LostTurnError: The same, for a member.
            RemovedRecordsError: Records that were read or written are not there any more.
            StorageError: The record could not be written; nothing of it was.
            ValueError: JSON cannot hold the record; nothing is written.
        """
        text = to_text(record)
        with self._session.mutex, self._session.explained():
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
            FileNotFoundError: The project has no records.
            DamagedRecordError: A record is missing or does not match its checksum.
        """
        self._seen, self._mark = 0, None
        yield from self.news()

    def news(self) -> Iterator[Record]:
        """Yield the records after the last one that was read or written here.

        Raises:
            FileNotFoundError: The project has no records.
            DamagedRecordError: A record is missing or does not match its checksum.
            RemovedRecordsError: The project is not the one that was read: another search has begun
                in its place.
        """
        place = self._retried(self._find_seen)
        if place is None or not place[1]:
            raise self._unknown()
        for record, checksum in self._records(*place, after=self._seen):
            self._seen, self._mark = self._seen + 1, (place[0], checksum)
            yield record
        if self._session.is_member:  # what it writes follows on what it has read
            self._place = place[0], self._seen

    def outgrown(self) -> bool:
        """Return False: a database is read page by page, so a snapshot saves nothing."""
        return False

    def compact(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Do nothing, since a snapshot saves nothing."""

    def acquire(self) -> None:
        """Keep other processes from writing, until `release` or the end of this process.

        Raises:
            ProjectInUseError: Another process has done so.
        """
        self._session.lock()

    def release(self) -> None:
        """Let other processes write, and close the connection; it is opened again when needed."""
        self._session.close()

    # Members, which share a project in turns.

    def join(self, member: str) -> None:
        """Share the project with other processes, until `release` or the end of this process.

        Args:
            member: A name that no other process has.

        Raises:
            ProjectInUseError: A process has the project for itself, by `acquire`.
        """
        self._session.join(member)

    def living(self, members: Collection[str]) -> set[str]:
        """Return those of some members whose processes live, as far as is known.

        Args:
            members: Their names.
        """
        return self._retried(lambda: self._session.living(members))

    def has_others(self) -> bool:
        """Return whether there are other members."""
        return self._retried(self._session.has_others)

    def begin_turn(self) -> bool:
        """Wait until no other member is in a turn, and begin one; only in a turn a member writes.

        Returns:
            Whether `news` has records.

        Raises:
            StorageError: Another member has been in its turn for a minute, or the connection was
                lost and could not be had back within half a minute.
        """
        try:
            place = self._retried(self._find_in_turn)
            known = self._mark and (self._mark[0], self._seen)
            if place is None and known:
                raise self._changed(None, known)
        except BaseException:
            self._session.end_turn()
            raise
        self._place = place
        return place is not None and place != known

    def end_turn(self) -> None:
        """Let other members have their turns."""
        self._session.end_turn()

    # Beyond a `Store`.

    def delete(self) -> None:
        """Remove the project with its records and its rows of derived tables, if there is one."""
        if self.exists():
            with self._changing() as (connection, project, _):
                for table in (*reversed(self._derived), records):
                    connection.execute(sa.delete(table).where(table.c.project == project))
                connection.execute(sa.delete(projects).where(projects.c.id == project))

    def cut(self, count: int) -> None:
        """Keep the first `count` records and remove all others, whole or damaged.

        Args:
            count: How many records to keep.

        Raises:
            FileNotFoundError: The project has no records.
            DamagedRecordError: One of those to keep is not whole; nothing is changed.
        """
        with self._changing() as (connection, project, there):
            kept = min(max(count, 0), there)
            rest = sa.not_(records.c.sequence.between(1, kept))
            connection.execute(sa.delete(records).where(records.c.project == project, rest))
            change = sa.update(projects).where(projects.c.id == project)
            connection.execute(change.values(records=kept))
            self._derive_again(connection, project, kept)

    def rebuild(self) -> None:
        """Fill the derived tables of the project again from its records.

        Raises:
            FileNotFoundError: The project has no records.
            DamagedRecordError: A record is not whole; nothing is changed.
        """
        with self._changing() as (connection, project, count):
            self._derive_again(connection, project, count)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[tuple[sa.Connection, int, int]]:
        """Yield a connection, the project's id and its number of records, to change any of them."""
        with self._session.writing() as connection:
            self._place = None  # the next append has to find it again
            place = self._find(connection)
            if place is None:
                raise self._unknown()
            yield connection, *place

    def _retried(self, work: Callable[[], _T]) -> _T:
        """Return what a function returns; a member calls it again after a connection is lost."""
        delays = _DELAYS if self._session.is_member else ()
        with self._session.mutex, self._session.explained():
            for delay in delays:
                try:
                    return work()
                except (sa.exc.DBAPIError, StorageError) as error:
                    if isinstance(error, RemovedRecordsError) or self._session.is_open:
                        raise
                time.sleep(delay)
            return work()

    def _find_in_turn(self) -> Place | None:
        self._session.begin_turn()
        if not self._session.has_changed() and self._place is not None:
            return self._place  # nobody has written since the last turn
        with self._session.reading() as connection:
            return None if connection is None else self._find(connection)

    def _find_seen(self) -> Place | None:
        with self._session.reading() as connection:
            place = self._find(connection) if connection is not None else None
            if connection is not None and place is not None:
                self._check_seen(connection, place[0])
            return place

    def _find(self, connection: sa.Connection) -> Place | None:
        query = sa.select(projects.c.id, projects.c.records).where(projects.c.name == self.project)
        row = connection.execute(query).first()
        return None if row is None else (row.id, row.records)

    def _create(self, connection: sa.Connection) -> Place:
        """Create the project.

        Raises:
            ProjectInUseError: Another process has just done so.
            LostTurnError: Another member has.
        """
        row = sa.insert(projects).values(name=self.project, records=0)
        try:
            return connection.execute(row.returning(projects.c.id)).scalar_one(), 0
        except sa.exc.IntegrityError:
            raise self._overtaken() from None

    def _write(self, record: Mapping[str, Any], text: str, *, sync: bool) -> None:
        with self._session.transaction(sync=sync) as connection:
            project, last = self._place or self._find(connection) or self._create(connection)
            if connection.execute(_COUNT, {"of_project": project, "last": last}).rowcount != 1:
                raise self._changed(self._find(connection), (project, last))
            self._place = None  # until the record is known to be written
            checksum = self._insert(connection, (project, last + 1), record, text)
        self._place = project, last + 1
        self._seen, self._mark = last + 1, (project, checksum)

    def _insert(
        self, connection: sa.Connection, place: Place, record: Mapping[str, Any], text: str
    ) -> int:
        """Insert a record at a place, bring the tables up to date, and return its checksum."""
        project, sequence = place
        checksum = zlib.crc32(text.encode())
        row = {"project": project, "sequence": sequence, "kind": record.get("kind")}
        connection.execute(_INSERT, row | {"checksum": checksum, "record": text})
        self._update_tables(connection, project, record)
        return checksum

    def _write_again(
        self,
        record: Mapping[str, Any],
        text: str,
        place: Place | None,
        *,
        sync: bool,
    ) -> None:
        """Open a lost connection again, and write the record unless it has been written."""
        for delay in _DELAYS:
            self._session.disconnect()
            time.sleep(delay)
            try:
                with self._session.transaction(sync=sync) as connection:
                    now = self._find(connection)
                    if place is not None and now is not None and now[1] > place[1]:
                        now = place[0], place[1] + 1  # other members may have written since
                    written = now != place and self._ends_with(connection, now, text)
                if written and now is not None:
                    self._place, self._seen = now, now[1]
                    self._mark = now[0], zlib.crc32(text.encode())
                else:
                    self._place = place
                    self._write(record, text, sync=sync)
                return
            except (sa.exc.DBAPIError, ProjectInUseError):
                if delay == _DELAYS[-1]:
                    raise

    def _ends_with(self, connection: sa.Connection, place: Place | None, text: str) -> bool:
        if place is None:
            return False
        query = sa.select(records.c.record).where(
            records.c.project == place[0], records.c.sequence == place[1]
        )
        return connection.scalar(query) == text

    def _records(self, project: int, count: int, after: int) -> Iterator[tuple[Record, int]]:
        def fetch(after: int) -> Sequence[Any]:
            with self._session.reading() as connection:
                return [] if connection is None else page(connection, project, after)

        return checked(lambda last: self._retried(lambda: fetch(last)), count, self._damaged, after)

    def _check_seen(self, connection: sa.Connection, project: int) -> None:
        """Raise unless the last record that was read or written here is the one that it was."""
        query = sa.select(records.c.checksum).where(
            records.c.project == project, records.c.sequence == self._seen
        )
        if self._mark and self._mark != (project, connection.scalar(query)):
            raise RemovedRecordsError(
                f"{self} was replaced since it was read.  Make the tuner again to see the search "
                "that it holds now."
            )

    def _changed(self, now: Place | None, known: Place) -> Exception:
        """Return the error for a project that is not as this writer has left it."""
        if now is not None and (now[0] != known[0] or now[1] >= known[1]):
            return self._overtaken()
        lost = "is gone" if now is None else f"has lost its last records ({known[1] - now[1]})"
        return RemovedRecordsError(
            f"{self} {lost}: it was removed while it was in use, or the server has crashed.  "
            "Search again: that goes on from what is left."
        )

    def _overtaken(self) -> Exception:
        """Return the error for a project to which another process has written."""
        if not self._session.is_member:
            return ProjectInUseError(self.project)
        return LostTurnError(f"{self} was written to in a turn that was lost with the connection.")

    def _derive_again(self, connection: sa.Connection, project: int, count: int) -> None:
        for table in reversed(self._derived):
            connection.execute(sa.delete(table).where(table.c.project == project))
        rows = checked(lambda after: page(connection, project, after), count, self._damaged)
        for record, _ in rows:
            self._update_tables(connection, project, record)

    def _update_tables(
        self, connection: sa.Connection, project: int, record: Mapping[str, Any]
    ) -> None:
        if self._query_tables is not None:
            self._query_tables.update(connection, project, record)

    def _unknown(self) -> FileNotFoundError:
        return FileNotFoundError(f"{self._shown} holds no project {self.project!r}.")

    def _damaged(self, sequence: int, count: int, reason: str) -> DamagedRecordError:
        return DamagedRecordError(self._shown, self.project, sequence, count, reason)


def _name(project: str) -> str:
    wrong = not isinstance(project, str) or not project or "\x00" in project
    if wrong or any("\ud800" <= character <= "\udfff" for character in project):
        raise ValueError(
            f"`project_name` must be a text that a database can hold, not empty, got {project!r}."
        )
    return project
