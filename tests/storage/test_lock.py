import contextlib
import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kt_extras.storage.database import Database
from kt_extras.storage.errors import StorageError
from kt_extras.storage.lock import FileLock, ProjectInUseError

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def holder(*arguments):
    """Run another process that holds a lock; yield it, and the child that it has forked."""
    command = [sys.executable, "-W", "error", "-m", "tests.storage.holder", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        child = 0
        try:
            child = int(process.stdout.readline())
            yield process, child
        finally:
            process.kill()
            if child:
                os.kill(child, signal.SIGKILL)


def test_lock_is_held_once(tmp_path):
    one, other = FileLock(tmp_path / "deep" / "lock"), FileLock(tmp_path / "deep" / "lock")
    one.acquire()
    assert one.held
    for lock in (one, other):
        with pytest.raises(ProjectInUseError, match=f"'{tmp_path}/deep' is in use by process "):
            lock.acquire()
    one.release()
    one.release()
    assert not one.held
    other.acquire()
    with pytest.raises(ProjectInUseError):
        one.acquire()
    other.release()


def test_released_lock_leaves_no_file(tmp_path):
    with FileLock(tmp_path / "lock"):
        assert (tmp_path / "lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_lock_is_released_when_its_object_is_deleted(tmp_path):
    FileLock(tmp_path / "lock").acquire()
    FileLock(tmp_path / "lock").acquire()


def test_release_after_the_file_was_removed_keeps_the_next_lock(tmp_path):
    lost, next_one = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    lost.acquire()
    (tmp_path / "lock").unlink()
    next_one.acquire()
    lost.release()
    with pytest.raises(ProjectInUseError):
        FileLock(tmp_path / "lock").acquire()
    next_one.release()


def test_error_names_the_process_that_holds_the_lock(tmp_path):
    with holder("file", tmp_path / "lock") as (process, _):
        message = f"'digits' is in use by process {process.pid} on "
        with pytest.raises(ProjectInUseError, match=message):
            FileLock(tmp_path / "lock", "digits").acquire()


@pytest.mark.parametrize("kind", ["file", "forking-file"])
def test_killed_process_leaves_no_lock(tmp_path, kind):
    """The lock also ends if a child that the process has forked still runs."""
    for _ in range(2):
        with holder(kind, tmp_path / "lock") as (process, _):
            process.kill()
            process.wait()
            with FileLock(tmp_path / "lock"):
                pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EIO])
def test_file_system_without_locks_is_named_with_what_to_do(tmp_path, monkeypatch, number):
    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("kt_extras.storage.lock._lock", fail)
    lock = FileLock(tmp_path / "lock", "digits")
    with pytest.raises(StorageError, match=r"lock cannot be locked .*a folder on a local disk"):
        lock.acquire()
    assert not lock.held


def test_lock_is_taken_on_a_full_disk(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        FileLock(tmp_path / "lock").acquire()
        with FileLock(tmp_path / "lock") as lock:
            assert lock.held


def test_path_that_cannot_be_locked_is_not_called_in_use(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(IsADirectoryError):
        FileLock(tmp_path / "lock").acquire()


@pytest.fixture
def no_wait_for_locks(monkeypatch):
    monkeypatch.setattr("kt_extras.storage.postgresql._LOCK_SECONDS", 0.0)


@pytest.mark.usefixtures("no_wait_for_locks")
def test_project_is_written_by_one_holder(connect):
    one, other = connect(), connect()
    with one:
        one.acquire()
        with pytest.raises(ProjectInUseError, match=r"in use by process \d+ on "):
            other.acquire()
        one.append({"kind": "note"})
        assert other.exists()
    one.release()
    with other:
        other.append({"kind": "note"})


def test_projects_of_a_database_are_locked_separately(connect, project):
    with connect(f"{project} a/b"), connect(f"{project} a_b"):
        pass


@pytest.mark.usefixtures("no_wait_for_locks")
def test_error_names_the_process_that_holds_the_project(url, project):
    with holder("database", url, project) as (process, _):
        message = f"{project}' is in use by process {process.pid} on "
        with pytest.raises(ProjectInUseError, match=message):
            Database(url, project).acquire()


def test_lock_of_a_project_ends_with_its_process_not_its_children(url, project):
    project = f"forking {project}"
    with holder("database", url, project) as (process, child):
        process.kill()
        process.wait()
        os.kill(child, 0)  # which is there
        with Database(url, project):
            pass


def test_released_database_leaves_no_lock_file(tmp_path):
    with Database(f"sqlite:///{tmp_path}/runs.db", "a/b c") as database:
        database.append({"kind": "note"})
        locks = [path.name for path in tmp_path.glob("*.lock")]
        assert [re.sub("-[0-9a-f]{8}", "-#", name) for name in locks] == ["runs.db-a_b_c-#.lock"]
    assert list(tmp_path.glob("*.lock")) == []
