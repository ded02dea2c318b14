"""The lines of a journal: a checksum, and the JSON of a record with its number.

A line is ``<crc32 of the rest> {..., "n": <number from 1>}``.  One whose writer waited for the disk
ends with ``"n": <number>, "sync": 1}``: when a line follows it, then all before it was on the disk.
Lines of format 1 have no numbers.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kt_extras.storage.encoding import Record, to_record, to_text

_NUMBER = re.compile(r',?"n":(\d{1,18})(,"sync":1)?\}\Z')
_LONGEST = 40  # characters of that


class ChecksumError(ValueError):
    """A line does not match its checksum.

    >>> raise ChecksumError("its checksum does not match")
    Traceback (most recent call last):
    kt_extras.storage.lines.ChecksumError: its checksum does not match
    """


class Line(NamedTuple):
    """What a line holds.

    Attributes:
        record: The record, without its number.
        number: Its number, None in format 1.
        synced: Whether its writer waited for the disk.
    """

    record: Record
    number: int | None
    synced: bool


def to_line(record: Mapping[str, Any], number: int, *, sync: bool = False) -> bytes:
    """Return the line of a record.

    Args:
        record: Values that JSON can hold.
        number: Its number, from 1.
        sync: Whether its writer waits for the disk. Defaults to False.

    Raises:
        ValueError: JSON cannot hold the record.

    >>> to_line({"kind": "stop", "trial": "0003"}, 7).splitlines()
    [b'74f16007 {"kind":"stop","trial":"0003","n":7}']
    """
    text = to_text(record)[:-1]
    comma, mark = "," if record else "", ',"sync":1' if sync else ""
    content = f'{text}{comma}"n":{number}{mark}}}'.encode()
    return b"%08x %b\n" % (zlib.crc32(content), content)


def from_line(line: bytes) -> Line:
    """Return what a line holds.

    Args:
        line: Without its line end.

    Raises:
        ChecksumError: It does not match its checksum.
        ValueError: It does, but it does not hold a record.

    >>> from_line(b'74f16007 {"kind":"stop","trial":"0003","n":7}')
    Line(record={'kind': 'stop', 'trial': '0003'}, number=7, synced=False)
    """
    checksum, _, content = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(content):
        raise ChecksumError("its checksum does not match")
    text = content.decode()
    found = _NUMBER.search(text, max(0, len(text) - _LONGEST))
    if found is None:
        return Line(to_record(text), None, False)
    return Line(to_record(text[: found.start()] + "}"), int(found[1]), bool(found[2]))


def was_on_disk(lines: Sequence[bytes]) -> bool:
    """Tell whether the first of some lines, which is damaged, once was whole on the disk.

    It was not where a loss of power has left zeros for it, unless a later writer that waited for
    the disk went on.

    Args:
        lines: The damaged line and all behind it.
    """
    if b"\0" not in lines[0]:
        return len(lines) > 1
    synced = False
    for line in lines[1:]:
        try:
            found = from_line(line)
        except ValueError:
            continue
        if synced:
            return True
        synced = found.synced
    return False
