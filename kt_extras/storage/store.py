"""What a store of records can do, whether it is a file or a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from kt_extras.storage.journal import FILE_NAME, Journal


class Store(Protocol):
    """Appends the records of one project and gives them back in order."""

    def exists(self) -> bool:
        """Tell whether there is such a project."""

    def append(self, record: Mapping[str, Any], *, sync: bool = False) -> None:
        """Write one record at the end; with `sync`, wait until it is on the disk."""

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the records from the first, or from what stands for them."""

    def news(self) -> Iterator[dict[str, Any]]:
        """Yield the records behind the last one that was read or written."""

    def outgrown(self) -> bool:
        """Tell whether `compact` would pay."""

    def compact(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Keep what the records so far amount to, so that a reload need not read them all."""

    def acquire(self) -> None:
        """Keep other processes from writing, until `release` or the end of this process."""

    def release(self) -> None:
        """Let others write."""

    def delete(self) -> None:
        """Remove the project's records, if there are any."""


def open_store(storage: str | None, directory: Path) -> Store:
    """Return the store of a project.

    Args:
        storage: The URL of a database that SQLAlchemy knows, or None for a journal in the project's
            directory.
        directory: The project's directory; its last part is the project's name.

    Raises:
        ModuleNotFoundError: A database is wanted, but the extra `sql` is not installed.
        ValueError: The URL is not one of SQLite or PostgreSQL.

    >>> import tempfile
    >>> open_store(None, Path(tempfile.mkdtemp())).exists()
    False
    """
    if storage is None:
        return Journal(directory / FILE_NAME)
    from kt_extras.storage.database import Database  # SQLAlchemy is optional

    return Database(storage, directory.name)
