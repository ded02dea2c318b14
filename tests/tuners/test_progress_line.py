"""What a search prints: in a terminal, in a notebook and in a file."""

import contextlib
import io

import pytest

import kt_extras as kte
from kt_extras.tuners import progress_line
from kt_extras.tuners.progress_line import ProgressLine, Status
from tests.tuners.models import VALIDATION, X, Y, build
from tests.tuners.scheduled import FIT, asha, pbt

STATUS = Status("val_accuracy", "0.97254", ("104 epochs", "12 promoted", "1 exploit", "3 failed"))
CELLS = ("0", "completed", "0.5", "3", "1.2", "units=4")


class Terminal(io.StringIO):
    def isatty(self):
        return True

    @property
    def drawn(self):
        return [line.strip() for line in self.getvalue().replace("\n", "\r").split("\r")]


def terminal(monkeypatch, columns):
    monkeypatch.setattr("sys.stdout", stream := Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "24")
    return stream


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        (160, ["|--", "best val_accuracy 0.97254", *STATUS.counts]),
        (80, ["epoch 123/456", "best 0.97254", *STATUS.counts[1:]]),
        (65, ["epoch 123/456", "best 0.97254", *STATUS.counts[-2:]]),
    ],
)
def test_the_line_fits_the_terminal_and_keeps_what_matters_most(monkeypatch, columns, parts):
    stream = terminal(monkeypatch, columns)
    line = ProgressLine("epoch", 456, 0, visible=True)
    line.show(STATUS)
    line.advance(123, 456)
    line.close()
    assert max(map(len, stream.drawn)) < columns
    assert all(part in stream.drawn[-2] for part in parts)


def test_lines_of_trials_stay_above_the_line_of_a_terminal(monkeypatch):
    stream = terminal(monkeypatch, 80)
    line = ProgressLine("trial", 3, 0, visible=True)
    line.trial("trial 0 completed", CELLS)
    line.show(STATUS)
    line.close()
    assert "00:00 trial 0 completed\n" in stream.getvalue()


def test_a_file_gets_one_line_a_trial_and_the_progress_at_the_end(capsys):
    line = ProgressLine("trial", 2, 0, visible=True)
    for number in range(2):
        for _ in range(3):
            line.show(STATUS)
        line.trial(f"trial {number} completed", CELLS)
        line.advance(number + 1, 2)
    line.close()
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "00:00 trial 0 completed"
    assert second == "00:00 trial 1 completed"
    assert last.startswith("trial 2/2 |----")
    assert last.endswith("best val_accuracy 0.97254, " + ", ".join(STATUS.counts))


class Notebook(io.StringIO):
    __module__ = "ipykernel.iostream"


class Handle:
    def __init__(self, shown):
        self.outputs = [shown]

    def update(self, shown):
        self.outputs.append(shown)


def test_a_notebook_gets_one_table_that_is_replaced(monkeypatch):
    handles = []

    def display(shown, display_id):
        assert display_id is True
        handles.append(Handle(shown))
        return handles[-1]

    ipython = pytest.importorskip("IPython")
    monkeypatch.setattr(ipython.display, "display", display)
    monkeypatch.setattr("sys.stdout", stream := Notebook())
    line = ProgressLine("trial", 30, 0, visible=True)
    for number in range(30):
        line.show(STATUS)
        line.trial("", (str(number), *CELLS[1:]), 0.1 * number)
        line.advance(number + 1, 30)
    line.close()
    [handle] = handles
    assert stream.getvalue() == ""
    shown = handle.outputs[-1]
    assert repr(shown).splitlines()[0].startswith("trial 30/30 |")
    assert len(repr(shown).splitlines()) == 2 + 20
    assert shown._repr_html_().count("<tr>") == 1 + 20
    assert "<td>29</td><td>completed</td><td>0.5</td>" in shown._repr_html_()
    assert "best score so far (lowest 0, highest 2.9)" in shown._repr_html_()


def test_a_trial_that_ends_again_has_one_row_in_a_notebook():
    table = progress_line._NotebookTable()
    for state in ("paused", "completed"):
        table.add(("0", state, *CELLS[2:]))
    assert [row[1] for row in table._rows] == ["completed"]


def fails_often(hp):
    if hp.Boolean("broken"):
        raise ValueError("the layers do not fit")
    return build(hp)


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """Return a tuner of which all trials but the first have failed, and what it has printed."""
    tuner = kte.TPE(
        fails_often, "val_accuracy", max_trials=4, max_consecutive_failed_trials=9, seed=0,
        directory=tmp_path_factory.mktemp("runs"),
    )  # fmt: skip
    for broken in (False, True, True, True):
        tuner.enqueue({"broken": broken})
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        tuner.search(X, Y, validation_data=VALIDATION, epochs=2)
    return tuner, printed.getvalue().splitlines()


def test_each_trial_has_a_line_with_all_that_is_known_of_it(failing):
    tuner, lines = failing
    row = tuner.results()[0]
    score, rate = f"{row['score']:.5g}", f"{row['rate']:.4g}"
    assert f"trial 0 completed: val_accuracy {score}, best {score}, 2 epochs, " in lines[0]
    assert f"s, broken=False, units={row['units']}" in lines[0]
    assert f"rate={rate}" in lines[0]
    assert "trial 1 failed: ValueError: the layers do not fit, best" in lines[1]


def test_the_first_failure_is_shown_at_once_with_its_place(failing):
    _, lines = failing
    assert lines[2] == "  ValueError: the layers do not fit"
    assert "test_progress_line.py" in lines[3]
    second = next(number for number, line in enumerate(lines) if "trial 2 failed" in line)
    assert "trial 3 failed" in lines[second + 1]


def test_the_end_of_a_search_says_how_many_trials_failed_and_why(failing):
    _, lines = failing
    ending = next(number for number, line in enumerate(lines) if "Search ended" in line)
    assert lines[ending - 1].endswith("3 failed")
    assert lines[ending + 1] == "Of 4 trials: 3 failed.  Trial 1 said:"
    assert lines[ending + 2] == "  ValueError: the layers do not fit"
    assert "test_progress_line.py" in lines[ending + 3]


def test_infeasible_trials_are_called_so_in_the_line_and_in_the_table(capsys):
    tuner = kte.TPE(build, "val_accuracy", max_trials=2, max_model_size=10, seed=0)
    capsys.readouterr()
    tuner.search(X, Y, validation_data=VALIDATION, epochs=2)
    lines = capsys.readouterr().out.splitlines()
    states = [row["state"] for row in tuner.results()]
    assert states[0] == "infeasible"
    assert "trial 0 infeasible: " in lines[0]
    assert any(line.startswith("trial 2/2") and "2 infeasible" in line for line in lines)


def test_a_search_in_which_all_fail_says_so_when_its_best_is_asked_for():
    class Broken(kte.Tuner):
        def run_trial(self, trial):
            trial.hyperparameters.Int("units", 1, 9)
            raise ValueError("the layers do not fit")

    tuner = Broken(kte.TPEOracle("val_accuracy", max_trials=2, seed=0))
    tuner.search(verbose=0)
    for best in (
        tuner.get_best_models(),
        tuner.get_best_hyperparameters(),
        tuner.oracle.get_best_trials(),
    ):
        assert best == []
        with pytest.raises(
            IndexError, match=r"No trial has a score\.  Of 2 trials: 2 failed(?s:.*)not fit"
        ):
            best[0]


def test_the_best_before_a_search_is_an_empty_list_that_says_so():
    tuner = kte.TPE(build, "val_accuracy", max_trials=2, seed=0)
    with pytest.raises(IndexError, match="No trial has been run yet"):
        tuner.get_best_models()[0]


@pytest.mark.slow
def test_members_of_a_population_are_counted_by_exploits_not_promotions(tmp_path, capsys):
    tuner = pbt(tmp_path, max_epochs=4)
    capsys.readouterr()
    tuner.search(**FIT)
    lines = capsys.readouterr().out.splitlines()
    ended = [line for line in lines if " completed: " in line]
    assert len(ended) == 4
    assert any("epoch 16/16" in line for line in lines[-4:])
    assert not any("promoted" in line or "paused" in line for line in lines)


@pytest.mark.slow
def test_pauses_of_successive_halving_have_lines_of_their_own(tmp_path, capsys):
    tuner = asha(tmp_path)
    capsys.readouterr()
    tuner.search(**FIT)
    lines = capsys.readouterr().out.splitlines()
    assert any(" paused: val_loss " in line and "1 epoch, " in line for line in lines)
    assert any(" completed: val_loss " in line and "4 epochs, " in line for line in lines)
