"""The journal: one append-only file that holds all records of a search.

Each line is one record with its number and a checksum (`kt_extras.storage.lines`).  A record is
handed to the operating system before `append` returns, so it survives the death of the process;
with `sync` it also survives a loss of power.  Only what follows the last record that was synced can
be torn, and it is dropped.
"""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from kt_extras.atomic_files import make_directory, sync_entry
from kt_extras.storage.encoding import Record
from kt_extras.storage.errors import DamagedJournalError as DamagedJournalError  # public here too
from kt_extras.storage.errors import RemovedJournalError, RemovedRecordsError, with_remedy
from kt_extras.storage.journal_snapshot import JournalSnapshot
from kt_extras.storage.lines import ChecksumError, from_line, to_line, was_on_disk
from kt_extras.storage.lock import FileLock, ProjectInUseError

FORMAT = 2  # since 2 the lines have numbers
FILE_NAME = "journal.jsonl"
_MIN_GROWTH = 1_000_000  # bytes since the last snapshot
_MARK = 8  # bytes of a line's checksum


@dataclass
class _Place:
    """What is known of a journal up to the last record that was read or written.

    Attributes:
        last: Where that record begins and ends, in bytes.
        mark: Its checksum.
        count: Its number.
        numbered: Whether its line has the number.
        torn: How many bytes of torn records are behind it.
        pending: The line that is being written, or was when an error struck.
        covered: How many bytes at the beginning the snapshot replaces.
        snapshot_size: In bytes.
    """

    last: tuple[int, int] = (0, 0)
    mark: bytes = b""
    count: int = 0
    numbered: bool = False
    torn: int = 0
    pending: bytes = b""
    covered: int = 0
    snapshot_size: int = 0

    def after(self, end: int, line: bytes, *, numbered: bool) -> _Place:
        """Return what is known behind one more line, which ends at a byte."""
        return _Place(
            last=(self.last[1], end),
            mark=line[:_MARK],
            count=self.count + 1,
            numbered=numbered,
            covered=self.covered,
            snapshot_size=self.snapshot_size,
        )


class Journal:
    """Appends records to a file and reads them back.

    Args:
        path: The file. It and its folder are created at the first `append`.  A relative path counts
            from the working directory of now, wherever the process goes.

    >>> import tempfile, os
    >>> journal = Journal(os.path.join(tempfile.mkdtemp(), "journal.jsonl"))
    >>> journal.append({"kind": "enqueue", "values": {"units": 8}})
    >>> list(journal.read())
    [{'kind': 'enqueue', 'values': {'units': 8}}]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        # Beside the folder and not in it, so that the lock is kept when the folder is removed.
        folder = self.path.resolve().parent
        self._lock = FileLock(folder.with_name(f".{folder.name}.lock"), project=folder.name)
        self._snapshot = JournalSnapshot(self.path)
        self._at = _Place()
        self._entry_synced = False  # whether its entry in its folder is on the disk
        self._warned = False  # that there is no snapshot

    def exists(self) -> bool:
        """Return whether there is a whole record, or what is left of damaged ones.

        A file whose first record is torn holds nothing: its search had not begun.
        """
        try:
            with open(self.path, "rb") as file:
                first, more = file.readline(), file.read(1)
        except FileNotFoundError:
            first, more = b"", b""
        return bool(more) or _is_whole(first) or self._snapshot.path.exists()

    def append(self, record: Mapping[str, Any], *, sync: bool = False) -> None:
        """Write one record at the end.

        Args:
            record: Values that JSON can hold; no NaN and no infinity.
            sync: Whether to wait until the record is on the disk. Defaults to False.

        Raises:
            ProjectInUseError: Another process has written to the journal since the last call.
            RemovedJournalError: The file was removed or cut since the last call.
            OSError: The disk is full or read-only. The next `append` cuts off a part of a record.
            ValueError: JSON cannot hold the record; nothing is written.
        """
        line, end = to_line(record, self._at.count + 1, sync=sync), self._at.last[1]
        with with_remedy(self.path):
            self._write(line, end, sync=sync)
        self._at = self._at.after(end + len(line), line, numbered=True)  # in one step

    def read(self) -> Iterator[Record]:
        """Yield the records in order; those of a snapshot replace the ones before it.

        A torn end is left out, and cut off by the next `append`.

        Raises:
            DamagedJournalError: A record before the last does not match its checksum, or one is
                missing or there twice.
            FileNotFoundError: There is no journal.
        """
        self._at = _Place()
        if snapshot := self._snapshot.read():
            self._at = _Place(
                snapshot.last,
                snapshot.mark,
                snapshot.number,
                snapshot.numbered,
                covered=snapshot.last[1],
                snapshot_size=snapshot.size,
            )
            yield from snapshot.records
        yield from self.news()

    def news(self) -> Iterator[Record]:
        """Yield the records after the last one that was read or written.

        Raises:
            DamagedJournalError: As for `read`.
            RemovedRecordsError: The journal is not the one that was read: another search has begun
                in its place.
        """
        seen = self._at.torn
        self._at.torn, self._at.pending = 0, b""
        *lines, rest = self._unread().split(b"\n")
        total = self._at.count + len(lines)
        for index, line in enumerate(lines):
            try:
                found = from_line(line)
            except ValueError as error:
                behind = [*lines[index:], rest] if rest else lines[index:]
                if isinstance(error, ChecksumError) and not was_on_disk(behind):
                    rest = b"\n".join([*lines[index:], rest])
                    break
                raise self._damaged(str(error), total) from None
            if problem := self._disorder(found.number):
                raise self._damaged(problem, total)
            end = self._at.last[1] + len(line) + 1
            self._at = self._at.after(end, line, numbered=found.number is not None)
            yield found.record
        self._at.torn = len(rest)
        if len(rest) > seen:  # of which no warning was given yet
            warnings.warn(
                f"Dropped a torn last record ({len(rest)} B) of {self.path}: the process ended "
                "while writing it, the power failed, or the disk was full.",
                stacklevel=2,
            )

    def acquire(self) -> None:
        """Keep other processes from writing, until `release` or the end of this process.

        Raises:
            ProjectInUseError: Another process has done so.
        """
        if not self._lock.held:
            self._lock.acquire()

    def release(self) -> None:
        """Let other processes write."""
        self._lock.release()

    def delete(self) -> None:
        """Remove the journal and its snapshot, if there are any."""
        self._snapshot.path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self._at, self._entry_synced = _Place(), False

    def outgrown(self) -> bool:
        """Return whether the journal has grown enough since the last snapshot for another one.

        The threshold grows with the journal and with the snapshot, so snapshots cost O(1) a record
        in the long run, and write no more bytes than the journal.
        """
        growth = max(_MIN_GROWTH, self._at.covered / 4, self._at.snapshot_size)
        return self._at.last[1] - self._at.covered > growth

    def snapshot_is_old(self) -> bool:
        """Return whether so much was written since the last snapshot that reading it takes time."""
        return self._at.last[1] - self._at.covered > _MIN_GROWTH

    def compact(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write a snapshot beside the journal, so that `read` need not read the whole journal.

        The journal itself stays whole; `read` skips a damaged snapshot.  One that cannot be
        written is warned about, and tried again when the journal has grown as much again.

        Args:
            records: Records with the same meaning as all those of the journal so far.
        """
        at = self._at
        at.covered = at.last[1]
        try:
            at.snapshot_size = self._snapshot.write(records, at.last, at.count)
        except OSError as error:
            if not self._warned:
                warnings.warn(
                    f"{self._snapshot.path} cannot be written ({error}); the search goes on "
                    "without it, and takes longer to load.",
                    stacklevel=2,
                )
            self._warned = True

    # Parts of these.

    def _unread(self) -> bytes:
        """Return all that is behind the last record, which must still be there."""
        begin, end = self._at.last
        with open(self.path, "rb") as file:
            file.seek(begin)
            if self._at.mark and file.read(_MARK) != self._at.mark:
                raise RemovedRecordsError(
                    f"{self.path} was replaced since it was read.  Make the tuner again to see the "
                    "search that it holds now."
                )
            file.seek(end)
            return file.read()

    def _write(self, line: bytes, end: int, *, sync: bool) -> None:
        if not end:
            make_directory(self.path.parent)
        elif not self.path.exists():  # opening it would create it
            raise self._gone()
        with open(self.path, "a+b", buffering=0) as file:  # one write, so only the last can be torn
            self._cut_off_torn(file, end)
            self._at.pending = line
            if file.write(line) != len(line):  # a full disk takes a part of the line
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            if sync:
                os.fsync(file.fileno())
        if sync and not self._entry_synced:
            sync_entry(self.path)
            self._entry_synced = True

    def _cut_off_torn(self, file: BinaryIO, end: int) -> None:
        """Cut off what is behind the last record, if no other process has written it."""
        size = file.seek(0, os.SEEK_END)
        if size < end:
            raise self._gone()
        if size == end:
            return
        file.seek(end)
        behind = file.read(size - end)
        ours = self._at.pending.startswith(behind) or len(behind) == self._at.torn
        if not ours and (end or self.exists()):
            raise ProjectInUseError(self._lock.project)
        file.truncate(end)

    def _disorder(self, number: int | None) -> str:
        """Return what is wrong with the number of the next line, `""` if nothing is."""
        expected = self._at.count + 1
        if number == expected or (number is None and not self._at.numbered):
            return ""
        if number is None:
            return "it has no number, though the one before it has"
        return f"it is missing; record {number} is in its place"

    def _damaged(self, reason: str, total: int) -> DamagedJournalError:
        """Return the error for the next record."""
        return DamagedJournalError(
            f"Record {self._at.count + 1} of {total} (at byte {self._at.last[1]}) in {self.path} "
            f"is damaged: {reason}.  To save what can be saved, and to see what is lost, run "
            f"`python -m kt_extras repair {self.path.parent}`."
        )

    def _gone(self) -> RemovedJournalError:
        return RemovedJournalError(
            f"{self.path} was removed or cut while it was in use.  Put it back if there is a copy, "
            "and search again."
        )


def _is_whole(line: bytes) -> bool:
    try:
        from_line(line.removesuffix(b"\n"))
    except ValueError:
        return False
    return line.endswith(b"\n")
