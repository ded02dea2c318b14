"""Every damage of records that `python -m kt_extras repair` mends, and what it says of it."""

import json
import re
import runpy
import shutil
import sys
import warnings
import zlib
from pathlib import Path

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.__main__ import main
from kt_extras.records.repair import repair
from kt_extras.storage.errors import DamagedJournalError, StorageError
from kt_extras.storage.journal import Journal
from kt_extras.storage.lines import from_line, to_line
from kt_extras.storage.lock import ProjectInUseError

COST = keras_tuner.Objective("cost", "min")
TRIALS, EPOCHS = 6, 3


class Line(kte.Tuner):
    """Reports costs that follow from the point and the epoch."""

    def run_trial(self, trial):
        x = trial.hyperparameters.get("x")
        for epoch in range(EPOCHS):
            self.oracle.update_trial(trial.trial_id, {"cost": x + 1 / (epoch + 1)}, epoch)


def make(directory, trials=TRIALS, objective=COST, **settings):
    space = keras_tuner.HyperParameters()
    space.Float("x", 0.0, 1.0)
    oracle = kte.SamplerOracle(
        kte.samplers.Random(), objective=objective, max_trials=trials, seed=0, hyperparameters=space
    )
    return Line(oracle, directory=str(directory), project_name="p", **settings)


def results(directory, **settings):
    rows = make(directory, **settings).results()
    return {row["trial_id"]: (row["state"], row["x"], row["score"]) for row in rows}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    directory = tmp_path_factory.mktemp("searched")
    make(directory).search(verbose=0)
    return directory


@pytest.fixture
def directory(searched, tmp_path):
    shutil.copytree(searched, tmp_path / "search")
    return tmp_path / "search"


def lines_of(directory):
    return (directory / "p" / "journal.jsonl").read_bytes().splitlines(keepends=True)


def write_lines(directory, lines):
    (directory / "p" / "journal.jsonl").write_bytes(b"".join(lines))


def place_of(directory, *marks):
    """Return the index of the first line with some texts."""
    found = enumerate(lines_of(directory))
    return next(n for n, line in found if all(mark.encode() in line for mark in marks))


def damage(directory, place):
    lines = lines_of(directory)
    lines[place] = lines[place].replace(b'"', b"#", 3)
    write_lines(directory, lines)


def check_goes_on(directory, **settings):
    """Search on after a repair: as many trials end as without the damage."""
    make(directory, trials=TRIALS + 1, **settings).search(verbose=0)
    found = make(directory, trials=TRIALS + 1, **settings).results()
    assert [row["state"] for row in found] == ["completed"] * (TRIALS + 1)


def test_whole_records_are_not_changed(directory, capsys):
    before = lines_of(directory)
    assert main(["repair", str(directory / "p")]) == 0
    assert capsys.readouterr().out == f"All {len(before)} records are whole; nothing was changed.\n"
    assert lines_of(directory) == before


LINES = 2 + 5 * TRIALS
QUICK = {0, 1, 2, 4, 6, LINES - 1}  # one of each kind


@pytest.mark.parametrize("kind", ["damaged", "lost", "doubled"])
@pytest.mark.parametrize(
    "place", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in range(LINES)]
)
def test_one_bad_line_anywhere_loses_no_trial(directory, place, kind):
    """A trial whose end is lost is run again."""
    expected, lines = results(directory), lines_of(directory)
    assert len(lines) == LINES
    if kind == "damaged":
        damage(directory, place)
    else:
        write_lines(directory, lines[:place] + lines[place + (kind == "lost") :])
        if kind == "doubled":
            write_lines(directory, [*lines[: place + 1], *lines[place:]])
    if kind == "lost" and place == len(lines) - 1:
        return  # nobody can tell
    if kind == "damaged" and place == len(lines) - 1:
        assert repair(directory / "p").kept is None  # a torn end is read
        return
    with pytest.raises(StorageError, match=r"python -m kt_extras repair"):
        make(directory)
    done = repair(directory / "p", objective=COST)
    assert list(done.lost_records) == ([] if kind == "doubled" else [place + 1])
    assert done.lost_trials == []
    assert done.settings_lost == (kind != "doubled" and place == 0)
    rows = results(directory)
    ended = {t: row for t, row in rows.items() if row[0] == "completed"}
    assert ended.items() <= expected.items()
    end = b'"end"' in lines[place] and kind != "doubled"
    assert len(rows) == TRIALS
    assert len(ended) == TRIALS - end
    assert (Path(done.kept) / "journal.jsonl").exists()
    check_goes_on(directory)


def test_seed_is_recorded_again_after_a_repair_has_lost_it(directory):
    damage(directory, 0)
    assert repair(directory / "p", objective=COST).settings_lost
    make(directory, trials=TRIALS + 1).search(verbose=0)
    assert b'"seed":0' in b"".join(lines_of(directory))


def test_trial_that_has_lost_its_best_epoch_is_named(directory):
    lines, best = lines_of(directory), place_of(directory, '"report"', '"0001"', '"step":2')
    write_lines(directory, lines[:best] + lines[best + 1 :])
    assert repair(directory / "p", objective=COST).incomplete_trials == ["0001"]


def test_trial_that_has_lost_its_end_is_named(directory):
    lines, end = lines_of(directory), place_of(directory, '"end"', '"0001"')
    write_lines(directory, lines[:end] + lines[end + 1 :])
    assert repair(directory / "p", objective=COST).incomplete_trials == ["0001"]


def test_report_names_what_is_lost(directory, capsys):
    kept = [line for line in lines_of(directory) if b'"0002"' not in line]
    report = place_of(directory, '"report"', '"0004"', '"step":1')
    kept = [line for line in kept if line != lines_of(directory)[report]]
    write_lines(directory, kept)
    assert main(["repair", str(directory / "p")]) == 0
    said = capsys.readouterr().out
    assert (
        f"Saved {len(kept)} records.  The damaged ones are kept in {directory}/p/damaged-1" in said
    )
    assert "Lost records: 13-17, 25." in said
    assert "Lost trials: 0002." in said
    assert "Trials that may have lost some records: 0004." in said
    assert (directory / "p" / "damaged-1" / "trial_0002" / "trial.json").exists()
    assert not (directory / "p" / "trial_0002").exists()


def test_lost_trial_leaves_its_id_to_no_other(directory):
    before = results(directory)
    write_lines(directory, [line for line in lines_of(directory) if b'"0002"' not in line])
    repair(directory / "p")
    make(directory).search(verbose=0)
    after = results(directory)
    assert set(after) == {*before, "0006"} - {"0002"}
    assert all(after[name] == before[name] for name in set(after) & set(before))


def test_trial_without_its_beginning_has_the_values_of_its_end(directory):
    expected = results(directory)
    lines = lines_of(directory)
    write_lines(directory, [line for line in lines if b'"create"' not in line])
    done = repair(directory / "p")
    assert len(done.lost_records) == TRIALS
    assert results(directory) == expected


def test_later_trials_of_a_snapshot_and_lines_after_it_are_saved(directory, monkeypatch):
    expected = results(directory)
    lines = lines_of(directory)
    begin = place_of(directory, '"create"', '"0004"')
    write_lines(directory, lines[:begin])
    snapshot_of(directory)
    write_lines(directory, [*lines[:2], *lines[7:]])
    with pytest.warns(UserWarning, match="of another search"), pytest.raises(DamagedJournalError):
        make(directory)
    repair(directory / "p")
    assert results(directory) == expected
    assert not (directory / "p" / "snapshot.jsonl").exists()
    assert (directory / "p" / "damaged-1" / "snapshot.jsonl").exists()
    check_goes_on(directory)


@pytest.mark.parametrize("place", [1, 2, 5, 8])
def test_damaged_snapshot_and_damaged_line_lose_one_trial_at_most(directory, place):
    expected = results(directory)
    snapshot_of(directory)
    snapshot = directory / "p" / "snapshot.jsonl"
    lines = snapshot.read_bytes().splitlines(keepends=True)
    snapshot.write_bytes(b"".join(lines[:place] + lines[place + 1 :]))
    damage(directory, place_of(directory, '"end"', '"0003"'))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        repair(directory / "p")
    found = results(directory)
    assert len(set(found.items()) & set(expected.items())) >= TRIALS - 1
    check_goes_on(directory)


def snapshot_of(directory):
    from kt_extras.records.events import to_record
    from kt_extras.records.snapshot import snapshot_events

    journal = Journal(directory / "p" / "journal.jsonl")
    list(journal.read())
    journal.compact(map(to_record, snapshot_events(make(directory).oracle._recorder.state)))


def test_record_that_cannot_have_happened_is_named_by_its_line(directory, capsys):
    """Also after a snapshot, which has fewer records than the lines that it replaces."""
    snapshot_of(directory)
    line = to_line({"kind": "note", "trial": "0000"}, LINES + 1)
    write_lines(directory, [*lines_of(directory), line])
    with pytest.raises(StorageError, match=rf"Record {LINES + 1} of .*p is damaged: .*'note'"):
        make(directory)
    assert main(["repair", str(directory / "p")]) == 0
    assert f"Lost records: {LINES + 1}." in capsys.readouterr().out


def test_record_of_a_snapshot_is_named_by_its_line(directory):
    snapshot_of(directory)
    snapshot = directory / "p" / "snapshot.jsonl"
    lines = snapshot.read_bytes().splitlines(keepends=True)
    lines[4] = to_line({"kind": "note"}, 5)
    snapshot.write_bytes(b"".join(lines))
    with pytest.raises(StorageError, match=r"Record 5 of .*snapshot\.jsonl is damaged: .*'note'"):
        make(directory)


@pytest.mark.parametrize("ran_again", [False, True])
def test_old_journal_that_gave_back_a_finished_trial_keeps_its_end(directory, ran_again):
    """As versions before the check of records have written it."""
    expected = results(directory)
    records = [from_line(line[:-1]).record for line in lines_of(directory)]
    end = place_of(directory, '"end"', '"0002"') + 1
    again = [r for r in records[:end] if r.get("trial") == "0002"] if ran_again else []
    records[end:end] = [{"kind": "abandon", "trial": "0002", "t": records[end]["t"]}, *again]
    records[0]["format"] = 1
    write_lines(directory, [old_line(record) for record in records])
    with pytest.raises(DamagedJournalError, match=f"Record {end + 1} of .*must be running"):
        make(directory)
    done = repair(directory / "p")
    assert list(done.lost_records) == [*range(end + 1, end + 2 + len(again))]
    assert (done.lost_trials, done.settings_lost) == ([], False)
    assert results(directory) == expected
    check_goes_on(directory)


def old_line(record):
    content = json.dumps(record).encode()
    return b"%08x %b\n" % (zlib.crc32(content), content)


def test_lost_journal_is_saved_from_its_snapshot(directory):
    expected = results(directory)
    snapshot_of(directory)
    (directory / "p" / "journal.jsonl").unlink()
    with pytest.raises(DamagedJournalError, match="python -m kt_extras repair"):
        make(directory)
    repair(directory / "p")
    assert results(directory) == expected


def test_journal_that_an_editor_has_saved_anew_is_whole_again(directory):
    expected = results(directory)
    write_lines(
        directory, [b"\xef\xbb\xbf", *(line[:-1] + b"\r\n" for line in lines_of(directory))]
    )
    with pytest.raises(DamagedJournalError):
        make(directory)
    assert repair(directory / "p").lost_records == []
    assert results(directory) == expected


def test_record_that_names_another_folder_moves_nothing(directory):
    outside = directory / "outside"
    outside.mkdir()
    journal = Journal(directory / "p" / "journal.jsonl")
    list(journal.read())
    for trial in ("x/../../outside", "../outside", 7, None):
        journal.append({"kind": "create", "trial": trial, "values": {}, "t": 9.0})
    (directory / "p" / "trial_x").mkdir()
    done = repair(directory / "p")
    assert list(done.lost_trials) == ["7", "None", "x"]
    assert len(done.lost_records) == 4
    assert outside.exists()
    check_goes_on(directory)


def test_repair_can_be_repeated(directory):
    for number in (1, 2):
        damage(directory, place_of(directory, '"end"'))
        assert repair(directory / "p").kept == str(directory / "p" / f"damaged-{number}")
    check_goes_on(directory)


def test_lost_objective_must_be_given(directory, capsys):
    expected = results(directory)
    damage(directory, 0)
    assert main(["repair", str(directory / "p")]) == 1
    assert "--objective" in capsys.readouterr().err
    assert main(["repair", str(directory / "p"), "--objective", "cost"]) == 0
    assert "The seed is lost" in capsys.readouterr().out
    assert results(directory) == expected


def test_project_that_is_being_searched_is_not_repaired(directory):
    damage(directory, 3)
    journal = Journal(directory / "p" / "journal.jsonl")
    journal.acquire()
    with pytest.raises(ProjectInUseError):
        repair(directory / "p")
    journal.release()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "`directory` must be that of a project"),
        ([], "`directory` must be given, or `storage` and `project`"),
        (["--storage", "runs.db", "--project", "p"], "`storage` must be a URL"),
        (["--storage", "sqlite:///nowhere.db", "--project", "p"], "holds no project 'p'"),
    ],
)
def test_what_cannot_be_repaired_is_said_without_a_traceback(
    tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert main(["repair", *arguments]) == 1
    assert re.search(message, capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_command_runs_by_its_name(directory, monkeypatch, capsys):
    damage(directory, 3)
    monkeypatch.setattr(sys, "argv", ["kt_extras", "repair", str(directory / "p")])
    monkeypatch.delitem(sys.modules, "kt_extras.__main__")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("kt_extras", run_name="__main__")
    assert ended.value.code == 0
    assert "Lost records: 4." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (1, "UPDATE kte_records SET record = '#' || record WHERE {here}"),
        (3, "UPDATE kte_records SET record = '#' || record WHERE {here}"),
        (6, "DELETE FROM kte_records WHERE {here}"),
        (20, "DELETE FROM kte_records WHERE {here}"),
    ],
)
def test_bad_record_of_a_database_loses_no_trial(tmp_path, place, change):
    from tests.storage.queries import rows

    url = f"sqlite:///{tmp_path}/runs.db"
    make(tmp_path, storage=url).search(verbose=0)
    expected = results(tmp_path, storage=url)
    rows(url, change.format(here=f"sequence = {place}"))
    with pytest.raises(StorageError, match=r"python -m kt_extras repair --storage URL --project"):
        make(tmp_path, storage=url)
    done = repair(tmp_path / "p", storage=url, objective=COST)
    assert list(done.lost_records) == [place]
    assert done.kept == "the project 'p (damaged 1)' of the database"
    found = results(tmp_path, storage=url)
    assert {t: r for t, r in found.items() if r[0] == "completed"}.items() <= expected.items()
    assert len(found) == TRIALS
    check_goes_on(tmp_path, storage=url)
    states = "SELECT count(*) FROM kte_trials t JOIN kte_projects p ON t.project = p.id WHERE"
    assert rows(url, f"{states} p.name = 'p' AND state = 'completed'") == [(TRIALS + 1,)]
    assert rows(url, f"{states} p.name != 'p'") == [(TRIALS,)]
