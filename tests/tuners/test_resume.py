"""Searches that are resumed, with the same program or with a changed one."""

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.bridge.space_change import differences
from kt_extras.search import Choice, Condition, Float, Int, Space


class Sphere(kte.Tuner):
    """Searches the space of `declare`; the cost is the sum of the numbers."""

    def __init__(self, declare, max_trials=4, **kwargs):
        hp = keras_tuner.HyperParameters()
        declare(hp)
        oracle = kte.TPEOracle(max_trials=max_trials, seed=0, hyperparameters=hp)
        super().__init__(oracle, **kwargs)

    def run_trial(self, trial):
        values = trial.hyperparameters.values.values()
        return sum(value for value in values if not isinstance(value, str))


def search(declare, **kwargs):
    tuner = Sphere(declare, **kwargs)
    tuner.search(verbose=0)
    return tuner


def small(hp):
    hp.Int("x", 0, 10)
    hp.Choice("c", ["a", "b"])


@pytest.mark.slow
def test_an_unchanged_program_reports_no_difference(capsys):
    search(small)
    Sphere(small)
    said = capsys.readouterr().out
    assert "4 trials done, 0 to go" in said
    assert "changed" not in said.partition("Resuming")[2]  # the folder may be called anything


@pytest.mark.slow
def test_a_larger_range_is_printed_and_searched(capsys):
    search(small)

    def grown(hp):
        hp.Int("x", 0, 1000)
        hp.Choice("c", ["a", "b"])

    tuner = search(grown, max_trials=30)
    assert "x: 0 to 10, now 0 to 1000" in capsys.readouterr().out
    assert max(row["x"] for row in tuner.results()) > 10
    assert len(tuner.results()) == 30


@pytest.mark.slow
def test_earlier_results_are_kept_when_a_range_is_smaller():
    before = search(small, max_trials=8)

    def shrunk(hp):
        hp.Int("x", 0, 3)
        hp.Choice("c", ["a"])

    after = search(shrunk, max_trials=12)
    assert after.results()[:8] == before.results()
    assert all(row["x"] <= 3 and row["c"] == "a" for row in after.results()[8:])


@pytest.mark.slow
def test_an_added_hyperparameter_is_searched():
    search(small)

    def more(hp):
        small(hp)
        hp.Float("y", 0, 1)

    tuner = search(more, max_trials=8)
    assert ["y" in row for row in tuner.results()] == [False] * 4 + [True] * 4
    assert search(more, max_trials=8).results() == tuner.results()


def test_a_removed_hyperparameter_is_not_searched():
    search(small)
    tuner = search(lambda hp: hp.Int("x", 0, 10), max_trials=8)
    assert ["c" in row for row in tuner.results()] == [True] * 4 + [False] * 4


def test_hyperparameters_found_during_trials_are_kept_after_a_reload():
    class Late(Sphere):
        def run_trial(self, trial):
            return trial.hyperparameters.Float("late", 0.0, 1.0)

    Late(small).search(verbose=0)
    tuner = Late(small, max_trials=8)
    assert "late" in [p.name for p in tuner.oracle.hyperparameters.space]
    tuner.search(verbose=0)
    assert all("late" in row for row in tuner.results())


@pytest.mark.slow
def test_resume_never_refuses_a_project_that_exists():
    search(small, resume="never")
    with pytest.raises(ValueError, match=r"`resume` is 'never'.*`overwrite=True`"):
        Sphere(small, resume="never")
    search(small, resume="never", overwrite=True)


@pytest.mark.slow
def test_resume_must_refuses_a_project_that_does_not_exist():
    with pytest.raises(ValueError, match=r"`resume` is 'must'.*no search"):
        Sphere(small, resume="must")
    search(small)
    assert len(search(small, max_trials=6, resume="must").results()) == 6


def test_an_error_lists_the_values_of_resume_when_it_is_unknown():
    with pytest.raises(ValueError, match="`resume` must be 'auto', 'never' or 'must', got 'yes'"):
        Sphere(small, resume="yes")


@pytest.mark.parametrize(
    ("dimension", "words"),
    [
        (Float("x", 0, 1), "0 to 1"),
        (Float("x", 1e-4, 1e-1, sampling="log"), "0.0001 to 0.1, log"),
        (Int("x", 8, 64, step=2, sampling="log"), "8 to 64, step 2, log"),
        (Choice("x", ("a", 1)), "one of 'a', 1"),
    ],
)
def test_a_new_dimension_is_described(dimension, words):
    assert differences(Space([]), Space([dimension])) == [f"x: new, {words}"]


def test_a_name_under_other_conditions_is_another_hyperparameter():
    parent = Choice("m", ("a", "b"))
    before = Space([parent, Int("u", 1, 2, conditions=(Condition("m", ("a",)),))])
    now = Space([parent, Int("u", 1, 2, conditions=(Condition("m", ("b",)),))])
    assert differences(before, now) == ["u: new, 1 to 2", "u: no longer declared"]
