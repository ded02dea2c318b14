"""Replacing a file in one step, so that a reader never finds a part of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces another one when the block ends.

    A reader finds the old content or the new content, also if this process is killed. If the block
    raises, the temporary file is removed and the old file stays.

    Args:
        path: The file to replace. It and its folder are created if they do not exist.
        sync: Whether to wait until the new content and the folder's entry are on the disk, so that
            they survive a loss of power. This takes milliseconds; pass False for files that are
            written often and can be made again. Defaults to True.

    Yields:
        The temporary file, open for writing bytes, in the same folder.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "state.bin")
    >>> with atomic_write(path) as file:
    ...     _ = file.write(b"new")
    >>> path.read_bytes()
    b'new'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        _sync_directory(path.parent)


def replace_file(path: Path, text: str, *, sync: bool = False) -> None:
    """Replace the whole text of a file in one step.

    Args:
        path: The file. It and its folder are created if they do not exist.
        text: The new content, written as UTF-8.
        sync: As for `atomic_write`. Defaults to False, since the small files that are written with
            this function are written often and can be made again from the journal.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "trial.json")
    >>> replace_file(path, "{}")
    >>> path.read_text()
    '{}'
    """
    with atomic_write(path, sync=sync) as file:
        file.write(text.encode("utf-8"))


def _sync_directory(directory: Path) -> None:
    """Wait until the entries of a directory are on the disk; Windows cannot open a directory."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
