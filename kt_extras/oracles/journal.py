"""The journal: one append-only file that holds everything a search knows.

Each line is one record, ``<crc32 of the rest> <JSON>``.  A record is handed to the operating
system before `append` returns, so it survives the death of the process; with `sync` it also
survives the loss of power.  Only the last line can be torn, and a torn line is dropped.
"""

from __future__ import annotations

import json
import os
import warnings
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FORMAT = 1
FILE_NAME = "journal.jsonl"

Record = dict[str, Any]


class DamagedJournalError(RuntimeError):
    """A record in the middle of a journal cannot be read."""


class Journal:
    """Appends records to a file and reads them back.

    Args:
        path: The file; it and its folder are made at the first `append`.

    >>> import tempfile, os
    >>> journal = Journal(os.path.join(tempfile.mkdtemp(), "journal.jsonl"))
    >>> journal.append({"kind": "enqueue", "values": {"units": 8}})
    >>> list(journal.read())
    [{'kind': 'enqueue', 'values': {'units': 8}}]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def exists(self) -> bool:
        """Tell whether there is a file."""
        return self.path.exists()

    def append(self, record: Mapping[str, Any], *, sync: bool = False) -> None:
        """Write one record at the end.

        Args:
            record: What JSON can hold; no NaN and no infinity.
            sync: Whether to wait until it is on the disk.
        """
        text = json.dumps(record, allow_nan=False, separators=(",", ":")).encode()
        line = b"%08x %b\n" % (zlib.crc32(text), text)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab", buffering=0) as file:  # one write, so only the last can be torn
            file.write(line)
            if sync:
                os.fsync(file.fileno())

    def read(self) -> Iterator[Record]:
        """Yield the records in order; cut off a torn last line, so that one can append again.

        Raises:
            DamagedJournalError: A record before the last does not match its checksum.
        """
        data = self.path.read_bytes()
        *lines, rest = data.split(b"\n")
        for number, line in enumerate(lines):
            record = _parsed(line)
            if record is None and number == len(lines) - 1 and not rest:
                rest = line + b"\n"
                break
            if record is None:
                raise DamagedJournalError(
                    f"Record {number + 1} of {len(lines)} in {self.path} is damaged (its checksum "
                    f"does not match).  The {number} before it are whole: to go on from there, "
                    "remove that line and all after it; the file is plain text, one record a line."
                )
            yield record
        if rest:
            warnings.warn(
                f"Dropped a torn last record ({len(rest)} bytes) of {self.path}: the process died "
                "while writing it.",
                stacklevel=2,
            )
            os.truncate(self.path, len(data) - len(rest))


def _parsed(line: bytes) -> Record | None:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    record: Record = json.loads(text)
    return record


def replace_file(path: Path, text: str) -> None:
    """Write a whole file such that a reader finds the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
