"""A whole search through the oracle, with its records in a database."""

import gc
import json
import math
import os
import zlib

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.records import recorder
from kt_extras.records.query_tables import SearchTables
from kt_extras.storage.database import Database
from kt_extras.storage.errors import StorageError
from kt_extras.storage.journal import Journal
from tests.storage.queries import rows

COST = keras_tuner.Objective("cost", "min")


@pytest.fixture
def in_database(url, project, monkeypatch):
    """A context in which searches are recorded in the database."""
    opened = []

    def connect(_, directory):
        opened.append(Database(url, f"{project}/{directory.name}", SearchTables()))
        return opened[-1]

    def enter():
        monkeypatch.setattr(recorder, "open_project_store", connect)

    yield enter
    for database in opened:
        database.release()


def make(directory, name):
    pruner = kte.MedianPruner(n_startup_trials=2)
    oracle = kte.SamplerOracle(
        kte.samplers.Random(), pruner, COST, max_trials=8, seed=0, max_retries_per_trial=1
    )
    oracle._set_project_dir(str(directory), name)
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    oracle.hyperparameters.Choice("act", ["relu", "tanh"])
    return oracle


def run(oracle, *, trials):
    """Run some trials: the third one fails at first, the costs of the fifth one are NaN."""
    for _ in range(trials):
        trial = oracle.create_trial("worker")
        if trial.status == "STOPPED":
            return
        record = oracle.trial_record(trial.trial_id)
        x = trial.hyperparameters.get("x")
        for epoch in range(3):
            cost = float("nan") if record.number == 4 else x + 1 / (epoch + 1)
            if oracle.update_trial(trial.trial_id, {"cost": cost}, step=epoch).status == "STOPPED":
                break
        crashed = record.number == 2 and record.attempt == 1
        trial.status = "INVALID" if crashed else "COMPLETED"
        oracle.end_trial(trial)


class Parabola(kte.Tuner):
    """Ends a trial after one step, in which a test may do something."""

    def __init__(self, directory, hook=lambda: None, **settings):
        space = keras_tuner.HyperParameters()
        space.Float("x", 0.0, 1.0)
        oracle = kte.SamplerOracle(
            kte.samplers.Random(), objective=COST, max_trials=4, seed=0, hyperparameters=space
        )
        self.hook = hook
        super().__init__(oracle, directory=directory, project_name="p", **settings)

    def run_trial(self, trial):
        self.hook()
        return {"cost": trial.hyperparameters.get("x") ** 2}


def outcomes(oracle):
    return [
        (e.trial.trial_id, e.state, e.attempt, e.trial.score, repr(e.executions), e.epochs)
        for e in oracle.trial_records()
    ]


def timeless(store):
    """Return the records without what differs between two runs, or in a shared search alone."""
    own = {"t", "worker", "directory"}
    return [{k: v for k, v in record.items() if k not in own} for record in store.read()]


def test_interrupted_search_in_a_database_ends_as_one_in_a_journal(
    tmp_path, url, project, in_database
):
    embedded = make(tmp_path, "embedded")
    run(embedded, trials=20)
    in_database()
    run(make(tmp_path, "cut"), trials=4)
    running = make(tmp_path, "cut")
    running.reload()
    died = running.create_trial("worker").trial_id
    running.close_session()  # its process ends before the trial does
    oracle = make(tmp_path, "cut")
    oracle.reload()
    run(oracle, trials=20)
    expected = [(*row[:2], row[2] + (row[0] == died), *row[3:]) for row in outcomes(embedded)]
    assert outcomes(oracle) == expected
    again = make(tmp_path, "cut")
    again.reload()
    assert outcomes(again) == outcomes(oracle)


def test_session_that_nobody_closed_ends_with_its_oracle(tmp_path, in_database):
    in_database()
    for _ in range(2):
        oracle = make(tmp_path, "cut")
        if oracle.is_recorded():
            oracle.reload()
        oracle.create_trial("worker")
        del oracle
        gc.collect()  # the records stay open in the fixture


def test_database_holds_the_records_of_the_journal(tmp_path, url, project, in_database):
    run(make(tmp_path, "embedded"), trials=20)
    in_database()
    run(make(tmp_path, "database"), trials=20)
    journal = Journal(tmp_path / "embedded" / "journal.jsonl")
    assert timeless(Database(url, f"{project}/database")) == timeless(journal)


def test_tables_hold_what_the_oracle_holds(tmp_path, url, project, in_database):
    in_database()
    oracle = make(tmp_path, "tables")
    run(oracle, trials=20)
    mine = f"project = (SELECT id FROM kte_projects WHERE name = '{project}/tables')"
    columns = "trial, state, attempt, score, epochs"
    found = rows(url, f"SELECT {columns} FROM kte_trials WHERE {mine} ORDER BY number")
    assert found == [(*row[:4], row[5]) for row in outcomes(oracle)]
    for record in oracle.trial_records():
        curve = rows(
            url,
            f"SELECT epoch, value FROM kte_epoch_metrics WHERE {mine} "
            f"AND trial = '{record.trial.trial_id}' ORDER BY epoch",
        )
        costs = {epoch: metrics["cost"] for epoch, metrics in record.executions[0].items()}
        finite = {e: cost if math.isfinite(cost) else None for e, cost in costs.items()}
        assert dict(curve) == finite
        values = rows(
            url,
            f"SELECT name, coalesce(number, 0) FROM kte_trial_values WHERE {mine} "
            f"AND trial = '{record.trial.trial_id}'",
        )
        assert dict(values)["x"] == record.trial.hyperparameters.get("x")


@pytest.mark.parametrize("storage", [None, "sqlite:///runs.db"])
def test_search_goes_on_where_it_was_when_the_program_goes_elsewhere(
    tmp_path, monkeypatch, storage
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    tuner = Parabola("runs", lambda: monkeypatch.chdir(elsewhere), storage=storage)
    tuner.search(verbose=0)
    assert len(tuner.results()) == 4
    assert list(elsewhere.iterdir()) == []
    monkeypatch.chdir(tmp_path)
    assert Parabola("runs", storage=storage).results() == tuner.results()


def test_search_ends_with_an_error_when_its_database_is_removed(tmp_path):
    path = tmp_path / "runs.db"

    def remove():
        for name in ("", "-wal", "-shm"):
            path.with_name(path.name + name).unlink(missing_ok=True)

    tuner = Parabola(tmp_path, remove, storage=f"sqlite:///{path}")
    with pytest.raises(StorageError, match="its file or its log was removed"):
        tuner.search(verbose=0)


@pytest.mark.parametrize("content", [b"", b"0123", b"\0" * 200])
def test_search_begins_with_its_first_record_after_a_torn_one(tmp_path, content):
    journal = tmp_path / "p" / "journal.jsonl"
    journal.parent.mkdir()
    journal.write_bytes(content)
    Parabola(tmp_path).search(verbose=0)
    assert next(Journal(journal).read())["kind"] == "project"
    assert len(Parabola(tmp_path).results()) == 4


def test_search_of_format_1_goes_on_and_is_refused_by_older_versions(tmp_path):
    Parabola(tmp_path).search(verbose=0)
    journal = tmp_path / "p" / "journal.jsonl"
    texts = [json.dumps(record).encode() for record in Journal(journal).read()]
    assert texts[0].count(b'"format": 2')
    texts[0] = texts[0].replace(b'"format": 2', b'"format": 1')
    journal.write_bytes(b"".join(b"%08x %b\n" % (zlib.crc32(text), text) for text in texts))
    before = Parabola(tmp_path).results()
    tuner = Parabola(tmp_path)
    tuner.oracle.max_trials = 5
    tuner.search(verbose=0)
    assert tuner.results()[:4] == before
    records = list(Journal(journal).read())
    formats = [record["format"] for record in records if record["kind"] == "project"]
    assert formats == [1, 2]
    assert records[len(texts)]["kind"] == "project"


def test_next_session_removes_what_a_killed_one_was_writing(tmp_path):
    Parabola(tmp_path).search(verbose=0)
    left = tmp_path / "p" / "trial_0000" / ".trial.json.elsewhere.1-0.kte-tmp"
    left.write_text("{")
    os.utime(left, (0, 0))
    Parabola(tmp_path)
    assert left.exists()
    tuner = Parabola(tmp_path)
    tuner.oracle.max_trials = 5
    tuner.search(verbose=0)
    assert not left.exists()
