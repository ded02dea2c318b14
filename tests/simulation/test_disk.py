"""The simulated disk itself: what a power cut may leave, and what it must not."""

import errno
import os
import random
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kt_extras.atomic_files import atomic_write
from tests.simulation.disk import SECTOR, Disk, Fault, Killed


@pytest.fixture(params=[False, True], ids=["posix", "ordered"])
def disk(request, tmp_path):
    return Disk(tmp_path / "disk", ordered=request.param)


def synced(path, content):
    with open(path, "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def after_cuts(disk, path, prepare, cuts=40):
    """Return what a file holds after power cuts that follow the same calls; None if it is lost."""
    found = set()
    for seed in range(cuts):
        for name in os.listdir(disk.root):
            os.unlink(disk.root / name)
        disk.settle()
        with disk.installed():
            prepare()
        disk.power_cut(random.Random(seed))
        found.add(path.read_bytes() if path.exists() else None)
    return found


def test_an_unsynced_file_may_be_lost_empty_or_torn_after_a_power_cut(disk):
    path = disk.root / "a"
    found = after_cuts(disk, path, lambda: path.write_bytes(b"x" * 3 * SECTOR))
    assert {None, b"", b"x" * 3 * SECTOR} <= found
    assert any(content and b"x" in content and b"\0" in content for content in found)


def test_a_synced_file_in_a_synced_folder_survives_a_power_cut(disk):
    path = disk.root / "a"

    def prepare():
        synced(path, b"x" * 700)
        sync_folder(disk.root)

    assert after_cuts(disk, path, prepare) == {b"x" * 700}


def test_only_the_sectors_after_the_last_sync_change_in_a_power_cut(disk):
    path = disk.root / "a"

    def prepare():
        synced(path, b"x" * 700)
        sync_folder(disk.root)
        with open(path, "ab") as file:
            file.write(b"y" * 2000)

    found = after_cuts(disk, path, prepare)
    assert all(content[:700] == b"x" * 700 for content in found)
    assert len(found) > 5


def test_the_entry_of_a_synced_file_may_be_lost_unless_changes_are_ordered(disk):
    path = disk.root / "a"
    found = after_cuts(disk, path, lambda: synced(path, b"x"))
    assert found == ({b"x"} if disk.ordered else {b"x", None})


def test_a_replaced_file_is_the_old_or_the_new_one_after_a_power_cut(disk):
    path = disk.root / "a"

    def prepare():
        synced(path, b"old")
        sync_folder(disk.root)
        with open(disk.root / "b", "wb") as file:
            file.write(b"new")
            file.flush()
            os.fsync(file.fileno())
        os.replace(disk.root / "b", path)

    assert after_cuts(disk, path, prepare) == {b"old", b"new"}


def test_an_unlinked_file_may_come_back_after_a_power_cut(disk):
    path = disk.root / "a"

    def prepare():
        synced(path, b"x")
        sync_folder(disk.root)
        path.unlink()

    assert after_cuts(disk, path, prepare) == {b"x", None}


def test_a_folder_with_another_name_has_its_files_after_a_power_cut(disk):
    with disk.installed():
        (disk.root / "old").mkdir()
        sync_folder(disk.root)
        synced(disk.root / "old" / "file", b"content")
        sync_folder(disk.root / "old")
        (disk.root / "old").rename(disk.root / "new")
    disk.power_cut(random.Random(0))
    assert [path.name for path in disk.root.iterdir()] == ["new"]
    assert (disk.root / "new" / "file").read_bytes() == b"content"


def test_a_file_in_a_folder_whose_entry_is_lost_is_lost_too(tmp_path):
    disk = Disk(tmp_path / "disk")
    path = disk.root / "folder" / "a"
    lost = set()
    for seed in range(20):
        with disk.installed():
            path.parent.mkdir(exist_ok=True)
            synced(path, b"x")
            sync_folder(path.parent)
        disk.power_cut(random.Random(seed))
        lost.add(path.exists())
        if path.exists():
            path.unlink()
            path.parent.rmdir()
        disk.settle()
    assert lost == {False, True}


def test_a_full_disk_takes_a_part_of_a_write(disk):
    path = disk.root / "a"
    disk.room = 10
    with disk.installed():
        with open(path, "wb", buffering=0) as file:
            assert file.write(b"x" * 30) == 10
            with pytest.raises(OSError, match="No space left") as caught:
                file.write(b"x")
        assert caught.value.errno == errno.ENOSPC
        with pytest.raises(OSError, match="No space left"), open(path, "wb") as file:
            file.write(b"x" * 30)


def test_a_killed_process_changes_nothing_and_holds_no_lock(disk):
    fcntl = pytest.importorskip("fcntl")
    path = disk.root / "a"
    process = disk.new_process()
    with disk.installed(), disk.used_by(process):
        lock = os.open(disk.root / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        disk.fault = Fault("kill", 2)
        with pytest.raises(Killed):
            path.write_bytes(b"x" * 100)
        with pytest.raises(Killed):
            path.write_bytes(b"y")
        with pytest.raises(Killed):
            path.unlink()
    assert path.read_bytes() in {b"", b"x" * 50}
    again = os.open(disk.root / "lock", os.O_RDWR)
    fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(again)
    os.close(lock)


def test_an_error_comes_once_or_until_it_is_mended(disk):
    path = disk.root / "a"
    with disk.installed():
        disk.fault = Fault("error", 1, number=errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            path.write_bytes(b"x")
        path.write_bytes(b"x")
        disk.fault = Fault("error", 1, number=errno.EROFS, lasting=True)
        for _ in range(3):
            with pytest.raises(OSError, match="Read-only"):
                path.write_bytes(b"x")


class Replacing(RuleBasedStateMachine):
    """Files that are replaced as a whole, with and without a sync, and power cuts between."""

    names = st.sampled_from(["a", "b", "folder/c"])

    @initialize(ordered=st.booleans(), seed=st.integers(0, 2**32))
    def begin(self, ordered, seed):
        self.folder = tempfile.TemporaryDirectory()
        self.disk = Disk(Path(self.folder.name, "disk"), ordered=ordered)
        self.chance = random.Random(seed)
        self.sure, self.now = {}, {}

    @rule(name=names, content=st.binary(max_size=2000), sync=st.booleans())
    def replace(self, name, content, sync):
        with self.disk.installed(), atomic_write(self.disk.root / name, sync=sync) as file:
            file.write(content)
        self.now[name] = content
        if sync and (self.disk.ordered or "/" not in name):
            self.sure[name] = content
        else:
            self.sure.pop(name, None)

    @rule()
    def power_cut(self):
        self.disk.power_cut(self.chance)
        for name, content in self.sure.items():
            assert (self.disk.root / name).read_bytes() == content
        self.now = {
            name: (self.disk.root / name).read_bytes()
            for name in self.now
            if (self.disk.root / name).exists()
        }
        self.sure = dict(self.now)

    @invariant()
    def reads_what_was_written(self):
        for name, content in getattr(self, "now", {}).items():
            assert (self.disk.root / name).read_bytes() == content

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestReplacing = Replacing.TestCase
TestReplacing.settings = settings(
    max_examples=20, stateful_step_count=10, deadline=None, derandomize=True
)
