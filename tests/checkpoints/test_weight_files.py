from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, lists

from kt_extras.checkpoints.weight_files import WeightFiles


def path_of(trial_id):
    return f"trial_{trial_id}/checkpoint.weights.h5"


def write(trial_id, *endings):
    for ending in endings or ("",):
        path = Path(path_of(trial_id) + ending)
        path.parent.mkdir(exist_ok=True)
        path.write_text("weights")


def kept():
    return sorted(path.parent.name[6:] for path in Path().glob("trial_*/checkpoint.weights.h5"))


def ends(losses):
    return [(str(number), number, loss) for number, loss in enumerate(losses)]


def run(keep, losses):
    """Write and end trials with these losses; return those that still have weights."""
    checkpoints = WeightFiles(keep, path_of)
    for end in ends(losses):
        write(end[0])
        checkpoints.trial_ended(*end)
    return kept()


@pytest.mark.parametrize(
    ("keep", "left"),
    [("best", ["3"]), (1, ["3"]), (2, ["1", "3"]), ("all", list("01234")), ("none", [])],
)
def test_the_best_trials_keep_their_weights(keep, left):
    assert run(keep, [3.0, 2.0, 9.0, 1.0, 5.0]) == left


def test_of_equal_trials_the_first_keeps_its_weights():
    assert run(2, [1.0, 1.0, 1.0]) == ["0", "1"]


def test_a_trial_without_a_score_keeps_nothing():
    assert run(9, [1.0, float("inf"), float("nan")]) == ["0"]


@given(losses=lists(floats(allow_nan=False, allow_infinity=False)), keep=integers(1, 5))
def test_the_kept_trials_are_the_first_of_a_sort_whenever_one_tidies(losses, keep):
    wanted = sorted(range(len(losses)), key=lambda number: (losses[number], number))[:keep]
    checkpoints, removed = WeightFiles(keep, path_of), []
    checkpoints._remove = removed.append
    for end in ends(losses):
        checkpoints.trial_ended(*end)
    assert set(removed) == {str(n) for n in range(len(losses))} - {str(n) for n in wanted}
    again = list(removed)
    removed.clear()
    checkpoints.tidy(ends(losses))
    assert sorted(removed) == sorted(again)


def test_files_of_a_crashed_process_are_removed_on_resume():
    for trial_id in "0123":
        write(trial_id)
    WeightFiles(1, path_of).tidy(ends([2.0, 1.0]))
    assert kept() == ["1", "2", "3"]  # the last two have not ended


def test_other_files_are_not_removed():
    write("0", "", ".index", ".data-00000-of-00001", ".mine", ".index.mine")
    Path("trial_0/trial.json").write_text("{}")
    assert run("none", [1.0]) == []
    left = {path.name for path in Path("trial_0").iterdir()}
    assert left == {"trial.json", "checkpoint.weights.h5.mine", "checkpoint.weights.h5.index.mine"}


@pytest.mark.parametrize("keep", [0, -1, 1.5, True, "some", None])
def test_any_other_rule_is_refused(keep):
    with pytest.raises(ValueError, match="`keep_checkpoints` must be a number of trials from 1"):
        WeightFiles(keep, path_of)
