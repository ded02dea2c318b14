"""What the training of a trial must pass on when a scheduler decides about its epochs."""

import keras_tuner
import pytest

import kt_extras as kte
from tests.cases import some
from tests.tuners.scheduled import only_rate, searched


class Partial(keras_tuner.HyperModel):
    """Passes only the named arguments on to `model.fit`, and the data."""

    def __init__(self, *kept, result=None):
        super().__init__()
        self.kept, self.result = kept, result

    def build(self, hp):
        return only_rate(hp)

    def fit(self, hp, model, **kwargs):
        history = model.fit(**{name: kwargs[name] for name in ("x", "y", *self.kept)}, verbose=0)
        return history if self.result is None else self.result


SCHEDULED = {
    "asha": lambda model, **kwargs: kte.ASHA(model, "loss", max_epochs=4, **kwargs),
    "stopping": lambda model, **kwargs: kte.ASHA(
        model, "loss", max_epochs=4, mode="stopping", **kwargs
    ),
    "bohb": lambda model, **kwargs: kte.BOHB(model, "loss", max_epochs=4, **kwargs),
    "hyperband": lambda model, **kwargs: kte.Hyperband(model, "loss", max_epochs=4, **kwargs),
    "pbt": lambda model, **kwargs: kte.PBT(model, "loss", max_epochs=4, interval=2, **kwargs),
}


@pytest.mark.parametrize("kind", some(SCHEDULED, ["asha", "pbt"]))
@pytest.mark.parametrize(
    ("model", "argument"),
    [
        (Partial("epochs"), "callbacks"),
        (Partial("epochs", result=1.0), "callbacks"),
        (Partial("callbacks"), "epochs"),
    ],
)
def test_a_fit_that_drops_arguments_of_the_scheduler_is_an_error(kind, model, argument, tmp_path):
    tuner = SCHEDULED[kind](model, seed=0, directory=str(tmp_path))
    with pytest.raises(ValueError, match=f"`{argument}` must be passed on to `model.fit`"):
        searched(tuner)
    assert not tuner.oracle.end_order


def test_a_fit_that_passes_on_arguments_of_the_scheduler_is_accepted(tmp_path):
    model = Partial("callbacks", "epochs", "initial_epoch", "validation_data")
    tuner = searched(kte.ASHA(model, "val_loss", max_epochs=2, directory=str(tmp_path)))
    assert {row["epochs"] for row in tuner.results()} == {1, 2}


def test_a_run_trial_that_returns_only_a_number_is_an_error(tmp_path):
    class Parabola(kte.ASHA):
        def run_trial(self, trial, *args, **kwargs):
            return trial.hyperparameters.Float("x", 0, 1) ** 2

    tuner = Parabola(None, keras_tuner.Objective("cost", "min"), directory=str(tmp_path))
    with pytest.raises(ValueError, match="`callbacks` must be passed on"):
        tuner.search(verbose=0)
