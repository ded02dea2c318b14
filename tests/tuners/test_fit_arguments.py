import keras
import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.schedulers import Hyperband, Population, SuccessiveHalving
from kt_extras.tuners.fit_arguments import check_validation_freq, refuse_unexpected
from tests.tuners.scheduled import FIT, asha, only_rate, pbt

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


def raised(call):
    with pytest.raises(TypeError) as error:
        call()
    return error.value


@pytest.mark.parametrize(
    ("argument", "cure"),
    [
        ("epoch", "did you mean `epochs`?"),
        ("validation_dat", "did you mean `validation_data`?"),
        ("max_trials", "pass it to the constructor of `TPE`."),
        ("n_trials", "in the constructor of `TPE`, it is called `max_trials` here."),
        (
            "n_jobs",
            "in the constructor of `TPE`, to train in several processes, pass `workers=` to "
            "`search`",
        ),
        ("nothing_known", "leave it out, or let a `HyperModel.fit` of your own take it."),
    ],
)
def test_an_argument_that_keras_does_not_take_is_answered_with_what_to_do(argument, cure):
    error = raised(lambda: keras.Sequential().fit(**{argument: 1}))
    with pytest.raises(TypeError, match=r"`[\w.]*fit\(\)`, which gets .* no argument") as answer:
        refuse_unexpected(error, [argument], kte.TPE)
    assert f"no argument `{argument}`; {cure}" in str(answer.value)


def test_an_own_fit_is_told_to_take_what_keras_takes():
    def fit(x):
        return x

    with pytest.raises(TypeError, match=r"no argument `callbacks`; let it take `\*\*kwargs`"):
        refuse_unexpected(raised(lambda: fit(1, callbacks=[])), ["callbacks"], kte.TPE)


@pytest.mark.parametrize("given", [[], ["epoch"]])
def test_other_errors_are_left_alone(given):
    def build(x):
        return x

    refuse_unexpected(raised(lambda: keras.Sequential().fit(epochs_=1)), given, kte.TPE)
    refuse_unexpected(raised(lambda: build(1, epoch=1)), given, kte.TPE)


def test_a_misspelt_argument_of_search_uses_up_no_trial():
    tuner = kte.TPE(only_rate, "val_loss", max_trials=2, seed=0)
    with pytest.raises(TypeError, match="takes no argument `epoch`; did you mean `epochs`"):
        tuner.search(**FIT, epoch=3, verbose=0)
    assert "failed" not in {row["state"] for row in tuner.results()}
    tuner.search(**FIT, epochs=1, verbose=0)
    assert [row["state"] for row in tuner.results()] == ["completed"] * 2


class SetsEpochs(kte.ASHA):
    """Tunes the epochs as KerasTuner's users do, which a scheduler cannot honour."""

    def run_trial(self, trial, *args, **kwargs):
        return super().run_trial(trial, *args, **{**kwargs, "epochs": 1})


def test_epochs_that_a_run_trial_sets_are_refused_under_a_scheduler():
    tuner = SetsEpochs(only_rate, "val_loss", max_epochs=4, max_trials=2, seed=0)
    with pytest.raises(ValueError, match=r"`epochs` can't be passed .*`run_trial`, got 1"):
        tuner.search(**FIT, verbose=0)
    assert tuner.oracle.totals.epochs == 0


class SetsAgain(keras_tuner.HyperModel):
    """Has a `fit` that sets an argument which is passed on to it too."""

    def __init__(self, **own):
        super().__init__()
        self.own = own

    def build(self, hp):
        return only_rate(hp)

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, **self.own, **kwargs)


@pytest.mark.parametrize(
    ("own", "cure", "given"),
    [
        ({"callbacks": []}, "add yours to the ones that it is given", {}),
        ({"epochs": 2}, "leave it out in `search`", {"epochs": 2}),
        ({"shuffle": True}, "leave it out in one of the two", {}),
    ],
)
def test_an_argument_that_is_set_twice_ends_the_search_with_what_to_do(own, cure, given):
    tuner = kte.TPE(SetsAgain(**own), "val_loss", max_trials=2, seed=0)
    message = f"`{next(iter(own))}` is passed on .* also sets it: {cure}"
    with pytest.raises(TypeError, match=message):
        tuner.search(**FIT, **given, verbose=0)
    assert "failed" not in {row["state"] for row in tuner.results()}


@pytest.mark.parametrize(
    ("own", "cure"),
    [
        ({"epochs": 2}, "with a scheduler, leave it out here and set `max_epochs`"),
        ({"initial_epoch": 2}, "use a tuner without a scheduler"),
    ],
)
def test_epochs_that_a_fit_sets_are_refused_under_a_scheduler(own, cure):
    tuner = kte.ASHA(SetsAgain(**own), "val_loss", max_epochs=4, seed=0)
    with pytest.raises(TypeError, match=cure):
        tuner.search(**FIT, verbose=0)
