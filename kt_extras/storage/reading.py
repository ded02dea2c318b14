"""Records read from a database page by page and checked."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kt_extras.storage.errors import DamagedRecordError
from kt_extras.storage.schema import records
from kt_extras.storage.sql import sa

Record = dict[str, Any]
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
) -> Iterator[Record]:
    """Yield records in order, after a check that each one is there and as it was written.

    Args:
        fetch: A function that returns the page after a sequence number, empty at the end.
        count: The smallest number of records that there must be.
        damaged: A function that makes the error from the sequence number, the count and a reason.

    Raises:
        DamagedRecordError: A record is missing or does not match its checksum.
    """
    last = 0
    while rows := fetch(last):
        for row in rows:
            last += 1
            if row.sequence != last:
                raise damaged(last, count, "it is missing")
            if not isinstance(row.record, str) or zlib.crc32(row.record.encode()) != row.checksum:
                raise damaged(last, count, "its checksum does not match")
            yield _record(row.record, last, count, damaged)
    if last < count:
        raise damaged(last + 1, count, "it is missing")


def _record(
    text: str, sequence: int, count: int, damaged: Callable[[int, int, str], DamagedRecordError]
) -> Record:
    try:
        record: Record = json.loads(text)
    except ValueError as error:  # its checksum matches, so it was written like this
        raise damaged(sequence, count, f"it is not JSON ({error})") from None
    return record
