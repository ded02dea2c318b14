"""Errors of the journal and of databases."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

_DISK = "check the disk, or the connection to the file system"
_ADVICE = {
    "ENOSPC": "make room on the disk",
    "EDQUOT": "remove files, or have the quota raised",
    "EROFS": "make the file system writable",
    "EFBIG": "raise the limit on the size of files (`ulimit -f`), or use another file system",
    "EMFILE": "raise the limit on open files (`ulimit -n`)",
    "ENFILE": "end other programs, which have too many files open",
    "ENOLCK": "use a file system that has locks",
    **dict.fromkeys(("EIO", "ESTALE", "ENODEV", "ENXIO", "ENOTCONN", "EREMOTEIO"), _DISK),
}
#: What to do about an error that is the machine's fault, whoever reads or writes, by its number.
DISK_ADVICE = {getattr(errno, name): text for name, text in _ADVICE.items() if hasattr(errno, name)}
_NO_RIGHT = "give this process the right to write there"
_REMEDIES = {**DISK_ADVICE, errno.EACCES: _NO_RIGHT, errno.EPERM: _NO_RIGHT}


class StorageError(RuntimeError):
    """The records of a search cannot be reached, read or written.

    >>> raise StorageError("`storage` sqlite:///runs.db: the disk is full")
    Traceback (most recent call last):
    kt_extras.storage.errors.StorageError: `storage` sqlite:///runs.db: the disk is full
    """


class RemovedRecordsError(StorageError):
    """Records that were read or written are not there any more.

    >>> raise RemovedRecordsError("`storage` sqlite:///runs.db was removed while it was in use")
    Traceback (most recent call last):
    kt_extras.storage.errors.RemovedRecordsError: `storage` sqlite:///runs.db was removed while it
    was in use
    """


class LostTurnError(StorageError):
    """Another process has written in a turn that was lost with the connection.

    What was to be written was not; it has to be decided again.

    >>> raise LostTurnError("the connection was lost in a turn")
    Traceback (most recent call last):
    kt_extras.storage.errors.LostTurnError: the connection was lost in a turn
    """


class RemovedJournalError(RemovedRecordsError, FileNotFoundError):
    """A journal was removed or cut while it was in use.

    >>> raise RemovedJournalError("runs/digits/journal.jsonl was removed or cut")
    Traceback (most recent call last):
    kt_extras.storage.errors.RemovedJournalError: runs/digits/journal.jsonl was removed or cut
    """


class DamagedJournalError(StorageError):
    """A record in the middle of a journal cannot be read, or is missing.

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
    sqlite:///runs.db is damaged: it is missing.  To save what can be saved, and to see what is
    lost, run `python -m kt_extras repair --storage URL --project 'digits'` with the URL of the
    database.
    """

    def __init__(self, storage: str, project: str, sequence: int, count: int, reason: str) -> None:
        self.project, self.sequence = project, sequence
        self._arguments = (storage, project, sequence, count, reason)
        super().__init__(
            f"Record {sequence} of {count} of the project {project!r} in {storage} is damaged: "
            f"{reason}.  To save what can be saved, and to see what is lost, run `python -m "
            f"kt_extras repair --storage URL --project {project!r}` with the URL of the database."
        )

    def __reduce__(self) -> tuple[type[DamagedRecordError], tuple[str, str, int, int, str]]:
        return type(self), self._arguments


@contextlib.contextmanager
def with_remedy(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let errors of the operating system say what to do; their classes stay.

    Args:
        path: What the block writes.

    >>> with with_remedy("journal.jsonl"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    OSError: [Errno 28] No space left on device; make room on the disk, then search again: it goes
    on where it ended: 'journal.jsonl'
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        remedy = f"{_REMEDIES[error.errno]}, then search again: it goes on where it ended"
        raise OSError(error.errno, f"{error.strerror}; {remedy}", str(path)) from error
