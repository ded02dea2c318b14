import keras_tuner
import pytest

from kt_extras.schedulers import Hyperband, Population, SuccessiveHalving
from kt_extras.tuners.fit_arguments import check_validation_freq
from tests.tuners.scheduled import FIT, asha, pbt

VALIDATED = keras_tuner.Objective("val_accuracy", "max")


@pytest.mark.parametrize(
    ("scheduler", "frequency", "rungs", "left_out"),
    [
        (SuccessiveHalving(9, 3), 2, "3", "3"),
        (SuccessiveHalving(9), 2, "1, 3", "1, 3"),
        (SuccessiveHalving(9, 1, mode="stopping"), [1, 9], "1, 3", "3"),
        (SuccessiveHalving(3, 3), 4, "3", "3"),
        (Hyperband(9), 3, "1, 3", "1"),
        (Population(4, 8, 2), 4, "2, 4, 6", "2, 6"),
        (Population(4, 20), 2, "1, 2, 3, 4, 5, 6, ...", "1, 3, 5, 7, 9, 11, ..."),
    ],
)
def test_validation_freq_is_refused_when_it_leaves_out_a_rung(
    scheduler, frequency, rungs, left_out
):
    with pytest.raises(ValueError, match="`validation_freq=1`, or choose `min_epochs`") as error:
        check_validation_freq(scheduler, VALIDATED, {"validation_freq": frequency})
    assert f"after {rungs} epochs, got {frequency}," in str(error.value)
    assert f"which leaves out {left_out}." in str(error.value)


@pytest.mark.parametrize(
    ("scheduler", "frequency"),
    [
        (SuccessiveHalving(9, 2), 2),
        (SuccessiveHalving(27), 1),
        (SuccessiveHalving(9, 3), [3, 6]),
        (Hyperband(9, min_epochs=3), 3),
        (Population(4, 20, 3), 3),
        (SuccessiveHalving(3, 3), 3),
    ],
)
def test_validation_freq_is_accepted_when_it_meets_every_rung(scheduler, frequency):
    check_validation_freq(scheduler, VALIDATED, {"validation_freq": frequency})


def test_any_validation_freq_is_accepted_for_a_training_metric():
    objective = keras_tuner.Objective("loss", "min")
    check_validation_freq(SuccessiveHalving(9), objective, {"validation_freq": 2})


@pytest.mark.parametrize("frequency", [0, 1.5])
def test_validation_freq_is_refused_unless_it_is_an_integer_from_1(frequency):
    with pytest.raises(ValueError, match="`validation_freq` must be an integer from 1"):
        check_validation_freq(SuccessiveHalving(9), VALIDATED, {"validation_freq": frequency})


@pytest.mark.parametrize("argument", ["epochs", "initial_epoch"])
def test_epochs_are_refused_and_max_epochs_is_suggested(tmp_path, argument):
    with pytest.raises(ValueError, match=f"`{argument}` can't be passed.*`max_epochs`"):
        asha(tmp_path).search(**FIT, **{argument: 3})


@pytest.mark.parametrize("tuner", [asha, pbt])
def test_search_refuses_a_validation_freq_that_leaves_out_a_rung(tuner, tmp_path):
    with pytest.raises(ValueError, match=r"`validation_freq` must have .*val_loss.* measured"):
        tuner(tmp_path).search(**FIT, validation_freq=3)
