import warnings

import pytest

from kt_extras.storage.journal import DamagedJournalError, Journal
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
    with pytest.raises(DamagedJournalError, match=r"Record 2 of 3 \(at byte 33\) in .* is damaged"):
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
