"""The snapshot of a journal: a file beside it that replaces its first records.

It is a cache: one that cannot be read, or that belongs to another journal, is passed over.  Its
lines are those of a journal; the first is a head that names the last record which it replaces.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kt_extras.atomic_files import atomic_write
from kt_extras.storage.encoding import Record
from kt_extras.storage.errors import DamagedJournalError
from kt_extras.storage.lines import Line, from_line, to_line

_MARK = 8  # bytes of a line's checksum


@dataclass(frozen=True)
class Covered:
    """What a snapshot holds.

    Attributes:
        records: The records that stand for those of the journal.
        last: Where the last record that they replace begins and ends, in bytes.
        mark: Its checksum.
        number: Its number.
        numbered: Whether its line has the number.
        size: The size of the snapshot in bytes.
    """

    records: Sequence[Record]
    last: tuple[int, int]
    mark: bytes
    number: int
    numbered: bool
    size: int


class JournalSnapshot:
    """Writes the snapshot of a journal and reads it.

    Args:
        journal: The file of the journal.

    Attributes:
        path: The file of the snapshot.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.path = journal.with_name("snapshot.jsonl")

    def write(
        self, records: Iterable[Mapping[str, Any]], last: tuple[int, int], number: int
    ) -> int:
        """Write a snapshot and return its size in bytes.

        Args:
            records: Records with the same meaning as those so far.
            last: Where the last record of the journal begins and ends, in bytes.
            number: Its number.

        Raises:
            OSError: The disk is full or read-only.
        """
        content = [*records]
        head = {
            "kind": "snapshot",
            "last": [*last],
            "mark": self._mark_at(last[0]).decode(),
            "number": number,
            "first": self._mark_at(0).decode(),
            "count": len(content),
        }
        lines = b"".join(to_line(record, n) for n, record in enumerate([head, *content], 1))
        with atomic_write(self.path) as file:
            file.write(lines)
        return len(lines)

    def read(self) -> Covered | None:
        """Return the snapshot, or None if there is none that is whole and of this journal.

        Raises:
            DamagedJournalError: The journal has lost records that the snapshot holds.
        """
        head, covered = Record(), None
        try:
            content = self.path.read_bytes()
            first, *lines = _lines(content)
            head = first.record
            covered = self._covered(head, [line.record for line in lines], len(content))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError):
            pass  # as if it were of another journal
        if covered is None:
            self._check_journal(head)
            self._warn()
        return covered

    def _covered(self, head: Record, records: Sequence[Record], size: int) -> Covered | None:
        """Return what a snapshot holds if the record that its head names is in the journal."""
        if len(records) != head.get("count", len(records)):
            raise ValueError("its last records are missing")
        begin, end = map(int, head["last"])
        with contextlib.suppress(FileNotFoundError), open(self._journal, "rb") as file:
            before = file.read(end)
            line, mark = before[begin:], head["mark"].encode()
            if len(before) == end and line[:_MARK] == mark:
                last = from_line(line.removesuffix(b"\n"))
                number = last.number or before.count(b"\n")
                return Covered(records, (begin, end), mark, number, last.number is not None, size)
        return None

    def _check_journal(self, head: Record) -> None:
        """Raise if this is the snapshot of the journal, which has become shorter."""
        try:
            size, first = self._journal.stat().st_size, self._mark_at(0).decode(errors="replace")
        except FileNotFoundError:
            size, first = 0, ""
        if not size or (first == head.get("first") and size < head["last"][1]):
            raise DamagedJournalError(
                f"{self._journal} has {size} B, and has lost records that its snapshot holds.  To "
                f"save them, run `python -m kt_extras repair {self._journal.parent}`; if the "
                f"search that it held is not wanted any more, remove {self.path}."
            )

    def _warn(self) -> None:
        warnings.warn(
            f"Skipped {self.path}, which is damaged or of another search; the journal itself is "
            "read from its beginning.",
            stacklevel=5,
        )

    def _mark_at(self, place: int) -> bytes:
        with open(self._journal, "rb") as file:
            file.seek(place)
            return file.read(_MARK)


def _lines(content: bytes) -> list[Line]:
    """Return the lines of a snapshot.

    Raises:
        ValueError: One is damaged or missing.
    """
    *lines, rest = content.split(b"\n")
    found = [from_line(line) for line in lines]
    if rest or any(line.number not in {None, n} for n, line in enumerate(found, 1)):
        raise ValueError("a line is damaged or missing")
    return found
