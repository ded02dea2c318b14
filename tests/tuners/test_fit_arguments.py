import keras_tuner
import pytest

from kt_extras.schedulers import Hyperband, Population, SuccessiveHalving
from kt_extras.tuners.fit_arguments import check_validation_freq

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
def test_a_rung_at_which_the_objective_is_not_known_is_refused(
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
def test_what_is_known_at_every_rung_is_taken(scheduler, frequency):
    check_validation_freq(scheduler, VALIDATED, {"validation_freq": frequency})


def test_an_objective_of_the_training_is_known_after_every_epoch():
    objective = keras_tuner.Objective("loss", "min")
    check_validation_freq(SuccessiveHalving(9), objective, {"validation_freq": 2})


@pytest.mark.parametrize("frequency", [0, 1.5])
def test_a_frequency_is_an_integer(frequency):
    with pytest.raises(ValueError, match="`validation_freq` must be an integer from 1"):
        check_validation_freq(SuccessiveHalving(9), VALIDATED, {"validation_freq": frequency})
