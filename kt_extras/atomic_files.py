"""Files that are replaced in one step, and what it takes for them to survive a loss of power."""

from __future__ import annotations

import errno
import itertools
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# `.NAME.HOST.PROCESS-NUMBER.kte-tmp`, so that what a killed process leaves behind is known as ours.
_LEFTOVER = re.compile(r"\..+\.([\w-]+)\.(\d+)-\d+\.kte-tmp")
_DAY = 86_400.0  # seconds after which no process writes a temporary file any more
_HAS_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}

_BEGAN = time.time()  # after the files of an earlier process with this one's number
_numbers = itertools.count()  # of the temporary files of this process
_new: set[Path] = set()  # directories that were made here and are not yet known to be on the disk


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
    make_directory(path.parent)
    owner = f"{_host()}.{os.getpid()}-{next(_numbers)}"
    temporary = path.with_name(f".{path.name}.{owner}.kte-tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # the first error is the one to see
            temporary.unlink()
        raise
    if sync:
        sync_entry(path)


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


def make_directory(directory: Path) -> None:
    """Create a directory and those above it, where they do not exist.

    The first `sync_entry` of a file below waits for their entries too.

    Args:
        directory: The directory.
    """
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        _new.add(directory)


def sync_file(path: Path) -> None:
    """Wait until a file that others have written is on the disk, with its entry.

    Args:
        path: The file.

    >>> sync_file(Path(__file__))
    """
    sync_content(path)
    sync_entry(path)


def sync_content(path: Path) -> None:
    """Wait until what is in a file is on the disk; its entry is not waited for.

    Args:
        path: The file.
    """
    with path.open("r+b" if sys.platform == "win32" else "rb") as file:
        os.fsync(file.fileno())


def sync_entry(path: Path) -> None:
    """Wait until the entry of a path is on the disk, and those of new directories above it.

    Args:
        path: A file or a directory that exists, or one that was removed.
    """
    directory = path.parent
    sync_directory(directory)
    while directory in _new:
        _new.discard(directory)
        directory = directory.parent
        sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Wait until the entries of a directory are on the disk, where its file system can.

    Args:
        directory: The directory. Windows cannot open one, and does nothing.
    """
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _HAS_NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def tidy(directory: Path) -> None:
    """Remove what killed processes have left behind, and sync what they had no time to sync.

    Those are temporary files in a directory and in the directories in it, and the entries of the
    directory and of those above it. Files of processes that still run stay.

    Args:
        directory: The directory of a project, existing or not.
    """
    if not directory.is_dir():
        return
    for folder in (directory, *_folders_in(directory)):
        for file in _leftovers(folder):
            with suppress(OSError):  # it does no harm where it cannot be removed
                file.unlink()
    for folder in (directory, *directory.absolute().parents):
        with suppress(OSError):  # it was there before, or this process has no right to look
            sync_directory(folder)


def _folders_in(directory: Path) -> list[Path]:
    with os.scandir(directory) as entries:
        return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]


def _leftovers(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            return [Path(entry.path) for entry in entries if _is_left_over(entry)]
    except OSError:
        return []


def _is_left_over(entry: os.DirEntry[str]) -> bool:
    """Tell whether a file is a temporary one whose process writes it no more."""
    match = _LEFTOVER.fullmatch(entry.name)
    if match is None:
        return False
    written, here, process = entry.stat().st_mtime, match[1] == _host(), int(match[2])
    if here and process == os.getpid():  # also in a container that was started again
        return written < _BEGAN
    return written < time.time() - _DAY or (here and not _runs(process))


def _runs(process: int) -> bool:
    if sys.platform == "win32":  # where a signal would end the process
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _host() -> str:
    return re.sub(r"[^\w-]", "_", socket.gethostname(), flags=re.ASCII)[:40] or "_"
