"""Asking for points and telling what has come of them, without Keras."""

import math
import subprocess
import sys

import pytest

import kt_extras as kte
from kt_extras.search import Choice, Condition, Float, Int, SpaceExhausted
from kt_extras.storage.lock import ProjectInUseError

SPACE = [Float("x", -1, 1), Int("n", 1, 8)]


def loss(trial):
    return trial["x"] ** 2 + trial["n"]


def values_of(study):
    return [trial.values for trial in study.search_data().trials]


def test_neither_keras_nor_tensorflow_is_loaded():
    program = (
        "import sys, kt_extras as kte\n"
        "from kt_extras.search import Float\n"
        "study = kte.Study([Float('x', 0, 1)], seed=0)\n"
        "study.optimize(lambda trial: trial['x'], trials=12)\n"
        "print(study.best_trial.score < 0.3, {'keras', 'tensorflow'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "True set()\n", done.stderr


@pytest.mark.parametrize("sampler", [kte.samplers.TPE(), kte.samplers.Random()])
def test_a_study_that_goes_on_asks_as_one_that_never_ended(sampler, tmp_path):
    whole = kte.Study(SPACE, seed=3, sampler=sampler)
    whole.optimize(loss, trials=30)
    with kte.Study(SPACE, seed=3, sampler=sampler, directory=tmp_path) as study:
        study.optimize(loss, trials=13)
    with kte.Study(SPACE, sampler=sampler, directory=tmp_path) as study:
        study.optimize(loss, trials=17)
    assert values_of(study) == values_of(whole)
    assert study.best_trial.number == whole.best_trial.number


def test_a_study_is_loaded_as_a_search_is(tmp_path):
    space = [
        Choice("kind", ("a", "b")),
        Float("rate", 1e-3, 1e-1, sampling="log", conditions=(Condition("kind", ("a",)),)),
        Int("units", 2, 64, step=2, sampling="log"),
    ]
    with kte.Study(space, {"error": "min"}, seed=0, directory=tmp_path) as study:
        for number in range(4):
            trial = study.ask()
            for step in range(3):
                trial.report({"error": 1 / (step + number + 1), "size": 3.0}, step)
            study.tell(trial, state="pruned" if number == 3 else "completed")
        study.tell(study.ask(), state="infeasible")
    loaded = kte.load(tmp_path / "study")
    assert loaded.search_data().trials == study.search_data().trials
    assert loaded.search_data().space == study.space
    assert [row["state"] for row in loaded.results()] == [
        *["completed"] * 3,
        "pruned",
        "infeasible",
    ]


def test_a_trial_can_be_told_by_its_number_in_a_later_process(tmp_path):
    with kte.Study(SPACE, seed=0, directory=tmp_path) as study:
        number = study.ask().number
    with kte.Study(SPACE, directory=tmp_path) as study:
        study.tell(number, 0.5)
        assert study.best_trial.score == 0.5


def test_enqueued_points_are_tried_first_also_later(tmp_path):
    with kte.Study(SPACE, seed=0, directory=tmp_path) as study:
        study.enqueue({"n": 7})
        study.enqueue({"n": 8})
        assert study.ask()["n"] == 7
    with kte.Study(SPACE, directory=tmp_path) as study:
        assert study.ask()["n"] == 8


def test_the_best_trial_of_a_maximised_objective_has_the_highest_score():
    study = kte.Study(SPACE, {"gain": "max"}, seed=0)
    study.optimize(lambda trial: trial["x"], trials=15)
    assert study.best_trial.score == max(trial.score for trial in study.search_data().trials)


def test_several_objectives_are_compared_by_dominance():
    study = kte.Study([Float("x", 0, 1), Float("y", 0, 1)], {"a": "min", "b": "min"}, seed=0)
    study.optimize(lambda t: {"a": t["x"] + t["y"], "b": 1 - t["x"] + t["y"]}, trials=60)
    assert study.best_trial.values["y"] < 0.25
    assert 0 < study.best_trial.values["x"] < 1


def test_a_constraint_keeps_others_behind():
    study = kte.Study([Float("x", 0, 1)], constraints=["size <= 0.5"], seed=0)
    study.optimize(lambda t: {"loss": -t["x"], "size": t["x"]}, trials=30)
    assert 0.3 < study.best_trial.values["x"] <= 0.5


def test_a_pruner_stops_what_is_worse_than_the_median():
    study = kte.Study(SPACE, pruner=kte.MedianPruner(n_startup_trials=3), seed=0)
    for level in (1.0, 2.0, 3.0):
        trial = study.ask()
        assert not trial.report(level)
        study.tell(trial, level)
    assert study.ask().report(2.5)
    assert not study.ask().report(1.5)


def test_a_function_that_raises_makes_its_trial_infeasible():
    def function(trial):
        if trial.number < 2:
            raise ValueError("no")
        return 1.0

    study = kte.Study(SPACE, seed=0)
    study.optimize(function, trials=3)
    states = [trial.state for trial in study.search_data().trials]
    assert states == ["infeasible", "infeasible", "completed"]


def test_a_nan_outcome_is_infeasible():
    study = kte.Study(SPACE, seed=0)
    study.tell(study.ask(), math.nan)
    assert study.search_data().trials[0].state == "infeasible"


def test_a_finite_space_ends():
    study = kte.Study([Choice("c", (1, 2, 3))], seed=0)
    study.optimize(lambda trial: trial["c"], trials=10)
    assert len(study.trials) == 3
    with pytest.raises(SpaceExhausted):
        study.ask()


def test_one_process_at_a_time_goes_on_with_a_study(tmp_path):
    with kte.Study(SPACE, directory=tmp_path), pytest.raises(ProjectInUseError):
        kte.Study(SPACE, directory=tmp_path)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: kte.Study(SPACE, {"a": "up"}), ValueError, "'min' or 'max'"),
        (lambda: kte.Study(SPACE, ["a"]), TypeError, "must be a dictionary"),
        (lambda: kte.Study(SPACE, sampler="tpe"), TypeError, "sampler"),
        (lambda: kte.Study(SPACE, seed=-1), ValueError, "seed"),
        (
            lambda: kte.Study(
                SPACE, {"a": "min", "b": "min"}, pruner=kte.ThresholdPruner(upper=1.0)
            ),
            ValueError,
            "compare trials with each other",
        ),
        (lambda: kte.Study(SPACE).tell(3, 1.0), KeyError, "must be one of the 0"),
        (lambda: kte.Study(SPACE).enqueue({"z": 1}), ValueError, "no hyperparameter 'z'"),
    ],
)
def test_wrong_arguments_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_trial_is_told_once_and_with_all_objectives():
    study = kte.Study(SPACE, {"a": "min", "b": "max"}, seed=0)
    trial = study.ask()
    with pytest.raises(ValueError, match=r"\['b'\] are missing"):
        study.tell(trial, {"a": 1.0})
    study.tell(trial, {"a": 1.0, "b": 2.0})
    with pytest.raises(ValueError, match="told before"):
        study.tell(trial, {"a": 1.0, "b": 2.0})


def test_other_objectives_than_on_record_are_refused(tmp_path):
    with kte.Study(SPACE, seed=0, directory=tmp_path) as study:
        study.tell(study.ask(), 1.0)
    with pytest.raises(ValueError, match="must be those on record"):
        kte.Study(SPACE, {"gain": "max"}, directory=tmp_path)


def test_constraints_that_are_left_out_when_a_study_goes_on_are_no_more_on_record(tmp_path):
    with kte.Study(SPACE, constraints=["loss <= 1"], seed=0, directory=tmp_path) as study:
        study.optimize(loss, trials=2)
    with kte.Study(SPACE, directory=tmp_path) as study:
        assert not study.search_data().constraints
