"""`confirm`: trainings with fresh seeds, on record one by one, and what the best is worth."""

import random

import keras
import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from tests.tuners.models import XV, YV, X, Y

DATA = {"x": X[:64], "y": Y[:64], "validation_data": (XV[:40], YV[:40])}
WORTH = [0.0, 0.1, 9.0]
HOLDOUT = X[128:256], Y[128:256]


def build(hp):
    outputs = keras.layers.Dense(10, "softmax", name=hp.Choice("name", ["a", "b", "c"]))
    model = keras.Sequential([keras.Input((64,)), outputs])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Scripted(keras_tuner.HyperModel):
    """A model whose training is a number: of its trial, and of the seed."""

    trainings = 0
    dies_at = None

    def build(self, hp):
        hp.Choice("worth", WORTH)
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    def fit(self, hp, model, *_, callbacks, **__):
        if self.trainings == self.dies_at:
            raise KeyboardInterrupt
        self.trainings += 1
        draws = 1 + WORTH.index(hp.get("worth"))  # else all trials had the same luck
        loss = hp.get("worth") + [random.gauss(0.0, 1.0) for _ in range(draws)][-1]
        for callback in callbacks:
            callback.set_model(model)
            callback.on_epoch_end(0, {"val_loss": loss})
        return loss


def scripted(directory, model):
    tuner = kte.GridSearch(model, "val_loss", seed=0, directory=directory)
    tuner.search(verbose=0)
    return tuner


def test_a_confirmation_that_is_killed_goes_on_where_it_was(tmp_path):
    model = Scripted()
    tuner = scripted(tmp_path, model)
    model.trainings, model.dies_at = 0, 4
    with pytest.raises(KeyboardInterrupt):
        tuner.confirm(top=2, seeds=3)
    model.dies_at = None
    assert len(kte.load(tmp_path, "untitled_project").repeats) == 4
    found = scripted(tmp_path, model).confirm(top=2, seeds=3)
    assert model.trainings == 6
    again = scripted(tmp_path, model)
    assert again.confirm(top=2, seeds=3) == found
    assert model.trainings == 6
    more = again.confirm(top=2, seeds=4)
    assert model.trainings == 8
    assert (
        found.best.scores
        == more.rows[[r.trial_id for r in more.rows].index(found.best.trial_id)].scores[:3]
    )
    assert again.repeats == kte.load(tmp_path, "untitled_project").repeats
    assert len({(one.trial_id, one.seed) for one in again.repeats}) == 8


def test_a_bad_trial_leaves_the_race_and_luck_is_taken_off(tmp_path):
    model = Scripted()
    tuner = scripted(tmp_path, model)
    model.trainings = 0
    found = tuner.confirm(top=3, seeds=5)
    assert [row.dropped for row in found.rows] == [False, False, True]
    assert model.trainings == 10 + len(found.rows[2].scores) < 15
    assert found.best.mean == min(row.mean for row in found.rows)
    assert found.original_score == tuner.oracle.get_best_trials()[0].score
    assert found.corrected_for == "seeds"
    assert found.corrected_score > found.best.mean  # of a loss
    assert found.optimism == found.corrected_score - found.original_score


@pytest.mark.slow
def test_a_holdout_judges_and_rows_are_measured_in_parts(tmp_path):
    tuner = kte.GridSearch(build, "val_accuracy", seed=0, directory=tmp_path)
    tuner.search(**DATA, epochs=1, verbose=0)
    found = tuner.confirm(**DATA, top=2, seeds=2, holdout_data=HOLDOUT)
    assert found.corrected_for == "holdout"
    assert found.row_deviation >= 0
    holdout = [row.holdout_mean for row in found.rows]
    assert min(holdout) <= found.corrected_score <= max(holdout)
    repeat = tuner.repeats[0]
    assert {"accuracy", "loss"} <= set(repeat.holdout_metrics)
    parts = tuner.oracle.repeats[0].parts
    assert len(parts) == 10
    assert np.mean(parts) == pytest.approx(repeat.metrics["val_accuracy"])
    with pytest.warns(UserWarning, match="rows of the holdout of `confirm`"):
        tuner.evaluate_once(*HOLDOUT)


def test_a_confirmation_is_a_table():
    row = kte.ConfirmedTrial("0003", 0.9, (0.8, 0.7), 0.75, 0.05, (0.1, 1.4), None, dropped=False)
    found = kte.Confirmation("val_f1", "max", (row,), 0.9, 0.7, "seeds", 0.1, None)
    lines = str(found).splitlines()
    assert lines[0].endswith("95% interval  holdout  seeds  ")
    assert lines[1].split() == ["0003", "0.9", "0.75", "0.1", "to", "1.4", "2"]
    assert "val_f1 was 0.9 in the search, and is 0.7" in lines[2]
    assert lines[2].endswith("the search was 0.2 too optimistic.")
    assert found._repr_html_().count("<tr>") == 2


@pytest.mark.parametrize(
    ("objective", "given", "message"),
    [
        ("val_loss", {"top": 0}, "`top` must be"),
        ("val_loss", {"seeds": 0}, "`seeds` must be"),
        ("val_loss", {"level": 1.0}, "`level` must lie strictly between 0 and 1, got 1.0"),
        ("loss", {}, "objective is 'loss'"),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path, objective, given, message):
    tuner = kte.GridSearch(Scripted(), objective, directory=tmp_path)
    with pytest.raises(ValueError, match=message):
        tuner.confirm(**given)


def test_a_holdout_needs_a_training_by_keras(tmp_path):
    tuner = scripted(tmp_path, Scripted())
    with pytest.raises(ValueError, match="`holdout_data` is evaluated by"):
        tuner.confirm(holdout_data=HOLDOUT)


def test_without_a_trial_there_is_nothing_to_confirm(tmp_path):
    tuner = kte.GridSearch(Scripted(), "val_loss", directory=tmp_path)
    with pytest.raises(RuntimeError, match="no best trial"):
        tuner.confirm()
