"""The commands of `python -m kt_extras`."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kt_extras.__main__ import main
from kt_extras.analysis.search_data import SearchData, Target, TrialData
from kt_extras.commands.comparing import best_so_far, comparison
from kt_extras.commands.showing import _lines
from kt_extras.commands.text_table import text_table
from kt_extras.search import Int, Space

RECORDED = Path(__file__).parent.parent / "records" / "recorded"


@pytest.fixture
def runs(tmp_path):
    """Return a directory with the projects of earlier versions."""
    for kind in ("tpe", "asha", "pbt"):
        (tmp_path / "runs" / kind).mkdir(parents=True)
        shutil.copy(RECORDED / f"{kind}.jsonl", tmp_path / "runs" / kind / "journal.jsonl")
    return tmp_path / "runs"


def printed(capsys, *arguments):
    """Return what a command prints, which must succeed."""
    status = main([str(argument) for argument in arguments])
    found = capsys.readouterr()
    assert (status, found.err) == (0, "")
    return found.out


def refused(capsys, *arguments):
    """Return what a command says that fails."""
    status = main([str(argument) for argument in arguments])
    found = capsys.readouterr()
    assert (status, found.out) == (1, "")
    assert "Traceback" not in found.err
    return found.err


def test_show_says_what_was_searched_and_found(runs, capsys):
    text = printed(capsys, "show", runs / "tpe")
    assert text.startswith("tpe: maximises cost\n26 trials (7 completed, 6 pruned, ")
    for title in ("Hyperparameters", "Best trials", "Running or waiting", "Failures"):
        assert f"\n\n{title}\n" in text
    assert "one of 'a', 'b'" in text
    best = text.partition("Best trials\n")[2].splitlines()
    assert best[0].split()[:4] == ["trial", "state", "score", "x"]
    assert best[1].split()[:3] == ["5", "completed", "0.96798"]
    assert "trial 18 (infeasible): The objective came out as nan." in text
    assert "and 1 earlier one" in text


def test_show_shows_as_many_trials_as_asked(runs, capsys):
    text = printed(capsys, "show", "--trials", 2, runs / "tpe")
    assert len(text.partition("Best trials\n")[2].partition("\n\n")[0].splitlines()) == 3
    assert "from 0, got -1" in refused(capsys, "show", "--trials", -1, runs / "tpe")


@pytest.mark.parametrize("width", [40, 60, 120])
def test_show_fits_the_terminal(width, runs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = printed(capsys, "show", runs / "tpe").splitlines()
    assert max(map(len, lines)) <= width
    assert ("(too wide for:" in "".join(lines)) == (width < 80)


def test_show_prints_json(runs, capsys):
    found = json.loads(printed(capsys, "show", "--json", runs / "tpe"))
    assert found["objectives"] == [{"name": "cost", "direction": "max"}]
    assert (found["trials"], found["states"]["pruned"], found["epochs"]) == (26, 6, 55)
    assert found["best"][0]["score"] == pytest.approx(0.96798, abs=1e-5)
    assert found["best"][0]["values"]["c"] == "b"
    assert [row["trial"] for row in found["running"]] == [24]
    assert len(found["failures"]) == 6


def test_show_answers_without_tensorflow(runs):
    script = (
        "import sys; from kt_extras.__main__ import main; status = main(['show', sys.argv[1]])\n"
        "heavy = {'tensorflow', 'keras', 'keras_tuner', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(status or (f'{heavy} was loaded' if heavy else 0))"
    )
    command = [sys.executable, "-c", script, runs / "tpe"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "runs"], "There are the projects 'asha', 'pbt', 'tpe'."),
        (["show", "runs/none"], "must name a search of kt_extras"),
        (["compare", "runs/tpe", "runs/none"], "must name a search of kt_extras"),
        (["export", "runs/tpe"], "needs --csv, --parquet, --json or --optuna"),
        (["export", "runs/tpe", "--csv", "."], "`path` must be the path of a file"),
        (["export", "runs/tpe", "--json", "."], "`--json` must be the path of a file"),
        (["plot", "history", "runs/tpe", "--output", "."], "`--output` must be the path of a file"),
        (["plot", "spiral", "runs/tpe", "--output", "a.png"], "`KIND` must be one of contour"),
        (["show", "--storage", "none.db", "tpe"], "`storage` must be a URL"),
        (["show", "postgresql://ada:s3cret@host/runs"], "beside `--storage URL`, got a URL."),
        (["export", "runs/tpe", "--optuna", "sqlite:////none/a.db"], "`storage` must be the URL"),
    ],
)
def test_a_wrong_argument_is_said_in_one_text(arguments, said, runs, capsys, monkeypatch):
    monkeypatch.chdir(runs.parent)
    assert said in refused(capsys, *arguments)


def test_export_writes_files(runs, capsys, tmp_path):
    rows, whole = tmp_path / "new" / "trials.csv", tmp_path / "new" / "search.json"
    assert printed(capsys, "export", runs / "tpe", "--csv", rows, "--json", whole) == ""
    with open(rows, newline="") as file:
        assert [row["number"] for row in csv.DictReader(file)] == [str(n) for n in range(26)]
    trials = json.loads(whole.read_text())["trials"]
    assert trials[5]["score"] == pytest.approx(0.96798, abs=1e-5)
    assert trials[5]["executions"][0]["steps"] == [0, 1, 2, 3]


def test_export_makes_a_study_of_optuna(runs, capsys, tmp_path):
    optuna = pytest.importorskip("optuna")
    url = f"sqlite:///{tmp_path}/study.db"
    printed(capsys, "export", runs / "asha", "--optuna", url)
    assert len(optuna.load_study(study_name="asha", storage=url).trials) == 28


@pytest.mark.parametrize("kind", ["history", "contour"])
def test_plot_writes_a_picture(kind, runs, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    printed(capsys, "plot", kind, runs / "tpe", "--output", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_report_writes_a_page(runs, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    printed(capsys, "report", runs / "tpe", "--output", tmp_path / "a.html")
    assert "<html" in (tmp_path / "a.html").read_text()


def test_compare_puts_searches_side_by_side(runs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    lines = printed(capsys, "compare", *(runs / kind for kind in ("tpe", "asha", "pbt")))
    head, *rows = lines.splitlines()
    assert head.split()[:3] == ["project", "searched", "best"]
    assert [row.split()[0] for row in rows] == ["tpe", "asha", "pbt"]
    found = json.loads(printed(capsys, "compare", "--json", runs / "tpe", runs / "asha"))
    assert [row["trials"] for row in found] == [26, 28]
    assert found[0]["best"] == pytest.approx(0.96798, abs=1e-5)


def trial(number, score, ended, **kwargs):
    given = {"score": score, "objective_values": {"loss": score}, "ended": ended, "epochs": 2}
    return TrialData(number, f"{number:04d}", "completed", {}, **{**given, **kwargs})


def search(name, trials, target=Target("loss", "min"), **kwargs):  # noqa: B008 - a tuple
    return SearchData(name, Space([]), (target,), tuple(trials), **kwargs)


def test_the_best_so_far_follows_the_ends_of_trials():
    trials = [
        trial(0, 3.0, 9.0),
        trial(1, 5.0, 1.0),
        trial(2, 4.0, 2.0),
        trial(3, 1.0, 3.0, violations={"size <= 1": 0.5}),
        trial(4, 0.5, 4.0, bracket=-1),
        trial(5, None, 5.0),
    ]
    assert best_so_far(search("a", trials)) == [5.0, 4.0, 3.0]
    assert best_so_far(search("a", trials, Target("loss", "max"))) == [5.0, 5.0, 5.0]


def test_a_search_without_scores_has_no_best():
    row = comparison([search("a", [trial(0, None, 1.0)]), search("b", [])])[0]
    assert (row["best"], row["trials"]) == (None, 1)


def test_searches_with_other_objectives_are_not_compared_silently(runs, capsys):
    line = (runs / "pbt" / "journal.jsonl").read_bytes()
    assert b"cost" in line
    from kt_extras.storage import Journal

    records = list(Journal(runs / "pbt" / "journal.jsonl").read())
    records[0]["objective"] = 'Objective(name="cost", direction="min")'
    (runs / "pbt" / "journal.jsonl").unlink()
    journal = Journal(runs / "pbt" / "journal.jsonl")
    for record in records:
        journal.append(record)
    assert "objectives differ" in printed(capsys, "compare", runs / "tpe", runs / "pbt")


def test_show_has_columns_in_the_order_of_the_space(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    space = Space([Int("score", 1, 9), Int("depth", 1, 9), Int("rate", 1, 9)])
    trials = [
        TrialData(0, "0000", "completed", {"score": 5, "rate": 2}, 0.25, {"loss": 0.25}),
        TrialData(1, "0001", "completed", {"score": 5, "depth": 3, "rate": 2}, 0.5, {"loss": 0.5}),
        TrialData(2, "0002", "failed", {"score": 5}, message=" \n"),
    ]
    shown = list(_lines(SearchData("a", space, (Target("loss", "min"),), tuple(trials)), 5))
    head = next(line for line in shown if line.startswith("trial  state"))
    assert head.split()[:6] == ["trial", "state", "score", "values.score", "depth", "rate"]
    assert "trial 2 (failed): no message" in shown


def test_a_table_shortens_long_cells_and_aligns_numbers():
    rows = [{"n": 1, "text": "long " * 20, "flag": True}, {"n": 10, "text": None, "flag": False}]
    lines = text_table(rows, width=80)
    assert lines[0].startswith(" n  text")
    assert lines[1].startswith(" 1  long long")
    assert "..." in lines[1]
    assert lines[2].startswith("10  -")
    assert text_table([], width=80) == []
