"""Reading records back, page by page, each one checked."""

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
        connection: In a transaction, which may end after each page: records are never changed.
        project: The project's `kte_projects.id`.
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
    """Yield records in order, without a gap, each as it was written.

    Args:
        fetch: Returns the page after a sequence number, empty at the end.
        count: How many there must be at least.
        damaged: Makes the error from the sequence number, the count and a reason.
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
    except ValueError as error:  # its checksum matches, so somebody has written it like that
        raise damaged(sequence, count, f"it is no JSON ({error})") from None
    return record
