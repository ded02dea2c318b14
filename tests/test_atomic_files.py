import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from kt_extras.atomic_files import atomic_write, replace_file, sync_entry, sync_file, tidy


@pytest.fixture
def synced(monkeypatch):
    """The inodes that were synced to the disk, in order."""
    inodes, fsync = [], os.fsync

    def note(descriptor):
        inodes.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return inodes


def test_replaced_file_leaves_no_other_file(tmp_path):
    path = tmp_path / "trial_0" / "trial.json"
    replace_file(path, "old")
    replace_file(path, "new")
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["trial.json"]


def test_old_file_stays_when_the_block_raises(tmp_path):
    path = tmp_path / "state"
    replace_file(path, "old")
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.writelines([b"ne", "w"])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_reader_sees_the_old_file_until_the_block_ends(tmp_path):
    path = tmp_path / "state"
    replace_file(path, "old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot sync a directory")
def test_sync_waits_for_the_file_and_then_for_its_directory(tmp_path, synced):
    path = tmp_path / "state"
    with atomic_write(path) as file:
        file.write(b"new")
    assert synced == [path.stat().st_ino, tmp_path.stat().st_ino]


def test_nothing_is_synced_without_sync(tmp_path, synced):
    replace_file(tmp_path / "trial.json", "{}")
    assert synced == []


def test_text_is_written_as_utf_8_with_its_line_ends(tmp_path):
    replace_file(tmp_path / "text", "é\r\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa9\r\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot sync a directory")
def test_sync_waits_for_the_entries_of_new_folders_too(tmp_path, synced):
    path = tmp_path / "project" / "trial_0" / "trial.json"
    replace_file(path, "{}")
    replace_file(path.with_name("state"), "new", sync=True)
    folders = [path.parent, tmp_path / "project", tmp_path]
    assert synced[1:] == [folder.stat().st_ino for folder in folders]
    synced.clear()
    sync_entry(path)
    assert synced == [path.parent.stat().st_ino]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot sync a directory")
def test_file_of_others_is_synced_with_its_entry(tmp_path, synced):
    path = tmp_path / "weights"
    path.write_bytes(b"new")
    sync_file(path)
    assert synced == [path.stat().st_ino, tmp_path.stat().st_ino]


def test_write_that_fails_shows_its_error_where_the_folder_is_gone(tmp_path):
    writing = atomic_write(tmp_path / "trial_0" / "state")
    writing.__enter__()
    shutil.rmtree(tmp_path / "trial_0")
    with pytest.raises(FileNotFoundError, match="trial_0"):
        writing.__exit__(None, None, None)


def test_temporary_files_of_killed_processes_alone_are_removed(tmp_path):
    script = """
import os, sys
from pathlib import Path
from kt_extras.atomic_files import atomic_write
with atomic_write(Path(sys.argv[1])) as file:
    file.write(b"half")
    os._exit(9)
"""
    folder = tmp_path / "trial_0"
    for path in (tmp_path / "snapshot.jsonl", folder / "trial.json"):
        subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert len(list(tmp_path.rglob("*.kte-tmp"))) == 2
    others = [".trial.json.123", "notes.kte-tmp", ".a.elsewhere.1-0.kte-tmp", ".a.kte-tmp"]
    for name in others:
        (folder / name).write_text("mine")
    with atomic_write(folder / "state") as file:
        tidy(tmp_path)
        file.write(b"new")
    assert sorted(path.name for path in folder.iterdir()) == sorted([*others, "state"])
    assert [path.name for path in tmp_path.iterdir()] == ["trial_0"]


def test_old_temporary_file_is_removed_whoever_wrote_it(tmp_path):
    yesterday = time.time() - 100_000
    for owner in ("elsewhere.1-0", f"{socket.gethostname()}.{os.getpid()}-0"):
        path = tmp_path / f".state.{owner}.kte-tmp"
        path.write_text("half")
        os.utime(path, (yesterday, yesterday))
    tidy(tmp_path)
    assert list(tmp_path.iterdir()) == []
