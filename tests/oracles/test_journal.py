import warnings

import pytest

from kt_extras.oracles.journal import DamagedJournalError, Journal, replace_file

RECORDS = [{"kind": "create", "n": 1}, {"kind": "report", "x": 0.1 + 0.2}, {"kind": "end"}]


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "deep" / "journal.jsonl")
    for record in RECORDS:
        journal.append(record)
    return journal


def test_what_was_written_is_read_to_the_last_bit(journal):
    assert list(journal.read()) == RECORDS


def test_a_journal_cut_at_any_byte_loses_the_cut_record_alone(journal):
    whole = journal.path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole)):
        journal.path.write_bytes(whole[:length])
        kept = sum(end <= length for end in ends)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if length not in (0, *ends) else "error")
            assert list(journal.read()) == RECORDS[:kept]
        journal.append({"kind": "more"})
        assert list(journal.read()) == [*RECORDS[:kept], {"kind": "more"}]


def test_a_torn_record_is_dropped_with_a_warning(journal):
    with open(journal.path, "ab") as file:
        file.write(b"0123")
    with pytest.warns(UserWarning, match="torn last record"):
        list(journal.read())


def test_a_flipped_bit_anywhere_is_never_passed_over_in_silence(journal):
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


def test_a_damaged_record_in_the_middle_is_named_with_its_place(journal):
    lines = journal.path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b"report", b"repord")
    journal.path.write_bytes(b"\n".join(lines))
    with pytest.raises(DamagedJournalError, match=r"Record 2 of 3 in .* is damaged"):
        list(journal.read())


def test_not_a_number_cannot_be_written(journal):
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append({"score": float("nan")})
    assert list(journal.read()) == RECORDS


def test_a_replaced_file_leaves_nothing_else_behind(tmp_path):
    path = tmp_path / "trial_0" / "trial.json"
    replace_file(path, "old")
    replace_file(path, "new")
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["trial.json"]
