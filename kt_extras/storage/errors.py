"""Errors of the journal and of databases."""

from __future__ import annotations


class StorageError(RuntimeError):
    """The records of a search cannot be reached, read or written.

    >>> raise StorageError("`storage` sqlite:///runs.db: the disk is full")
    Traceback (most recent call last):
    kt_extras.storage.errors.StorageError: `storage` sqlite:///runs.db: the disk is full
    """


class DamagedJournalError(StorageError):
    """A record in the middle of a journal cannot be read.

    >>> raise DamagedJournalError("Record 2 of 9 (at byte 33) in journal.jsonl is damaged")
    Traceback (most recent call last):
    kt_extras.storage.errors.DamagedJournalError: Record 2 of 9 (at byte 33) in journal.jsonl is
    damaged
    """


class DamagedRecordError(StorageError):
    """A record in a database is missing, or is not what was written.

    Args:
        storage: The URL of the database, with its password masked.
        project: The name of the project.
        sequence: The number of the record, counted from 1.
        count: The number of records that there should be.
        reason: What is wrong with the record.

    >>> raise DamagedRecordError("sqlite:///runs.db", "digits", 3, 10, "it is missing")
    Traceback (most recent call last):
    kt_extras.storage.errors.DamagedRecordError: Record 3 of 10 of the project 'digits' in
    sqlite:///runs.db is damaged: it is missing.  The records before it are whole (2); to go on
    from there, remove the others: `Database(url, 'digits', SearchTables()).cut(2)`, with
    `kt_extras.storage.database.Database` and `kt_extras.records.query_tables.SearchTables`.
    """

    def __init__(self, storage: str, project: str, sequence: int, count: int, reason: str) -> None:
        self.project, self.sequence = project, sequence
        self._arguments = (storage, project, sequence, count, reason)
        whole = sequence - 1
        super().__init__(
            f"Record {sequence} of {count} of the project {project!r} in {storage} is damaged: "
            f"{reason}.  The records before it are whole ({whole}); to go on from there, remove "
            f"the others: `Database(url, {project!r}, SearchTables()).cut({whole})`, with "
            "`kt_extras.storage.database.Database` and "
            "`kt_extras.records.query_tables.SearchTables`."
        )

    def __reduce__(self) -> tuple[type[DamagedRecordError], tuple[str, str, int, int, str]]:
        return type(self), self._arguments
