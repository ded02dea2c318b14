import json
import os
import pickle
import pwd
import shutil
import tempfile
import threading
import zlib
from pathlib import Path

import keras_tuner
import pytest

from kt_extras.records.query_tables import SearchTables
from kt_extras.records.repair import repair
from kt_extras.storage.damaged_database import DamagedDatabase
from kt_extras.storage.database import Database
from kt_extras.storage.errors import DamagedRecordError, RemovedRecordsError, StorageError
from kt_extras.storage.lock import ProjectInUseError
from tests.storage.queries import rows
from tests.storage.search import PROJECT, create, search


def write(database, records):
    for record in records:
        database.append(record, sync=record["kind"] == "end")


def test_records_are_read_as_they_were_written(database, connect):
    odd = {"kind": "note", "x": 0.1 + 0.2, "text": 'a\0"é\ud800\n', "n": 2**70, "no": None}
    records = [*search(), odd]
    write(database, records)
    assert list(database.read()) == records
    assert list(connect().read()) == records


def test_project_exists_from_its_first_record_on(database, connect):
    assert not database.exists()
    database.append(PROJECT)
    assert database.exists()
    assert connect().exists()


def test_asking_for_a_project_creates_no_file(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/deep/runs.db", "digits")
    assert not database.exists()
    with pytest.raises(FileNotFoundError, match="holds no project 'digits'"):
        next(database.read())
    database.delete()
    assert list(tmp_path.iterdir()) == []
    database.append(PROJECT)
    assert database.exists()
    database.release()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["runs.db"]


def test_another_session_appends_to_the_project(connect):
    first, second = connect(), connect()
    first.append(PROJECT)
    first.release()
    second.append({"kind": "stop", "trial": "0000"})
    assert [record["kind"] for record in second.read()] == ["project", "stop"]


def test_projects_of_a_database_are_separate(url, project, connect):
    one, other = connect(project + "/one"), connect(project + "/other")
    for kind in ("a", "b"):
        one.append({"kind": kind})
        other.append({"kind": kind.upper()})
    assert [r["kind"] for r in one.read()] == ["a", "b"]
    assert [r["kind"] for r in other.read()] == ["A", "B"]
    one.delete()
    assert not one.exists()
    assert [r["kind"] for r in other.read()] == ["A", "B"]


def test_deleted_project_is_empty(url, database):
    write(database, search())
    database.delete()
    assert not database.exists()
    left = "SELECT count(*) FROM {} WHERE project NOT IN (SELECT id FROM kte_projects)"
    for table in ("kte_records", "kte_trials", "kte_trial_values", "kte_epoch_metrics"):
        assert rows(url, left.format(table)) == [(0,)]
    database.append(PROJECT)
    assert list(database.read()) == [PROJECT]


def test_records_on_several_pages_keep_their_order(database, monkeypatch):
    monkeypatch.setattr("kt_extras.storage.reading._PAGE", 10)
    for count in range(1, 32):
        database.append({"n": count})
        assert [record["n"] for record in database.read()] == list(range(1, count + 1))


def test_append_while_reading(database, monkeypatch):
    monkeypatch.setattr("kt_extras.storage.reading._PAGE", 1)
    write(database, [PROJECT, PROJECT])
    for record in database.read():
        if record == PROJECT:
            database.append({"kind": "note"})
    assert len(list(database.read())) == 4


def test_threads_append_without_losing_a_record(database):
    def append(name):
        for number in range(20):
            database.append({"kind": "note", "thread": name, "n": number})

    threads = [threading.Thread(target=append, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = list(database.read())
    assert len(found) == 80
    for name in range(4):
        assert [r["n"] for r in found if r["thread"] == name] == list(range(20))


def test_nan_cannot_be_written(database):
    database.append(PROJECT)
    with pytest.raises(ValueError, match="not JSON compliant"):
        database.append({"score": float("nan")})
    assert list(database.read()) == [PROJECT]


def test_record_that_the_tables_refuse_is_not_written(url, database):
    write(database, search())
    with pytest.raises(StorageError, match="lacks a field"):
        database.append({"kind": "end", "trial": "0000"})
    database.append({"kind": "note"})
    assert list(database.read()) == [*search(), {"kind": "note"}]


def test_second_writer_without_the_lock_is_noticed(connect):
    one, other = connect(), connect()
    one.append({"kind": "mine"})
    other.append({"kind": "theirs"})
    for _ in range(2):
        with pytest.raises(ProjectInUseError):
            one.append({"kind": "mine"})
    assert [record["kind"] for record in other.read()] == ["mine", "theirs"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE kte_records SET record = '{\"kind\": 1}' WHERE {here}", "checksum does not match"),
        ("UPDATE kte_records SET record = '' WHERE {here}", "checksum does not match"),
        ("UPDATE kte_records SET checksum = 0 WHERE {here}", "checksum does not match"),
        ("DELETE FROM kte_records WHERE {here}", "it is missing"),
        ("UPDATE kte_records SET sequence = -1 WHERE {here}", "it is missing"),
        ("DELETE FROM kte_records WHERE {project} AND sequence >= 3", "it is missing"),
    ],
)
def test_damaged_record_is_named_with_its_number(url, project, database, change, message):
    records = search()
    write(database, records)
    mine = f"project = (SELECT id FROM kte_projects WHERE name = '{project}')"
    rows(url, change.replace("{here}", "{project} AND sequence = 3").replace("{project}", mine))
    reading = database.read()
    assert [next(reading), next(reading)] == records[:2]
    with pytest.raises(DamagedRecordError, match=f"Record 3 of 9 of .*{message}") as raised:
        next(reading)
    assert (raised.value.project, raised.value.sequence) == (project, 3)
    with pytest.raises(DamagedRecordError):
        database.rebuild()
    database.cut(2)
    database.append({"kind": "note"})
    assert list(database.read()) == [*records[:2], {"kind": "note"}]
    assert rows(url, f"SELECT trial, state FROM kte_trials WHERE {mine}") == [("0000", "running")]


def test_text_that_is_not_json_is_damaged_though_its_checksum_fits(url, project, database):
    database.append(PROJECT)
    mine = f"project = (SELECT id FROM kte_projects WHERE name = '{project}')"
    checksum = zlib.crc32(b"[")
    rows(url, f"UPDATE kte_records SET record = '[', checksum = {checksum} WHERE {mine}")
    with pytest.raises(DamagedRecordError, match=r"Record 1 of 1 .* not JSON"):
        list(database.read())


def test_flipped_bits_change_no_record_unnoticed(tmp_path):
    path = tmp_path / "runs.db"
    url, records = f"sqlite:///{path}", search(trials=4)
    with Database(url, "digits") as database:
        write(database, records)
    whole = path.read_bytes()
    used = [i for i, byte in enumerate(whole) if byte]
    noticed = 0
    for position in used[:: len(used) // 150]:
        flipped = bytearray(whole)
        flipped[position] ^= 4
        path.write_bytes(flipped)
        database = Database(url, "digits")
        try:
            assert list(database.read()) == records
        except (StorageError, FileNotFoundError):
            noticed += 1
        database.release()
    assert noticed


def test_append_waits_for_the_disk_with_sync_alone(tmp_path):
    with Database(f"sqlite:///{tmp_path}/runs.db", "digits") as database:
        database.append(PROJECT)
        statements = []
        database._session._connection.connection.dbapi_connection.set_trace_callback(
            statements.append
        )
        for sync, level in [(False, "NORMAL"), (True, "FULL"), (False, "NORMAL")]:
            statements.clear()
            database.append({"kind": "note"}, sync=sync)
            order = [
                line for line in statements if "synchronous" in line or line.startswith("BEGIN")
            ]
            assert order == [f"PRAGMA synchronous = {level}", "BEGIN IMMEDIATE"]


@pytest.mark.parametrize(
    "error",
    [
        ProjectInUseError("digits", "process 1"),
        DamagedRecordError("sqlite:///runs.db", "digits", 3, 9, "it is missing"),
        StorageError("the disk is full"),
    ],
)
def test_pickled_error_keeps_its_message(error):
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_append_works_again_after_the_disk_was_full(tmp_path):
    with Database(f"sqlite:///{tmp_path}/runs.db", "digits") as database:
        database.append(PROJECT)
        raw = database._session._connection.connection.dbapi_connection
        (pages,) = raw.execute("PRAGMA page_count").fetchone()
        raw.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match=r"is full.*Make room on the disk"):
            database.append({"kind": "note", "text": "x" * 100_000})
        raw.execute("PRAGMA max_page_count = 1000000")
        database.append({"kind": "note"})
        assert list(database.read()) == [PROJECT, {"kind": "note"}]


def test_database_of_a_newer_version_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    with Database(url, "digits") as database:
        database.append(PROJECT)
    rows(url, "UPDATE kte_format SET format = 99")
    for use in (database.exists, lambda: list(database.read()), lambda: database.append(PROJECT)):
        with pytest.raises(
            StorageError, match=r"has format 99, made by a newer kt_extras.*Upgrade"
        ):
            use()
    database.release()


def test_append_waits_for_a_server_that_restarts(server, project):
    with Database(server.url, project, SearchTables()) as database:
        for number in range(3):
            database.append({"kind": "note", "n": number})
            server.stop()
            server.start()
        database.append({"kind": "note", "n": 3}, sync=True)
        assert [record["n"] for record in database.read()] == [0, 1, 2, 3]
        with pytest.raises(ProjectInUseError):  # the lock was taken again, too
            Database(server.url, project).acquire()


def test_record_is_not_written_twice_after_a_lost_answer(server, project, monkeypatch):
    with Database(server.url, project, SearchTables()) as database:
        database.append({"kind": "note", "n": 0})
        place = database._place
        database.append({"kind": "note", "n": 1})
        database._write_again({"kind": "note", "n": 1}, _text(n=1), place, sync=True)
        database._write_again({"kind": "note", "n": 2}, _text(n=2), database._place, sync=True)
        assert [record["n"] for record in database.read()] == [0, 1, 2]


def _text(**fields):
    return json.dumps({"kind": "note", **fields}, separators=(",", ":"))


def test_work_of_an_append_does_not_grow(tmp_path):
    """The work is counted in steps of SQLite, which do not depend on other processes."""
    with Database(f"sqlite:///{tmp_path}/runs.db", "digits", SearchTables()) as database:
        write(database, search(trials=10))
        raw = database._session._connection.connection.dbapi_connection
        few = _steps(raw, database, "a")
        write(database, search(trials=200, epochs=1)[31:])
        many = _steps(raw, database, "b")
    assert many <= 1.2 * few, (few, many)


def _steps(raw, database, mark):
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    raw.set_progress_handler(count, 1)
    write(database, [{**r, "trial": r["trial"] + mark} for r in search(trials=3)[1:]])
    raw.set_progress_handler(None, 1)
    return steps


@pytest.mark.parametrize("removed", [("", "-wal", "-shm"), ("",), ("-wal",), ("-shm",)])
@pytest.mark.parametrize("replaced", [False, True])
def test_file_that_is_removed_while_it_is_in_use_is_noticed(tmp_path, removed, replaced):
    path = tmp_path / "runs.db"
    with Database(f"sqlite:///{path}", "digits") as database:
        database.append(PROJECT)
        for name in removed:
            os.replace(f"{path}{name}", tmp_path / f"kept{name}")
            if replaced:
                shutil.copy(tmp_path / f"kept{name}", f"{path}{name}")
        with pytest.raises(RemovedRecordsError, match=r"its file or its log was removed"):
            database.append({"kind": "note"})


def test_file_that_is_removed_during_a_write_is_noticed(tmp_path):
    class Removing(SearchTables):
        def update(self, *_):
            (tmp_path / "runs.db").unlink()

    with Database(f"sqlite:///{tmp_path}/runs.db", "digits", SearchTables()) as database:
        database.append(PROJECT)
        database._query_tables = Removing()
        with pytest.raises(RemovedRecordsError, match="was removed or replaced"):
            database.append({"kind": "note"})


def test_project_that_is_removed_while_it_is_in_use_is_not_called_in_use(connect):
    one, other = connect(), connect()
    write(one, [PROJECT, PROJECT])
    other.delete()
    with pytest.raises(RemovedRecordsError, match="is gone: it was removed"):
        one.append({"kind": "note"})


def test_records_that_the_server_has_lost_are_noticed(url, project, database):
    write(database, search())
    mine = f"project = (SELECT id FROM kte_projects WHERE name = '{project}')"
    rows(url, f"DELETE FROM kte_records WHERE {mine} AND sequence > 7")
    rows(url, f"UPDATE kte_projects SET records = 7 WHERE name = '{project}'")
    with pytest.raises(RemovedRecordsError, match=r"has lost its last records \(2\)"):
        database.append({"kind": "note"})


def test_project_that_was_replaced_is_not_gone_on_with(connect):
    one, other = connect(), connect()
    write(one, search())
    other.delete()
    write(other, [PROJECT, *search()])
    with pytest.raises(RemovedRecordsError, match="was replaced since it was read"):
        list(one.news())


def test_project_without_a_record_holds_no_search(database):
    database.append(PROJECT)
    database.cut(0)
    assert not database.exists()
    with pytest.raises(FileNotFoundError, match="holds no project"):
        list(database.read())
    database.append(PROJECT)
    assert list(database.read()) == [PROJECT]


@pytest.fixture
def folder_of_others():
    """A folder in which this user may read only; root, which may do all, becomes another user."""
    folder = Path(tempfile.mkdtemp())
    yield folder
    if os.geteuid() != os.getuid():
        os.seteuid(os.getuid())
    folder.chmod(0o755)
    shutil.rmtree(folder)


def take_rights(folder):
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="Windows has other rights")
@pytest.mark.parametrize("killed", [False, True])
def test_database_is_read_where_nothing_can_be_written(folder_of_others, killed):
    path = folder_of_others / "runs.db"
    with Database(f"sqlite:///{path}", "digits") as database:
        write(database, search())
        if killed:  # its last records are in the log alone
            for name in ("runs.db", "runs.db-wal"):
                shutil.copy(folder_of_others / name, folder_of_others / f"copy-{name}")
    if killed:
        for name in ("runs.db", "runs.db-wal"):
            os.replace(folder_of_others / f"copy-{name}", folder_of_others / name)
    take_rights(folder_of_others)
    before = sorted(os.listdir(folder_of_others))
    database = Database(f"sqlite:///{path}", "digits")
    assert database.exists()
    assert list(database.read()) == search()
    assert list(database.news()) == []
    with pytest.raises(StorageError, match="Give this process the right to write"):
        database.append({"kind": "note"})
    with pytest.raises(PermissionError, match="give this process the right to write there"):
        database.acquire()
    database.release()
    assert sorted(os.listdir(folder_of_others)) == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE kte_records SET record = '#' || record WHERE {here}",
        "DELETE FROM kte_records WHERE {here}",
    ],
)
def test_repair_of_a_database_keeps_whole_and_damaged_records(url, project, database, change):
    objective = str(keras_tuner.Objective("cost", "min"))
    records = [{**PROJECT, "objective": objective}, *search()[1:]]
    write(database, records)
    found = f"SELECT trial, state, score FROM kte_trials WHERE {_of(project)} ORDER BY trial"
    before = rows(url, found)
    database.release()
    rows(url, change.format(here=f"{_of(project)} AND sequence = 2"))  # the first beginning
    done = repair(None, storage=url, project=project)
    assert (done.saved, list(done.lost_records), list(done.lost_trials)) == (9, [2], [])
    begun = create("0000", t=1.5, units=0)
    assert list(database.read()) == [records[0], begun, *records[2:]]
    assert rows(url, found) == before
    kept = f"{project} (damaged 1)"
    assert done.kept == f"the project {kept!r} of the database"
    assert rows(url, f"SELECT count(*) FROM kte_trials WHERE {_of(kept)}") == [(2,)]
    assert repair(None, storage=url, project=project).kept is None


def test_records_on_whole_pages_of_a_damaged_file_are_left(tmp_path):
    url, path = f"sqlite:///{tmp_path}/runs.db", tmp_path / "runs.db"
    with DamagedDatabase(url, "digits") as database:
        write(database, [{"kind": "note", "number": number} for number in range(2000)])
    content = bytearray(path.read_bytes())
    place = content.index(b'"number":1500}') // 4096 * 4096
    content[place : place + 4096] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(StorageError):
        list(Database(url, "digits").read())
    left = DamagedDatabase(url, "digits").left()
    numbers = [record["number"] for _, record in left.records]
    assert 1900 < len(numbers) < 2000
    assert numbers == [number for number in range(2000) if number + 1 not in left.lost]


def _of(project):
    return f"project = (SELECT id FROM kte_projects WHERE name = '{project}')"
