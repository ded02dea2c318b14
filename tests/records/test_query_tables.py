import math
import shutil
from pathlib import Path

import keras_tuner
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("sqlalchemy", reason="the extra `sql` is not installed")

import kt_extras as kte
from kt_extras.oracles.added_trial import added_trial
from kt_extras.records.events import to_record
from kt_extras.records.query_tables import SearchTables
from kt_extras.records.search_state import SearchState
from kt_extras.storage import StorageError
from kt_extras.storage.database import Database
from tests.storage.queries import rows
from tests.storage.search import PROJECT, create, end, report, search

RECORDED = Path(__file__).parent / "recorded" / "asha.db"  # by version 0.1.0
TABLES = ("projects", "trials", "trial_values", "epoch_metrics", "trial_results")
BEST = """
    SELECT trial, score FROM kte_trials JOIN kte_projects ON kte_projects.id = kte_trials.project
    WHERE kte_projects.name = '{project}' AND score IS NOT NULL ORDER BY score LIMIT 2
"""


@pytest.fixture
def ask(url, project, database):
    """A function that writes records and then asks for columns of a derived table."""

    def ask(records, columns, table):
        for record in records:
            database.append(record)
        mine = f"project = (SELECT id FROM kte_projects WHERE name = '{project}')"
        return sorted(rows(url, f"SELECT {columns} FROM kte_{table} WHERE {mine}"))

    return ask


def test_best_trials_are_found_by_a_query(url, project, database):
    for record in search(trials=4):
        database.append(record)
    assert rows(url, BEST.format(project=project)) == [("0003", 0.2), ("0002", 0.25)]


def test_project_row_has_the_objective_and_the_seed(url, project, database):
    database.append({**PROJECT, "seed": 2**70})
    database.append({**PROJECT, "objective": "loss (min)", "seed": 2**70})
    found = rows(url, f"SELECT objective, seed, records FROM kte_projects WHERE name = '{project}'")
    assert found == [("loss (min)", str(2**70), 2)]


def test_trial_is_a_row_from_its_beginning_on(ask):
    columns = "trial, number, state, attempt, score, best_epoch, epochs, began, ended, message"
    records = [create("0000", t=1.0), create("b", t=2.0)]
    assert ask(records, columns, "trials") == [
        ("0000", 0, "running", 1, None, None, 0, 1.0, None, None),
        ("b", 1, "running", 1, None, None, 0, 2.0, None, None),
    ]
    records = [report("b", 0, cost=1.0), report("b", 2, cost=1.0), end("b", 0.5, t=3.0)]
    records.append(end("0000", None, state="failed", message="no \x00 memory"))
    assert ask(records, columns, "trials") == [
        ("0000", 0, "failed", 1, None, None, 0, 1.0, 2.0, "no \\x00 memory"),
        ("b", 1, "completed", 1, 0.5, 0, 3, 2.0, 3.0, None),
    ]


def test_values_are_stored_as_text_and_as_numbers_where_possible(ask):
    values = {"act": "relu", "rate": 0.1, "units": 2**60, "on": True, "no": None, "huge": 10**400}
    found = ask([create("0000", **values)], "name, value, number", "trial_values")
    assert found == [
        ("act", "relu", None),
        ("huge", str(10**400), None),
        ("no", None, None),
        ("on", "true", 1.0),
        ("rate", "0.1", 0.1),
        ("units", str(2**60), 2.0**60),
    ]


def test_values_found_during_the_build_are_stored_at_the_end(ask):
    records = [create("0000", units=8), end("0000", 1.0, units=8, depth=2)]
    assert ask(records, "name, number", "trial_values") == [("depth", 2.0), ("units", 8.0)]


def test_nan_and_infinities_are_null_with_their_name(ask):
    metrics = {"a": 0.5, "b": "nan", "c": "inf", "d": "-inf"}
    found = ask([create("0000"), report("0000", 0, **metrics)], "*", "epoch_metrics")
    assert [row[4:] for row in found] == [
        ("a", 0.5, None),
        ("b", None, "nan"),
        ("c", None, "inf"),
        ("d", None, "-inf"),
    ]


def test_step_that_does_not_follow_the_last_begins_an_execution(ask):
    steps = [0, 1, 3, 0, 0, 5, 5]
    records = [create("0000"), *(report("0000", step, cost=1.0) for step in steps)]
    assert ask(records, "execution, epoch", "epoch_metrics") == [
        *[(0, 0), (0, 1), (0, 3), (1, 0), (2, 0), (2, 5), (3, 5)]
    ]
    assert ask([], "epochs", "trials") == [(4 + 1 + 6 + 6,)]


def test_new_attempt_keeps_nothing_of_the_last_one(ask):
    records = [
        create("0000", units=8),
        report("0000", 0, cost=9.0),
        end("0000", None, state="waiting", message="crashed", results={"auc": 0.1}, units=8),
        create("0000", t=5.0, units=8),
        report("0000", 0, cost=1.0),
    ]
    assert ask(records, "execution, epoch, value", "epoch_metrics") == [(0, 0, 1.0)]
    assert ask([], "*", "trial_results") == []
    columns = "number, state, attempt, epochs, began, ended, message"
    assert ask([], columns, "trials") == [(0, "running", 2, 1, 5.0, None, None)]


def test_resumed_trial_keeps_its_epochs(ask):
    columns = "state, attempt, score, epochs, ended"
    records = [create("0000", rate=0.1), report("0000", 0, cost=2.0), end("0000", 2.0)]
    records.append({"kind": "resume", "trial": "0000", "until": 3, "values": {"rate": 0.2}})
    assert ask([*records, report("0000", 1, cost=1.0)], columns, "trials") == [
        ("running", 1, None, 2, None)
    ]
    assert ask([], "epoch, value", "epoch_metrics") == [(0, 2.0), (1, 1.0)]
    assert ask([], "name, number", "trial_values") == [("rate", 0.2)]
    again = [{**create("0000", rate=0.2), "kept": 1}, report("0000", 1, cost=0.5)]
    assert ask(again, "attempt, execution, epoch, epochs", "trials") == [(2, 0, 1, 2)]
    assert ask([], "epoch, value", "epoch_metrics") == [(0, 2.0), (1, 0.5)]


def test_metrics_that_come_with_the_end_are_results(ask):
    records = [create("0000"), end("0000", 1.0, results={"auc": 0.9, "f1": "nan"})]
    found = ask(records, "name, value, nonfinite", "trial_results")
    assert found == [("auc", 0.9, None), ("f1", None, "nan")]


def test_other_kinds_and_unknown_trials_change_nothing(ask):
    records = [{"kind": "space", "x": 1}, {"kind": "of the future"}, {"no": "kind"}]
    records += [report("0009", 0, cost=1.0), end("0009", 1.0)]
    assert ask(records, "*", "trials") == []


def test_rebuild_restores_changed_and_deleted_rows(url, project, database, ask):
    before = ask([*search(), end("0001", 0.5, results={"auc": 1.0})], "*", "trials")
    kept = {t: ask([], "*", t) for t in ("trial_values", "epoch_metrics", "trial_results")}
    mine = f"project = (SELECT id FROM kte_projects WHERE name = '{project}')"
    for table in kept:
        rows(url, f"DELETE FROM kte_{table} WHERE {mine}")
    rows(url, f"UPDATE kte_trials SET score = 0, state = 'x' WHERE {mine}")
    database.rebuild()
    assert ask([], "*", "trials") == before
    assert {table: ask([], "*", table) for table in kept} == kept


def test_unknown_field_of_a_newer_version_changes_nothing(ask):
    begun, reported = create("0000", units=8), report("0000", 0, cost=1.0)
    newer = [{**record, "of_the_future": 1} for record in (begun, reported, end("0000", 1.0))]
    found = ask(newer, "state, score, epochs", "trials")
    assert found == [("completed", 1.0, 1)]


def test_record_that_lacks_a_field_is_not_written(url, project, database, ask):
    records = [*search(), {"kind": "note"}]
    before = ask(records, "*", "trials")
    with pytest.raises(StorageError, match=r"kind 'end' lacks a field: .*'state'"):
        database.append({"kind": "end", "trial": "0000"})
    assert list(database.read()) == records
    assert ask([], "*", "trials") == before


def test_unknown_kind_is_stored_for_a_newer_version(database):
    records = [PROJECT, {"kind": "of the future", "trial": "0000"}]
    for record in records:
        database.append(record)
    assert list(database.read()) == records


@pytest.fixture
def recorded(tmp_path):
    """The URL of a copy of a database that an earlier version has written."""
    shutil.copy(RECORDED, tmp_path / "runs.db")
    return f"sqlite:///{tmp_path}/runs.db"


def dump(url):
    return {t: sorted(map(str, rows(url, f"SELECT * FROM kte_{t}"))) for t in TABLES}


def schema(url):
    return sorted(rows(url, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_rebuilt_tables_of_an_old_database_are_the_old_ones(recorded):
    before = dump(recorded)
    assert before["trials"]
    with Database(recorded, "project", SearchTables()) as database:
        database.rebuild()
    assert dump(recorded) == before


def test_new_database_has_the_schema_of_an_old_one(recorded, tmp_path):
    url = f"sqlite:///{tmp_path}/new.db"
    with Database(url, "digits", SearchTables()) as database:
        database.append(PROJECT)
    assert schema(url) == schema(recorded)
    query = "SELECT format FROM kte_format"
    assert rows(url, query) == rows(recorded, query)


def test_search_goes_on_in_the_tables_of_an_old_database(recorded, tmp_path):
    objective = keras_tuner.Objective("cost", "max")
    oracle = kte.ASHAOracle(objective, max_epochs=4, sampler="random", seed=3)
    oracle.use_storage(recorded)
    oracle._set_project_dir(str(tmp_path), "project")
    oracle.reload()
    oracle.open_session()
    trial = oracle.create_trial("worker")
    oracle.close_session()
    query = f"SELECT state FROM kte_trials WHERE trial = '{trial.trial_id}'"
    assert rows(recorded, query) == [("running",)]


trials = st.sampled_from(["0000", "0001"])
number = st.sampled_from([0.0, 1.5, "nan", "inf", "-inf"])
metrics = st.dictionaries(st.sampled_from("ab"), number, max_size=2)
events = st.one_of(
    trials.map(create),
    st.builds(lambda trial, step, m: report(trial, step, **m), trials, st.integers(0, 3), metrics),
    st.builds(lambda trial, score: end(trial, score), trials, st.none() | st.floats(-1, 1)),
)


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(events, max_size=20))
def test_epoch_metrics_equal_those_computed_from_the_records(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("tables")
    with Database(f"sqlite:///{folder}/runs.db", "digits", SearchTables()) as database:
        for record in records:
            database.append(record)
        curves = (
            rows(
                f"sqlite:///{folder}/runs.db",
                "SELECT trial, execution, epoch, name, coalesce(value, nonfinite) "
                "FROM kte_epoch_metrics",
            )
            if records
            else []
        )
    assert sorted(map(str, curves)) == sorted(map(str, rows_of_epochs(records)))


def rows_of_epochs(records):
    """Yield the rows of epoch metrics, computed in plain Python."""
    runs = {}
    for record in records:
        if record["kind"] == "create":
            runs[record["trial"]] = []
        if record["kind"] == "report" and record["trial"] in runs:
            executions = runs[record["trial"]]
            if not executions or record["step"] <= max(executions[-1]):
                executions.append({})
            executions[-1][record["step"]] = record["metrics"]
    for trial, executions in runs.items():
        for number, run in enumerate(executions):
            for epoch, metrics in run.items():
                for name, value in metrics.items():
                    yield (trial, number, epoch, name, value)
                    assert isinstance(value, str) or math.isfinite(value)


def test_a_trial_of_elsewhere_is_a_row_with_its_epochs(ask):
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, 1.0)
    state = SearchState(keras_tuner.Objective("cost", "min"), hp)
    event = added_trial({"x": 0.5}, 0.25, [0.5, math.nan, 0.25], state, 0.0)
    record = to_record(event)
    assert ask([record], "trial, state, score, best_epoch, epochs", "trials") == [
        ("0000", "completed", 0.25, 2, 3)
    ]
    assert ask([], "epoch, value, nonfinite", "epoch_metrics") == [
        (0, 0.5, None),
        (1, None, "nan"),
        (2, 0.25, None),
    ]
    assert ask([], "name, number", "trial_values") == [("x", 0.5)]
