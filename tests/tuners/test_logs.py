"""What callbacks add to the logs of an epoch that is no number."""

import keras
import keras_tuner
import pytest

import kt_extras as kte
from tests.tuners.models import VALIDATION, X, Y, build


class Adds(keras.callbacks.Callback):
    """Adds entries to the logs."""

    def __init__(self, **logs):
        super().__init__()
        self.added = logs

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.added)


def searched(objective="val_accuracy", **logs):
    tuner = kte.TPE(build, objective, max_trials=2, seed=0)
    tuner.enqueue([{"units": 8, "deep": False, "rate": rate} for rate in (0.01, 0.02)])
    data = {"validation_data": VALIDATION, "epochs": 2, "callbacks": [Adds(**logs)]}
    tuner.search(X, Y, verbose=1, **data)
    return tuner


def test_logs_that_are_no_numbers_are_left_out_and_said_so_once(capsys):
    tuner = searched(note="late", nothing=None, each_class=[0.5, 0.25], added=0.75)
    assert [row["state"] for row in tuner.results()] == ["completed"] * 2
    assert {"note", "nothing", "each_class"}.isdisjoint(tuner.results()[0])
    assert tuner.results()[0]["added"] == 0.75
    said = capsys.readouterr().out
    assert said.count("'note' is not recorded in epochs in which it is no number.") == 1
    assert said.count("'nothing' is not recorded") == 1
    assert "each_class" not in said


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("late", "`objective` 'score' must be a number, and the training reports 'late'"),
        (None, r"`objective` \['score'\] is not among .* a value of None does not count"),
    ],
)
def test_an_objective_that_is_no_number_is_named(value, message):
    with pytest.raises(keras_tuner.errors.FatalValueError, match=message):
        searched(keras_tuner.Objective("score", "max"), score=value)
