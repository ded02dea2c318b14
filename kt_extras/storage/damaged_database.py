"""What is left of the records of a project in a damaged database, and whole ones in their place."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kt_extras.storage.database import Database
from kt_extras.storage.encoding import Record, to_text
from kt_extras.storage.errors import StorageError
from kt_extras.storage.reading import page, whole
from kt_extras.storage.salvage import Left, missing
from kt_extras.storage.schema import projects, records
from kt_extras.storage.sql import sa


class DamagedDatabase(Database):
    """A `Database` whose records may be damaged or missing; its lock must be held."""

    def left(self) -> Left:
        """Return the records that are whole, and the numbers of the others.

        Raises:
            FileNotFoundError: The project has no records.
        """
        with self._session.reading() as connection:
            place = self._find(connection) if connection is not None else None
        if place is None:
            raise self._unknown()
        project, count = place
        rows = {row.sequence: row for row in self._rows(project, count)}
        found = {n: record for n, row in rows.items() if (record := _record(row)) is not None}
        pieces = [str(row.record) for n, row in rows.items() if n not in found]
        return Left(sorted(found.items()), missing(found, 0, max(count, *rows, 0)), pieces)

    def replace(self, others: Iterable[Mapping[str, Any]]) -> str:
        """Put other records in the place of all; return the project that keeps what was there.

        Args:
            others: All records that the project shall have.

        Raises:
            FileNotFoundError: The project has no records.
        """
        with self._changing() as (connection, project, _):
            names = set(connection.scalars(sa.select(projects.c.name)))
            free = (f"{self.project} (damaged {n})" for n in itertools.count(1))
            kept = next(name for name in free if name not in names)
            change = sa.update(projects).where(projects.c.id == project).values(name=kept)
            connection.execute(change)
            new, count = self._create(connection)
            for record in others:
                count += 1
                self._insert(connection, (new, count), record, to_text(record))
            change = sa.update(projects).where(projects.c.id == new).values(records=count)
            connection.execute(change)
        return kept

    def _rows(self, project: int, count: int) -> Iterator[Any]:
        """Yield all rows that can be read; where a page cannot, one by one."""
        last = 0
        while True:
            try:
                with self._session.reading() as connection:
                    rows = [] if connection is None else page(connection, project, last)
            except StorageError:
                rows = [row for n in range(last + 1, count + 1) if (row := self._row(project, n))]
                yield from rows
                return
            if not rows:
                return
            yield from rows
            last = rows[-1].sequence

    def _row(self, project: int, sequence: int) -> Any:
        """Return a row of a damaged database, None if it cannot be read."""
        columns = (records.c.sequence, records.c.checksum, records.c.record)
        query = sa.select(*columns).where(
            records.c.project == project, records.c.sequence == sequence
        )
        with contextlib.suppress(StorageError), self._session.reading() as connection:
            return None if connection is None else connection.execute(query).first()


def _record(row: Any) -> Record | None:
    try:
        return whole(row)
    except ValueError:
        return None
