"""Records read from a database page by page and checked."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kt_extras.storage.encoding import Record, to_record
from kt_extras.storage.errors import DamagedRecordError
from kt_extras.storage.schema import records
from kt_extras.storage.sql import sa

Row = Any  # SQLAlchemy 2.0 and 2.1 have different types for it

_PAGE = 1000


def page(connection: sa.Connection, project: int, after: int) -> Sequence[Row]:
    """Return the rows of the next records: sequence number, checksum and text.

    Args:
        connection: A connection in a transaction. It may end after each page, since records are
            never changed.
        project: The `kte_projects.id` of the project.
        after: The last sequence number that was read.
    """
    columns = (records.c.sequence, records.c.checksum, records.c.record)
    rest = sa.and_(records.c.project == project, records.c.sequence > after)
    query = sa.select(*columns).where(rest).order_by(records.c.sequence).limit(_PAGE)
    return connection.execute(query).all()


def checked(
    fetch: Callable[[int], Sequence[Row]],
    count: int,
    damaged: Callable[[int, int, str], DamagedRecordError],
    after: int = 0,
) -> Iterator[tuple[Record, int]]:
    """Yield records in order, after a check that each one is there and as it was written.

    Args:
        fetch: A function that returns the page after a sequence number, empty at the end.
        count: The smallest number of records that there must be.
        damaged: A function that makes the error from the sequence number, the count and a reason.
        after: The sequence number of the last record that is known.  Defaults to 0.

    Yields:
        Each record and its checksum.

    Raises:
        DamagedRecordError: A record is missing or does not match its checksum.
    """
    last = after
    while rows := fetch(last):
        for row in rows:
            last += 1
            if row.sequence != last:
                raise damaged(last, count, "it is missing")
            try:
                record = whole(row)
            except ValueError as error:
                raise damaged(last, count, str(error)) from None
            yield record, row.checksum
    if last < count:
        raise damaged(last + 1, count, "it is missing")


def whole(row: Row) -> Record:
    """Return the record of a row.

    Args:
        row: Its sequence number, checksum and text.

    Raises:
        ValueError: It is not what was written, or not a record.
    """
    if not isinstance(row.record, str) or zlib.crc32(row.record.encode()) != row.checksum:
        raise ValueError("its checksum does not match")
    return to_record(row.record)
