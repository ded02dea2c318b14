"""A disk that knows what is durable, and that fails when it is told to.

It is a real folder, best in memory, below the calls that change files: `open`, `write`,
`truncate`, `fsync`, `replace`, `unlink`, `mkdir`, `rmdir`.  They are replaced in Python, recorded,
and passed on to the operating system.  What is read comes from the real folder.  Files that are
written past Python, as by HDF5, count as never synced.

After a power cut a file has what it had at its last `fsync`, and of later writes any sectors; a
folder has the entries that it had when it was last synced, and any of the later changes.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

SECTOR = 512  # bytes that a disk writes as a whole
_FOLDER = -1  # in the place of the inode of a folder, which is known by its path

_real_open, _real_os_open, _real_close = open, os.open, os.close
_real_fsync, _real_replace, _real_unlink = os.fsync, os.replace, os.unlink
_real_mkdir, _real_rmdir, _real_truncate = os.mkdir, os.rmdir, os.truncate
_real_ftruncate, _real_write, _real_getpid = os.ftruncate, os.write, os.getpid
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Killed(BaseException):
    """The simulated process is dead; nothing that it still does reaches the disk."""


@dataclass
class Process:
    """A simulated process.

    Attributes:
        number: Its process id; none that a real process has.
        dead: Whether it was killed.
        descriptors: The paths of files that it has opened with `os.open`, such as locks.
        writes: How many calls of it have changed the disk.
    """

    number: int
    dead: bool = False
    descriptors: dict[int, str] = field(default_factory=dict)
    writes: int = 0


@dataclass
class Fault:
    """What goes wrong at one of the next calls that change the disk.

    Attributes:
        kind: `"kill"`, `"interrupt"` or `"error"`.
        at: At which call, counted from 1.
        after: Whether the call has its effect first; of a write, a part of it otherwise.
        number: The error's `errno`.
        lasting: Whether all later calls fail, too.
    """

    kind: str
    at: int
    after: bool = False
    number: int = errno.EIO
    lasting: bool = False


@dataclass(frozen=True)
class _Change:
    """A change of a folder that is not durable yet."""

    folder: str
    name: str
    before: int | None
    now: int | None
    group: int  # changes of one call happen together


class Disk:
    """A folder below which all calls that change files are recorded.

    Args:
        root: The folder; it is emptied.
        ordered: Whether changes of folders become durable in their order, and with the `fsync` of
            any file, as on ext4; otherwise only with the `fsync` of the folder itself, as POSIX
            allows.

    Attributes:
        fault: What goes wrong next.
        failed: Whether a call has raised an error.
        interrupted: Whether Ctrl-C came in a call.
        room: Bytes that can still be written; None for no limit.
        process: The one whose calls come now.
        allowed: Returns whether a path may be changed; others are noted in `strays`.
        strays: Paths that were changed although they may not be.
    """

    def __init__(self, root: Path, *, ordered: bool = False) -> None:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        self.root = root
        self._prefix = str(root) + "/"
        self.ordered = ordered
        self.fault: Fault | None = None
        self.room: int | None = None
        self.failed = self.interrupted = False
        self.process = Process(5_000_000)
        self.allowed: Callable[[str], bool] = lambda _: True
        self.strays: list[str] = []
        self._known: set[int] = set()  # inodes of files whose writes are recorded
        self._dirty: dict[int, bytes] = {}  # the durable content of files with later writes
        self._gone: dict[int, bytes] = {}  # the content of files that were unlinked
        self._changes: list[_Change] = []
        self._groups = 0

    def new_process(self) -> Process:
        """Return a process that the next calls may come from."""
        self._groups += 1
        return Process(5_000_000 + self._groups)

    @contextmanager
    def used_by(self, process: Process) -> Iterator[None]:
        """Let the calls in a block come from a process."""
        before, self.process = self.process, process
        try:
            yield
        finally:
            self.process = before

    def kill(self, process: Process) -> None:
        """End a process; its locks are released, and its objects can do nothing any more."""
        process.dead = True
        devnull = _real_os_open(os.devnull, os.O_RDWR)
        for descriptor in process.descriptors:  # the numbers stay taken until the objects are gone
            os.dup2(devnull, descriptor)
        _real_close(devnull)

    # What a power cut leaves.

    def power_cut(self, chance: random.Random) -> None:
        """Lose what was not synced, or a part of it."""
        folders, files = self._durable(chance)
        for folder, subfolders, names in os.walk(self.root, topdown=False):
            for name in names:
                _real_unlink(os.path.join(folder, name))
            for name in subfolders:
                _real_rmdir(os.path.join(folder, name))
        self._write(str(self.root), folders, files)
        self._dirty, self._gone, self._changes = {}, {}, []
        self._known = set()
        for folder, _, names in os.walk(self.root):
            self._known.update(os.stat(os.path.join(folder, name)).st_ino for name in names)

    def settle(self) -> None:
        """Make everything durable, as the system does in time."""
        self._dirty, self._gone, self._changes = {}, {}, []
        for folder, _, names in os.walk(self.root):
            self._known.update(os.stat(os.path.join(folder, name)).st_ino for name in names)

    def _durable(self, chance: random.Random) -> tuple[dict[str, dict[str, int]], dict[int, bytes]]:
        folders: dict[str, dict[str, int]] = {}
        files: dict[int, bytes] = {}
        for folder, subfolders, names in os.walk(self.root):
            entries = folders.setdefault(folder, {})
            entries.update(dict.fromkeys(subfolders, _FOLDER))
            for name in names:
                path = os.path.join(folder, name)
                with _real_open(path, "rb") as file:
                    inode, content = os.fstat(file.fileno()).st_ino, file.read()
                entries[name] = inode
                if inode not in self._known:  # written past Python
                    files[inode] = _torn(b"", content, chance)
                elif inode in self._dirty:
                    files[inode] = _torn(self._dirty[inode], content, chance)
                else:
                    files[inode] = content
        files = {**self._gone, **files}
        for change in reversed(self._changes):
            _set(folders, change, change.before)
        kept = self._kept_groups(chance)
        for change in self._changes:
            if change.group in kept:
                _set(folders, change, change.now)
        return folders, files

    def _kept_groups(self, chance: random.Random) -> set[int]:
        """Return the changes of folders that reach the disk although they were not synced."""
        groups = list(dict.fromkeys(change.group for change in self._changes))
        if self.ordered:
            return set(groups[: chance.randint(0, len(groups))])
        share = chance.choice((0.0, 0.5, 1.0))
        return {group for group in groups if chance.random() < share}

    def _write(
        self, folder: str, folders: dict[str, dict[str, int]], files: dict[int, bytes]
    ) -> None:
        for name, inode in folders.get(folder, {}).items():
            path = os.path.join(folder, name)
            if inode == _FOLDER:
                _real_mkdir(path)
                self._write(path, folders, files)
            else:
                with _real_open(path, "wb") as file:
                    file.write(files.get(inode, b""))

    # The calls.

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Replace the calls that change files."""
        calls: list[tuple[Any, str, Any]] = [
            (builtins, "open", self._open),
            (io, "open", self._open),
            (os, "open", self._os_open),
            (os, "close", self._close),
            (os, "write", self._os_write),
            (os, "fsync", self._fsync),
            (os, "fdatasync", self._fsync),
            (os, "replace", self._replace),
            (os, "rename", self._replace),
            (os, "unlink", self._unlink),
            (os, "remove", self._unlink),
            (os, "mkdir", self._mkdir),
            (os, "rmdir", self._rmdir),
            (os, "truncate", self._truncate),
            (os, "ftruncate", self._ftruncate),
            (os, "getpid", lambda: self.process.number),
            (shutil, "_use_fd_functions", False),
        ]
        before = [(module, name, getattr(module, name)) for module, name, _ in calls]
        try:
            for module, name, replacement in calls:
                setattr(module, name, replacement)
            yield
        finally:
            for module, name, original in before:
                setattr(module, name, original)

    def _is_here(self, path: Any) -> bool:
        return isinstance(path, (str, os.PathLike)) and _text(path).startswith(self._prefix)

    def _open(self, file: Any, mode: str = "r", buffering: int = -1, *args: Any, **kw: Any) -> Any:
        path = self.process.descriptors.get(file) if isinstance(file, int) else None
        if not set(mode) & set("wax+") or not (path or self._is_here(file)):
            return _real_open(file, mode, buffering, *args, **kw)
        plain = mode.replace("b", "").replace("t", "")
        raw = _File(self, path or _text(file), plain, file if path else None)
        if buffering == 0:
            return raw
        buffer = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffer
        return io.TextIOWrapper(buffer, *args, **kw)

    def _os_open(self, path: Any, flags: int, mode: int = 0o777, **kw: Any) -> int:
        if not flags & _WRITES or not self._is_here(path):
            return _real_os_open(path, flags, mode, **kw)
        if flags & os.O_TRUNC and os.path.exists(path):
            self._soil(os.stat(path).st_ino, _text(path))
        descriptor = self._create(
            _text(path), lambda: _real_os_open(path, flags, mode), exclusive=False
        )
        self.process.descriptors[descriptor] = _text(path)
        return descriptor

    def _close(self, descriptor: int) -> None:
        self.process.descriptors.pop(descriptor, None)
        _real_close(descriptor)

    def _create(self, path: str, call: Callable[[], Any], *, exclusive: bool = True) -> Any:
        """Open a file for writing, and record that it is new if it is."""
        if exclusive and not os.path.exists(path) and self.room == 0:
            self._is_full(path)

        def opened() -> Any:
            new = not os.path.exists(path)
            result = call()
            if new:
                inode = os.stat(path).st_ino
                self._known.add(inode)
                self._dirty[inode] = b""
                self._change(path, None, inode)
            return result

        if self.process.dead:
            raise Killed
        if os.path.exists(path) and not exclusive:
            return call()
        return self._changing(path, opened)

    def _os_write(self, descriptor: int, data: Any) -> int:
        path = self.process.descriptors.get(descriptor)
        if path is None:
            return _real_write(descriptor, data)
        return self._written(
            path, os.fstat(descriptor).st_ino, data, lambda part: _real_write(descriptor, part)
        )

    def _fsync(self, descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        path = os.readlink(f"/proc/self/fd/{number}")
        if not (path + "/").startswith(self._prefix):
            _real_fsync(number)
            return

        def synced() -> None:
            self._dirty.pop(os.fstat(number).st_ino, None)
            if self.ordered:
                self._changes = []
            elif os.path.isdir(path):
                self._changes = [change for change in self._changes if change.folder != path]

        self._changing(path, synced, changes=False)

    def _replace(self, source: Any, target: Any, **kw: Any) -> None:
        if not self._is_here(target):
            self._stray(_text(target))
            return _real_replace(source, target, **kw)
        old, new = _text(source), _text(target)

        def moved() -> None:
            _real_replace(old, new)
            self._changes = [_moved(change, old, new) for change in self._changes]

        if os.path.isdir(old):  # whose new name is taken to be durable at once
            return self._changing(new, moved)

        def replaced() -> None:
            inode, before = os.stat(old).st_ino, _inode(new)
            if before is not None:
                self._keep(new, before)
            _real_replace(old, new)
            group = self._group()
            self._change(old, inode, None, group)
            self._change(new, before, inode, group)

        return self._changing(new, replaced)

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None or not self._is_here(path):
            self._stray(_text(path))
            return _real_unlink(path, dir_fd=dir_fd)

        def unlinked() -> None:
            before = os.lstat(path).st_ino
            self._keep(_text(path), before)
            _real_unlink(path)
            self._change(_text(path), before, None)

        return (
            self._changing(_text(path), unlinked) if os.path.lexists(path) else _real_unlink(path)
        )

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None or not self._is_here(path):
            _real_mkdir(path, mode, dir_fd=dir_fd)  # an existing one is no change
            return self._stray(_text(path))
        text = _text(path)
        if os.path.exists(text):
            return _real_mkdir(text, mode)
        if self.room == 0:
            self._is_full(text)

        def made() -> None:
            _real_mkdir(text, mode)
            self._change(text, None, _FOLDER)

        return self._changing(text, made)

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None or not self._is_here(path):
            return _real_rmdir(path, dir_fd=dir_fd)

        def removed() -> None:
            _real_rmdir(path)
            self._change(_text(path), _FOLDER, None)

        return self._changing(_text(path), removed)

    def _truncate(self, path: Any, length: int) -> None:
        if isinstance(path, int):
            return self._ftruncate(path, length)
        if not self._is_here(path):
            return _real_truncate(path, length)

        def truncated() -> None:
            self._soil(os.stat(path).st_ino, _text(path))
            _real_truncate(path, length)

        return self._changing(_text(path), truncated)

    def _ftruncate(self, descriptor: int, length: int) -> None:
        path = self.process.descriptors.get(descriptor)
        if path is None:
            return _real_ftruncate(descriptor, length)

        def truncated() -> None:
            self._soil(os.fstat(descriptor).st_ino, path)
            _real_ftruncate(descriptor, length)

        return self._changing(path, truncated)

    # What they share.

    def _changing(
        self, path: str, call: Callable[[], Any], part: Any = None, *, changes: bool = True
    ) -> Any:
        """Make a call that changes the disk, unless something goes wrong.

        Args:
            path: What it changes.
            call: Makes it.
            part: Makes a part of it. Defaults to None, if it has no parts.
            changes: Whether it changes anything, rather than only making it durable.
        """
        process = self.process
        if process.dead:
            raise Killed
        if changes and not self.allowed(path):
            self.strays.append(path)
        process.writes += 1
        fault = self.fault
        if fault is None:
            return call()
        fault.at -= 1
        if fault.at > 0 or (fault.at < 0 and not fault.lasting):
            return call()
        if not fault.lasting:
            self.fault = None
        if fault.kind == "error":
            self.failed = True
            raise OSError(fault.number, os.strerror(fault.number), path)
        if fault.after:
            call()
        elif part is not None and fault.kind == "kill":
            part()
        if fault.kind == "interrupt":
            self.interrupted = True
            raise KeyboardInterrupt
        self.kill(process)
        raise Killed

    def _stray(self, path: str) -> None:
        if self.process.dead:
            raise Killed
        self.strays.append(path)

    def _group(self) -> int:
        self._groups += 1
        return self._groups

    def _change(
        self, path: str, before: int | None, now: int | None, group: int | None = None
    ) -> None:
        folder, name = os.path.split(path)
        group = self._group() if group is None else group
        self._changes.append(_Change(folder, name, before, now, group))

    def _written(self, path: str, inode: int, data: Any, write: Callable[[Any], int]) -> int:
        """Write to a file as much as there is room for."""
        view = memoryview(data).cast("B")
        size = len(view)
        self._soil(inode, path)
        if self.room is not None and not self.process.dead:
            if not self.room and size:
                self._is_full(path)
            self.failed = self.failed or size > self.room
            size = min(size, self.room)
            self.room -= size
        written: int = self._changing(
            path, lambda: write(view[:size]), lambda: write(view[: size // 2])
        )
        return written

    def _is_full(self, path: str) -> None:
        self.failed = True
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def _soil(self, inode: int, path: str) -> None:
        """Note that a file has content that is not durable, before it is changed."""
        if inode in self._known and inode not in self._dirty:
            with _real_open(path, "rb") as file:
                self._dirty[inode] = file.read()

    def _keep(self, path: str, inode: int) -> None:
        """Keep the durable content of a file that is removed."""
        if inode in self._dirty:
            self._gone[inode] = self._dirty.pop(inode)
        elif inode in self._known:
            with _real_open(path, "rb") as file:
                self._gone[inode] = file.read()


class _File(io.FileIO):
    """A file of a disk that is open for writing."""

    def __init__(self, disk: Disk, path: str, mode: str, descriptor: int | None = None) -> None:
        self._disk, self._path = disk, path
        if descriptor is not None:
            disk.process.descriptors.pop(descriptor)
            super().__init__(descriptor, mode)
            self._inode = os.fstat(descriptor).st_ino
            return
        if "w" in mode and os.path.exists(path) and not disk.process.dead:
            disk._soil(os.stat(path).st_ino, path)
        disk._create(path, lambda: super(_File, self).__init__(path, mode))
        self._inode = os.fstat(self.fileno()).st_ino

    def write(self, data: Any) -> int:  # type: ignore[override]
        return self._disk._written(self._path, self._inode, data, super().write)

    def truncate(self, size: int | None = None) -> int:
        disk = self._disk
        disk._soil(self._inode, self._path)
        done: int = disk._changing(self._path, lambda: super(_File, self).truncate(size))
        return done


def _torn(durable: bytes, now: bytes, chance: random.Random) -> bytes:
    """Return what is left of a file: any sectors of what was written since it was synced."""
    whole = max(len(durable), len(now))
    length = chance.choice((len(durable), len(now), len(now), chance.randint(0, whole)))
    length = max(length, min(len(durable), len(now)))
    share = chance.choice((0.0, 0.5, 0.9, 1.0))
    old, new = durable.ljust(whole, b"\0"), now.ljust(whole, b"\0")
    parts = [
        (new if chance.random() < share else old)[place : place + SECTOR]
        for place in range(0, length, SECTOR)
    ]
    return b"".join(parts)[:length]


def _set(folders: dict[str, dict[str, int]], change: _Change, inode: int | None) -> None:
    entries = folders.setdefault(change.folder, {})
    if inode is None:
        entries.pop(change.name, None)
    else:
        entries[change.name] = inode


def _moved(change: _Change, old: str, new: str) -> _Change:
    """Return a change as it is after its folder, or what it has changed, has got another name."""
    if os.path.join(change.folder, change.name) == old:
        folder, name = os.path.split(new)
        return replace(change, folder=folder, name=name)
    inside = change.folder == old or change.folder.startswith(f"{old}{os.sep}")
    return replace(change, folder=new + change.folder[len(old) :]) if inside else change


def _inode(path: str) -> int | None:
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return None


def _text(path: Any) -> str:
    return os.fsdecode(path) if isinstance(path, (bytes, os.PathLike)) else str(path)
