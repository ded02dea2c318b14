import errno
import json
import os
import shutil
import warnings
import zlib

import pytest

from kt_extras.storage.errors import StorageError
from kt_extras.storage.journal import DamagedJournalError, Journal
from kt_extras.storage.lines import to_line
from kt_extras.storage.lock import ProjectInUseError

RECORDS = [{"kind": "create", "n": 1}, {"kind": "report", "x": 0.1 + 0.2}, {"kind": "end"}]


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "deep" / "journal.jsonl")
    for record in RECORDS:
        journal.append(record)
    return journal


def test_records_are_read_as_they_were_written(journal):
    assert list(journal.read()) == RECORDS


def test_journal_cut_at_any_byte_loses_the_cut_record_alone(journal):
    whole = journal.path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole)):
        journal.path.write_bytes(whole[:length])
        kept = sum(end <= length for end in ends)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if length not in (0, *ends) else "error")
            assert list(journal.read()) == RECORDS[:kept]
        journal.append({"kind": "more"})
        assert list(Journal(journal.path).read()) == [*RECORDS[:kept], {"kind": "more"}]


def test_torn_last_record_is_dropped_with_a_warning(journal):
    with open(journal.path, "ab") as file:
        file.write(b"0123")
    with pytest.warns(UserWarning, match="torn last record"):
        list(journal.read())


def test_flipped_bit_anywhere_is_noticed(journal):
    whole = journal.path.read_bytes()
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1
        journal.path.write_bytes(flipped)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                assert list(journal.read()) != RECORDS
            except DamagedJournalError:
                continue
        assert caught


def test_damaged_record_in_the_middle_is_named_with_its_place(journal):
    lines = journal.path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b"report", b"repord")
    journal.path.write_bytes(b"\n".join(lines))
    with pytest.raises(DamagedJournalError, match=r"Record 2 of 3 \(at byte 39\) in .* is damaged"):
        list(journal.read())


def test_second_writer_is_noticed_before_anything_is_written(journal):
    other = Journal(journal.path)
    list(other.read())
    other.append({"kind": "other"})
    before = journal.path.read_bytes()
    with pytest.raises(ProjectInUseError, match="deep"):
        journal.append({"kind": "mine"})
    assert journal.path.read_bytes() == before
    assert list(journal.news()) == [{"kind": "other"}]


def test_append_to_a_removed_journal_is_an_error(journal):
    journal.path.unlink()
    with pytest.raises(FileNotFoundError, match="was removed or cut"):
        journal.append({"kind": "more"})


def test_nan_cannot_be_written(journal):
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append({"score": float("nan")})
    assert list(journal.read()) == RECORDS


def test_snapshot_replaces_the_records_before_it(journal):
    journal.compact([{"kind": "all"}])
    journal.append({"kind": "more"})
    assert list(Journal(journal.path).read()) == [{"kind": "all"}, {"kind": "more"}]
    assert b"repor" in journal.path.read_bytes()


def test_journal_cut_anywhere_after_its_snapshot_is_read(journal):
    journal.compact([{"kind": "all"}])
    covered = journal.path.stat().st_size
    journal.append({"kind": "more"})
    whole = journal.path.read_bytes()
    for length in range(covered + 1, len(whole)):
        journal.path.write_bytes(whole[:length])
        with pytest.warns(UserWarning, match="torn last record"):
            assert list(Journal(journal.path).read()) == [{"kind": "all"}]


@pytest.mark.parametrize("position", range(0, 60, 7))
def test_damaged_snapshot_is_skipped_with_a_warning(journal, position):
    journal.compact([{"kind": "all"}])
    snapshot = journal.path.with_name("snapshot.jsonl")
    damaged = bytearray(snapshot.read_bytes())
    damaged[position] ^= 1
    snapshot.write_bytes(damaged)
    with pytest.warns(UserWarning, match=r"Skipped .*snapshot\.jsonl"):
        assert list(Journal(journal.path).read()) == RECORDS


def test_snapshot_of_another_journal_is_skipped_with_a_warning(journal):
    journal.compact([{"kind": "all"}])
    journal.path.write_bytes(b"")
    Journal(journal.path).append({"kind": "another"})
    with pytest.warns(UserWarning, match="of another search"):
        assert list(Journal(journal.path).read()) == [{"kind": "another"}]


def test_snapshots_become_rarer_as_the_journal_grows(tmp_path, monkeypatch):
    monkeypatch.setattr("kt_extras.storage.journal._MIN_GROWTH", 500)
    journal, taken = Journal(tmp_path / "journal.jsonl"), []
    for number in range(2000):
        journal.append({"kind": "n", "n": number})
        if journal.outgrown():
            journal.compact([])
            taken.append(number)
    assert len(taken) < 30
    assert taken[-1] - taken[-2] > 5 * (taken[1] - taken[0])


def test_snapshots_write_no_more_bytes_than_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr("kt_extras.storage.journal._MIN_GROWTH", 500)
    journal, records, sizes = Journal(tmp_path / "journal.jsonl"), [], [0]
    for number in range(2000):
        records.append({"kind": "n", "n": number})
        journal.append(records[-1])
        if journal.outgrown():
            journal.compact(records)
            sizes.append((tmp_path / "snapshot.jsonl").stat().st_size)
    assert len(sizes) > 4
    assert sum(sizes[:-1]) <= journal.path.stat().st_size


def lines_of_format_1(records):
    texts = (json.dumps(record, separators=(",", ":")).encode() for record in records)
    return b"".join(b"%08x %b\n" % (zlib.crc32(text), text) for text in texts)


def with_lines(journal, change):
    """Return the journal after a change of the list of its lines."""
    lines = journal.path.read_bytes().splitlines(keepends=True)
    change(lines)
    journal.path.write_bytes(b"".join(lines))
    return Journal(journal.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines.pop(0), "Record 1 of 2 .* it is missing; record 2 is in its place"),
        (lambda lines: lines.pop(1), "Record 2 of 2 .* it is missing; record 3 is in its place"),
        (lambda lines: lines.insert(1, lines[0]), "Record 2 of 4 .* record 1 is in its place"),
        (lambda lines: lines.append(lines[-1]), "Record 4 of 4 .* record 3 is in its place"),
        (lambda lines: lines.reverse(), "Record 1 of 3 .* record 3 is in its place"),
        (
            lambda lines: lines.append(lines_of_format_1([{"kind": "end", "t": 1.0}])),
            "Record 4 of 4 .* no number",
        ),
    ],
)
def test_lost_doubled_or_moved_line_is_damage(journal, change, message):
    with pytest.raises(DamagedJournalError, match=message):
        list(with_lines(journal, change).read())


@pytest.mark.parametrize(
    "text", ["[" * 5000 + "]" * 5000, '{"kind":"end"', '["end"]', '{"score":NaN,"n":1}', "\xe9"]
)
def test_line_that_holds_no_record_is_damage_though_its_checksum_fits(tmp_path, text):
    content = text.encode("latin-1")
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"%08x %b\n" % (zlib.crc32(content), content) + to_line({"kind": "end"}, 2))
    assert Journal(path).exists()
    with pytest.raises(DamagedJournalError, match=r"Record 1 of 2 .*`python -m kt_extras repair"):
        list(Journal(path).read())


def test_record_that_nests_too_deeply_to_be_read_is_not_written(journal):
    deep = []
    for _ in range(5000):
        deep = [deep]
    for record in ({"deep": deep}, {"deep": json.loads("[" * 101 + "]" * 101)}):
        with pytest.raises(ValueError, match="deeper than 100 levels"):
            journal.append(record)
    journal.append({"deep": json.loads("[" * 99 + "]" * 99)})
    assert len(list(Journal(journal.path).read())) == 4


def test_journal_of_format_1_is_read_and_goes_on_with_numbers(tmp_path):
    old = [{"kind": "project", "t": 0.0}, {"kind": "create", "t": 1.0}]
    journal = Journal(tmp_path / "journal.jsonl")
    journal.path.write_bytes(lines_of_format_1(old))
    assert journal.exists()
    assert list(journal.read()) == old
    journal.append({"kind": "end"})
    assert list(Journal(journal.path).read()) == [*old, {"kind": "end"}]
    with pytest.raises(DamagedJournalError, match="record 3 is in its place"):
        list(with_lines(journal, lambda lines: lines.pop(1)).read())


def test_own_field_n_of_a_record_is_kept(tmp_path):
    records = [{"n": 7}, {}, {"n": 1, "sync": 1}, {"a": {"n": 1}}, {"text": ',"n":3}'}]
    journal = Journal(tmp_path / "journal.jsonl")
    for sync in (False, True):
        for record in records:
            journal.append(record, sync=sync)
    assert list(Journal(journal.path).read()) == records * 2


@pytest.mark.parametrize("content", [b"", b"0123", b"\0" * 100, b"0123\n"])
def test_journal_without_a_whole_record_holds_no_search(tmp_path, content):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.path.write_bytes(content)
    assert not journal.exists()
    journal.append({"kind": "project"})
    assert list(Journal(journal.path).read()) == [{"kind": "project"}]


def test_append_to_a_removed_folder_leaves_no_empty_journal(journal):
    shutil.rmtree(journal.path.parent)
    with pytest.raises(FileNotFoundError, match="was removed or cut"):
        journal.append({"kind": "more"})
    assert not journal.path.parent.exists()


def test_unsynced_records_that_a_power_cut_left_as_zeros_are_dropped(journal):
    journal.append({"kind": "end"}, sync=True)
    kept = journal.path.stat().st_size
    for number in range(9):
        journal.append({"kind": "report", "step": number})
    whole = bytearray(journal.path.read_bytes())
    for begin in range(kept, len(whole) - 60, 7):
        torn = bytearray(whole)
        torn[begin : begin + 60] = bytes(60)
        journal.path.write_bytes(torn)
        with pytest.warns(UserWarning, match="torn last record"):
            found = list(Journal(journal.path).read())
        assert len(found) == whole[:begin].count(b"\n")


def test_zeros_before_a_record_that_followed_a_synced_one_are_damage(journal):
    journal.append({"kind": "end"}, sync=True)
    synced = journal.path.stat().st_size
    journal.append({"kind": "create"})
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:50] + bytes(50) + whole[100:])
    with pytest.raises(DamagedJournalError, match="Record 2 of"):
        list(Journal(journal.path).read())
    journal.path.write_bytes(whole[:50] + bytes(50) + whole[100:synced])
    with pytest.warns(UserWarning, match="torn last record"):
        assert list(Journal(journal.path).read()) == RECORDS[:1]


class Interrupted(BaseException):
    """Stands for Ctrl-C."""


@pytest.mark.parametrize("error", [OSError(errno.EIO, "the disk is gone"), Interrupted()])
def test_append_after_one_that_failed_in_the_sync_is_not_refused(journal, monkeypatch, error):
    def fail(_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(type(error)):
            journal.append({"kind": "lost"}, sync=True)
    journal.append({"kind": "more"})
    assert list(Journal(journal.path).read()) == [*RECORDS, {"kind": "more"}]


def test_full_disk_says_what_to_do(journal, monkeypatch):
    def fail(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(
        OSError, match=r"No space left on device; make room on the disk.*journal.jsonl"
    ):
        journal.append({"kind": "lost"}, sync=True)


def test_snapshot_that_cannot_be_written_is_warned_about_once(journal, monkeypatch):
    monkeypatch.setattr("kt_extras.storage.journal._MIN_GROWTH", 100)
    journal.path.with_name("snapshot.jsonl").mkdir()
    with pytest.warns(UserWarning, match="the search goes on without it"):
        journal.compact([{"kind": "all"}])
    assert not journal.outgrown()
    while not journal.outgrown():
        journal.append({"kind": "more"})
    journal.compact([{"kind": "all"}])
    assert not journal.outgrown()


def test_relative_path_counts_from_the_first_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    journal = Journal("project/journal.jsonl")
    journal.append({"kind": "project"})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    journal.acquire()
    journal.append({"kind": "more"})
    journal.release()
    assert len(list(journal.read())) == 2
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_journal_that_was_replaced_is_not_gone_on_with(journal):
    other = Journal(journal.path)
    other.delete()
    for _ in range(9):
        other.append({"kind": "other"})
    with pytest.raises(StorageError, match="was replaced since it was read"):
        list(journal.news())


@pytest.mark.parametrize("left", [0, 1, 2])
def test_journal_that_lost_what_its_snapshot_holds_is_damage(journal, left):
    journal.compact([{"kind": "all"}])
    damaged = with_lines(journal, lambda lines: lines.__delitem__(slice(left, None)))
    assert damaged.exists()
    with pytest.raises(DamagedJournalError, match=r"lost records that its snapshot holds"):
        list(damaged.read())


def test_journal_that_is_gone_is_damage_where_its_snapshot_is_left(journal):
    journal.compact([{"kind": "all"}])
    journal.path.unlink()
    assert journal.exists()
    with pytest.raises(DamagedJournalError, match=r"lost records that its snapshot holds"):
        list(Journal(journal.path).read())


def test_line_lost_from_a_snapshot_is_noticed(journal):
    journal.compact([{"kind": "all"}, {"kind": "more"}, {"kind": "most"}])
    snapshot = journal.path.with_name("snapshot.jsonl")
    lines = snapshot.read_bytes().splitlines(keepends=True)
    for lost in range(len(lines)):
        snapshot.write_bytes(b"".join(lines[:lost] + lines[lost + 1 :]))
        with pytest.warns(UserWarning, match=r"Skipped .*snapshot\.jsonl"):
            assert list(Journal(journal.path).read()) == RECORDS
