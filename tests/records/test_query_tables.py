import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kt_extras.storage.database import Database
from tests.storage.queries import rows
from tests.storage.search import PROJECT, create, end, report, search

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


def test_the_best_trials_are_a_query(url, project, database):
    for record in search(trials=4):
        database.append(record)
    assert rows(url, BEST.format(project=project)) == [("0003", 0.2), ("0002", 0.25)]


def test_a_project_has_its_objective_and_its_seed(url, project, database):
    database.append({**PROJECT, "seed": 2**70})
    database.append({**PROJECT, "objective": "loss (min)", "seed": 2**70})
    found = rows(url, f"SELECT objective, seed, records FROM kte_projects WHERE name = '{project}'")
    assert found == [("loss (min)", str(2**70), 2)]


def test_a_trial_is_a_row_from_its_beginning(ask):
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


def test_values_are_text_and_where_they_can_be_numbers(ask):
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


def test_values_that_come_to_light_in_the_build_are_there_at_the_end(ask):
    records = [create("0000", units=8), end("0000", 1.0, units=8, depth=2)]
    assert ask(records, "name, number", "trial_values") == [("depth", 2.0), ("units", 8.0)]


def test_what_is_no_finite_number_is_null_and_named(ask):
    metrics = {"a": 0.5, "b": "nan", "c": "inf", "d": "-inf"}
    found = ask([create("0000"), report("0000", 0, **metrics)], "*", "epoch_metrics")
    assert [row[4:] for row in found] == [
        ("a", 0.5, None),
        ("b", None, "nan"),
        ("c", None, "inf"),
        ("d", None, "-inf"),
    ]


def test_a_step_that_does_not_go_on_begins_a_new_execution(ask):
    steps = [0, 1, 3, 0, 0, 5, 5]
    records = [create("0000"), *(report("0000", step, cost=1.0) for step in steps)]
    assert ask(records, "execution, epoch", "epoch_metrics") == [
        *[(0, 0), (0, 1), (0, 3), (1, 0), (2, 0), (2, 5), (3, 5)]
    ]
    assert ask([], "epochs", "trials") == [(4 + 1 + 6 + 6,)]


def test_a_new_attempt_keeps_nothing_of_the_last_one(ask):
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


def test_a_trial_that_is_resumed_runs_on_with_its_epochs(ask):
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


def test_records_of_other_kinds_and_of_unknown_trials_change_nothing(ask):
    records = [{"kind": "space", "x": 1}, {"kind": "of the future"}, {"no": "kind"}]
    records += [report("0009", 0, cost=1.0), end("0009", 1.0)]
    assert ask(records, "*", "trials") == []


def test_what_was_tampered_with_is_made_anew(url, project, database, ask):
    before = ask([*search(), end("0001", 0.5, results={"auc": 1.0})], "*", "trials")
    kept = {t: ask([], "*", t) for t in ("trial_values", "epoch_metrics", "trial_results")}
    mine = f"project = (SELECT id FROM kte_projects WHERE name = '{project}')"
    for table in kept:
        rows(url, f"DELETE FROM kte_{table} WHERE {mine}")
    rows(url, f"UPDATE kte_trials SET score = 0, state = 'x' WHERE {mine}")
    database.rebuild()
    assert ask([], "*", "trials") == before
    assert {table: ask([], "*", table) for table in kept} == kept


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
def test_the_tables_are_the_fold_of_the_records(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("fold")
    with Database(f"sqlite:///{folder}/runs.db", "digits") as database:
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
    assert sorted(map(str, curves)) == sorted(map(str, fold(records)))


def fold(records):
    """Tell the same story in plain Python, as the ledger of a search does."""
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
