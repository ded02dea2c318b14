"""Locks that let one process at a time write to a project; they end with their process."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import sys
import time
import uuid
import weakref
from pathlib import Path
from typing import Protocol

from kt_extras.storage.errors import StorageError, with_remedy

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_BUSY = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
#: Seconds for which a process waits for the turns of others.
TURN_SECONDS = 60.0
# The byte that is locked on Windows, where a locked byte cannot be read: far behind the text.
_FAR = 1 << 30
_PAUSE, _LONGEST_PAUSE = 0.0005, 0.02  # seconds between attempts to take a lock that is waited for


class ProjectInUseError(RuntimeError):
    """Another process writes to the project.

    Args:
        project: The name or the folder of the project.
        holder: A description of the other process. Defaults to `""`, if it is not known.

    >>> raise ProjectInUseError("runs/digits", "process 4711 on ada")
    Traceback (most recent call last):
    kt_extras.storage.lock.ProjectInUseError: The project 'runs/digits' is in use by process 4711 on
    ada.  Wait until it is done or end it, or choose another `project_name`.
    """

    def __init__(self, project: str, holder: str = "") -> None:
        self.project, self.holder = project, holder
        super().__init__(
            f"The project {project!r} is in use by {holder or 'another process'}.  Wait until it "
            "is done or end it, or choose another `project_name`."
        )

    def __reduce__(self) -> tuple[type[ProjectInUseError], tuple[str, str]]:
        return type(self), (self.project, self.holder)


class ClosedInChild(Protocol):
    """Holds a handle that a forked child must not keep open."""

    def close_in_child(self) -> None:
        """Close the handle in a forked child without releasing the parent's lock."""


_closed_in_child: weakref.WeakSet[ClosedInChild] = weakref.WeakSet()


class FileLock:
    """An exclusive lock on a file; the operating system ends it with the process, however it ends.

    The lock is not re-entrant: a second one on the same file is refused in the same process too.
    The file is removed at the release unless it is to stay; one that a killed process leaves behind
    locks nothing.
    Children that this process forks, for instance to load data, do not hold the lock.

    Args:
        path: The file. It and its folder are created when the lock is acquired.
        project: The name of what is locked, for errors. Defaults to the folder of the file.
        stays: Whether the file stays at the release, for a lock that is taken often. Defaults to
            False.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with FileLock(os.path.join(folder, "lock"), project="digits"):
    ...     FileLock(os.path.join(folder, "lock"), project="digits").acquire()
    Traceback (most recent call last):
    kt_extras.storage.lock.ProjectInUseError: The project 'digits' is in use by process ...
    """

    _descriptor: int | None = None

    def __init__(
        self, path: str | os.PathLike[str], project: str | None = None, *, stays: bool = False
    ) -> None:
        self.path, self._stays = Path(path), stays
        self.project = str(self.path.parent) if project is None else project

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self, wait: float = 0.0) -> None:
        """Take the lock.

        Args:
            wait: Seconds to wait for another holder. Defaults to 0, to raise at once.

        Raises:
            ProjectInUseError: It is held by another object, of this process or another.
            StorageError: The file system has no locks.
            OSError: The file cannot be created.
        """
        if self.held:
            raise ProjectInUseError(self.project, this_process())
        end, pause = time.monotonic() + wait, _PAUSE
        while not self.held:
            descriptor = self._opened()
            try:
                self._take(descriptor)
            except ProjectInUseError:
                if time.monotonic() >= end:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            finally:
                if not self.held:
                    os.close(descriptor)

    def release(self) -> None:
        """Release the lock, if it is held."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if self._stays:
            os.close(descriptor)
        elif sys.platform == "win32":  # only a closed file can be removed
            os.close(descriptor)
            self._remove()
        else:  # removed while it is locked, since later it may be another process's lock
            try:
                if _is_at(descriptor, self.path):
                    self._remove()
            finally:  # Ctrl-C must not keep the lock
                os.close(descriptor)

    def close_in_child(self) -> None:
        """Close the file in a forked child without releasing the parent's lock."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _opened(self) -> int:
        with with_remedy(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)

    def _take(self, descriptor: int) -> None:
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno not in _BUSY:
                raise StorageError(
                    f"{self.path} cannot be locked ({error}), so that two processes could write to "
                    f"{self.project!r} at once.  Choose a folder on a local disk, or on a network "
                    "disk with locks, or a server with `storage='postgresql://...'`."
                ) from error
            os.lseek(descriptor, 0, os.SEEK_SET)
            holder = os.read(descriptor, 200).decode(errors="replace")
            raise ProjectInUseError(self.project, holder) from None
        if not _is_at(descriptor, self.path):  # removed by its last holder since it was opened
            return
        with contextlib.suppress(OSError):  # a full disk: the lock is what counts
            os.truncate(descriptor, 0)
            os.write(descriptor, this_process().encode())
        self._descriptor = descriptor
        _closed_in_child.add(self)

    def _remove(self) -> None:
        with contextlib.suppress(OSError):  # a file that is left behind locks nothing
            self.path.unlink()


def new_member() -> str:
    """Return a name for this process that no other process ever has, fit for a file's name."""
    host = re.sub(r"[^\w-]", "_", socket.gethostname(), flags=re.ASCII)[:40]
    return f"{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def this_process() -> str:
    """Return the description of this process that errors in other processes show."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def close_after_fork(holder: ClosedInChild) -> None:
    """Call `holder.close_in_child()` in every child that this process forks."""
    _closed_in_child.add(holder)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _in_child() -> None:
    for holder in list(_closed_in_child):
        holder.close_in_child()
    _closed_in_child.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
