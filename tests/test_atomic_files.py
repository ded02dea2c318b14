import os
import sys

import pytest

from kt_extras.atomic_files import atomic_write, replace_file


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
