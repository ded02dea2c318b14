"""The journal: one append-only file that holds all records of a search.

Each line is one record, ``<crc32 of the rest> <JSON>``.  A record is handed to the operating
system before `append` returns, so it survives the death of the process; with `sync` it also
survives a loss of power.  Only the last line can be torn, and a torn line is dropped.
"""

from __future__ import annotations

import errno
import json
import os
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kt_extras.atomic_files import replace_file
from kt_extras.storage.errors import DamagedJournalError as DamagedJournalError  # public here too
from kt_extras.storage.lock import FileLock, ProjectInUseError

FORMAT = 1
FILE_NAME = "journal.jsonl"
_MIN_GROWTH = 1_000_000  # bytes since the last snapshot

Record = dict[str, Any]


class Journal:
    """Appends records to a file and reads them back.

    Args:
        path: The file. It and its folder are created at the first `append`.

    >>> import tempfile, os
    >>> journal = Journal(os.path.join(tempfile.mkdtemp(), "journal.jsonl"))
    >>> journal.append({"kind": "enqueue", "values": {"units": 8}})
    >>> list(journal.read())
    [{'kind': 'enqueue', 'values': {'units': 8}}]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        # Beside the folder and not in it, so that the lock is kept when the folder is removed.
        folder = self.path.resolve().parent
        self._lock = FileLock(folder.with_name(f".{folder.name}.lock"), project=folder.name)
        self._last = (0, 0)  # where the last record begins and ends
        self._torn = 0  # bytes of a torn record behind it
        self._covered = 0  # bytes at the beginning that the snapshot replaces
        self._snapshot_size = 0  # in bytes

    def exists(self) -> bool:
        """Return whether the file exists."""
        return self.path.exists()

    def append(self, record: Mapping[str, Any], *, sync: bool = False) -> None:
        """Write one record at the end.

        Args:
            record: Values that JSON can hold; no NaN and no infinity.
            sync: Whether to wait until the record is on the disk. Defaults to False.

        Raises:
            ProjectInUseError: Another process has written to the journal since the last call.
            FileNotFoundError: The file was removed or cut since the last call.
            OSError: The disk is full or read-only. The next `append` cuts off a part of a record.
        """
        line, (_, end) = _line(record), self._last
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab", buffering=0) as file:  # one write, so only the last can be torn
            if (size := file.tell()) < end:
                raise FileNotFoundError(f"{self.path} was removed or cut while it was in use.")
            if size != end + self._torn:
                raise ProjectInUseError(self._lock.project)
            if size != end:
                file.truncate(end)
            written = file.write(line)
            if sync:
                os.fsync(file.fileno())
        if written != len(line):  # a full disk takes a part of the line
            self._torn = written
            raise OSError(errno.ENOSPC, "No space left for the journal", str(self.path))
        self._last, self._torn = (end, end + len(line)), 0

    def read(self) -> Iterator[Record]:
        """Yield the records in order; those of a snapshot replace the ones before it.

        A torn last line is left out, and cut off by the next `append`.

        Raises:
            DamagedJournalError: A record before the last does not match its checksum.
        """
        yield from self._snapshot()
        yield from self.news()

    def news(self) -> Iterator[Record]:
        """Yield the records after the last one that was read or written."""
        place, self._torn = self._last[1], 0
        with open(self.path, "rb") as file:
            file.seek(place)
            data = file.read()
        *lines, rest = data.split(b"\n")
        for number, line in enumerate(lines):
            record = _parsed(line)
            if record is None and number == len(lines) - 1 and not rest:
                rest = line + b"\n"
                break
            if record is None:
                raise DamagedJournalError(
                    f"Record {number + 1} of {len(lines)} (at byte {place}) in {self.path} is "
                    f"damaged: its checksum does not match.  The records before it are whole "
                    f"({number}); to go on from there, remove that line and all after it; the "
                    "file is plain text, one record a line."
                )
            self._last = (place, place + len(line) + 1)
            place = self._last[1]
            yield record
        if rest:
            warnings.warn(
                f"Dropped a torn last record ({len(rest)} B) of {self.path}: the process ended "
                "while writing it, or the disk was full.",
                stacklevel=2,
            )
            self._torn = len(rest)

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
        self._snapshot_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self._last, self._torn, self._covered, self._snapshot_size = (0, 0), 0, 0, 0

    def outgrown(self) -> bool:
        """Return whether the journal has grown enough since the last snapshot for another one.

        The threshold grows with the journal and with the snapshot, so snapshots cost O(1) a record
        in the long run, and write no more bytes than the journal.
        """
        growth = max(_MIN_GROWTH, self._covered / 4, self._snapshot_size)
        return self._last[1] - self._covered > growth

    def compact(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write a snapshot beside the journal, so that `read` need not read the whole journal.

        The journal itself stays whole; `read` skips a damaged snapshot.

        Args:
            records: Records with the same meaning as all those of the journal so far.
        """
        begin, end = self._last
        with open(self.path, "rb") as file:
            file.seek(begin)
            mark = file.read(8).decode()
        head = {"kind": "snapshot", "last": [begin, end], "mark": mark}
        lines = b"".join(map(_line, [head, *records]))
        replace_file(self._snapshot_path, lines.decode(), sync=True)
        self._covered, self._snapshot_size = end, len(lines)

    @property
    def _snapshot_path(self) -> Path:
        return self.path.with_name("snapshot.jsonl")

    def _snapshot(self) -> list[Record]:
        """Return the records of the snapshot if it is whole and belongs to this journal."""
        self._last, self._covered, self._snapshot_size = (0, 0), 0, 0
        if not self._snapshot_path.exists():
            return []
        content = self._snapshot_path.read_bytes()
        *lines, _ = content.split(b"\n")
        head, *records = [_parsed(line) for line in lines] or [None]
        if head is None or None in records or not self._has(head):
            warnings.warn(
                f"Skipped {self._snapshot_path}, which is damaged or of another search; the "
                "journal itself is read from its beginning.",
                stacklevel=3,
            )
            return []
        self._last = (head["last"][0], head["last"][1])
        self._covered, self._snapshot_size = self._last[1], len(content)
        return [record for record in records if record is not None]

    def _has(self, head: Record) -> bool:
        """Return whether the last record that a snapshot covers is where its head says."""
        begin, end = head["last"]
        with open(self.path, "rb") as file:
            file.seek(begin)
            line = file.read(end - begin)
        return line[:8].decode(errors="replace") == head["mark"] and _parsed(line[:-1]) is not None


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, allow_nan=False, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _parsed(line: bytes) -> Record | None:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    record: Record = json.loads(text)
    return record
