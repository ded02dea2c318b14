"""The protocol of a store of records, and the choice of one by its URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kt_extras.storage.journal import FILE_NAME, Journal

if TYPE_CHECKING:  # SQLAlchemy is optional
    from kt_extras.storage.schema import QueryTables


class Store(Protocol):
    """Appends the records of one project and reads them back in order.

    `kt_extras.testing.StoreContract` tests a class for what is said here.
    """

    def exists(self) -> bool:
        """Return whether the project has records."""

    def append(self, record: Mapping[str, Any], *, sync: bool = False) -> None:
        """Write one record at the end.

        Args:
            record: Values that JSON can hold; no NaN and no infinity.
            sync: Whether to wait until the record is on the disk. Defaults to False.

        Raises:
            ProjectInUseError: Another process has written to the project meanwhile.
            ValueError: The record holds a NaN or an infinity; nothing is written.
        """

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield all records in order, those of `compact` in place of the ones that they replace.

        Raises:
            FileNotFoundError: The project has no records.
        """

    def news(self) -> Iterator[dict[str, Any]]:
        """Yield the records after the last one that was read or written here."""

    def outgrown(self) -> bool:
        """Return whether `compact` would make `read` faster than it costs."""

    def compact(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Let `read` yield other records in place of those so far; a store may ignore this.

        Args:
            records: Records with the same meaning as all those so far.
        """

    def acquire(self) -> None:
        """Keep other processes from writing, until `release` or the end of this process.

        Raises:
            ProjectInUseError: Another process has done so.
        """

    def release(self) -> None:
        """Let other processes write."""

    def delete(self) -> None:
        """Remove all records of the project, if there are any."""


def open_store(
    storage: str | None, directory: Path, query_tables: QueryTables | None = None
) -> Store:
    """Return the store of a project.

    Args:
        storage: The URL of a database, whose scheme is one of
            `kt_extras.storage.backends.BACKENDS`; None for a journal in `directory`.
        directory: The directory of the project; its last part is the name of the project.
        query_tables: The tables of the database that are derived from the records. Whoever writes
            to the database of a search must give those of the search. Defaults to None, for none.

    Raises:
        ModuleNotFoundError: `storage` is a URL, but the extra `sql` is not installed.
        ValueError: `storage` is not a URL, or its scheme is not known.

    >>> import tempfile
    >>> open_store(None, Path(tempfile.mkdtemp())).exists()
    False
    """
    if storage is None:
        return Journal(directory / FILE_NAME)
    from kt_extras.storage.database import Database  # SQLAlchemy is optional

    return Database(storage, directory.name, query_tables)
