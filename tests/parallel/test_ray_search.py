"""Searches in processes of Ray give what one process gives, and report it as one process does."""

import re
from collections import Counter

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras import compat
from tests.cases import some
from tests.parallel.slow_trials import build_model, data, slow_tuner
from tests.tensorboard.conftest import Dashboard

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # of Ray, about itself
    pytest.mark.usefixtures("started_ray"),
]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def states(tuner):
    return [row["state"] for row in tuner.results()]


def rows(tuner):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in tuner.results()]


def traces(folder):
    """Return how often each process has traced a loss."""
    return Counter(path.name.split(".")[1] for path in folder.glob("traced.*"))


TUNERS = {
    "bohb": lambda **given: kte.BOHB(build_model, max_epochs=4, max_trials=6, **given),
    "pbt": lambda **given: kte.PBT(
        build_model, population_size=4, max_epochs=4, interval=2, **given
    ),
    "mirrored": lambda **given: kte.RandomSearch(
        build_model,
        max_trials=1,
        executions_per_trial=2,
        distribution_strategy=tf.distribute.MirroredStrategy(),
        **given,
    ),
}


@pytest.mark.parametrize("name", some(TUNERS, ["pbt"]))
def test_one_worker_gives_what_no_worker_gives(name, tmp_path):
    x, y = data()
    epochs = {"epochs": 2} if name == "mirrored" else {}
    found = []
    for project, workers in (("none", {}), ("one", {"workers": 1})):
        tuner = TUNERS[name](objective="val_loss", seed=0, project_name=project)
        tuner.search(x, y, validation_data=(x, y), verbose=0, **epochs, **workers)
        found.append(rows(tuner))
    assert found[0] == found[1]
    assert len(set(traces(tmp_path).values())) == 1  # models are stacked and used again, or not
    assert len(traces(tmp_path)) == 2
    assert tuner.get_best_models()[0].predict(x, verbose=0).shape == (64, 1)


def test_two_workers_share_a_database_a_display_and_a_tensorboard(capsys):
    tuner = kte.RandomSearch(
        build_model, "val_loss", max_trials=12, seed=0, storage="sqlite:///runs.db"
    )
    for number in range(12):  # both architectures, whatever the order in which workers ask
        units = 2 if number % 4 < 2 else 20_000
        tuner.enqueue({"units": units, "rate": 1e-6 * (1 + number / 2)})
    x, y = data()
    board = keras.callbacks.TensorBoard("logs")
    tuner.search(x, y, validation_data=(x, y), epochs=2, callbacks=[board], workers=2)
    again = kte.RandomSearch(
        build_model, "val_loss", max_trials=12, seed=0, storage="sqlite:///runs.db"
    )
    assert states(again) == ["completed"] * 12
    assert rows(again) == rows(tuner)

    said = capsys.readouterr().out
    for number in range(12):
        assert len(re.findall(rf"trial {number} completed", said)) == 1
    assert said.count("Search ended after 12 trials") == 1
    reports = re.findall(r"Time of the workers: .* models used again", said)
    assert len(reports) == 1
    assert ("trials were stacked" in reports[0]) == compat.KERAS_3

    dashboard = Dashboard("logs")
    names = [row["trial_id"] for row in rows(tuner)]
    assert dashboard.runs == sorted(
        ["search", *(f"{name}/{run}" for name in names for run in ("train", "validation"))]
    )
    shown = dashboard.trials()
    for row in rows(tuner):
        assert shown[row["trial_id"]].values["rate"] == pytest.approx(row["rate"])
        assert shown[row["trial_id"]].metrics["score"] == pytest.approx(row["score"])
        curve = dashboard.curve(f"{row['trial_id']}/validation", "epoch_loss")
        assert [step for step, _ in curve] == [0, 1]
        assert min(value for _, value in curve) == pytest.approx(row["score"])

    workers = [record.worker for record in tuner.oracle.trial_records()]
    assert len({worker.partition("#")[0] for worker in workers}) == 2
    if compat.KERAS_3:
        assert all("#" in worker for worker in workers)


def test_a_fatal_error_is_raised_once_with_its_traceback(tmp_path, seen, capfd):
    tuner = slow_tuner(tmp_path)
    with pytest.raises(keras_tuner.errors.FatalValueError, match="`width` must be even") as raised:
        tuner.search(0.1, str(seen), "error", workers=2)
    assert str(raised.value.__cause__).count("slow_trials.py") == 1
    assert raised.value.__cause__.__cause__ is None
    assert "`width` must be even" not in "".join(capfd.readouterr())
    tuner.search(0.0, str(seen), workers=1, verbose=0)
    assert states(tuner) == ["completed"] * 6


@pytest.mark.exhaustive
def test_a_report_of_failures_is_raised_and_shown_once(tmp_path, seen, capfd):
    tuner = slow_tuner(tmp_path, max_trials=9)
    with pytest.raises(RuntimeError, match="no such layer") as raised:
        tuner.search(0.0, str(seen), "all fail", workers=2)
    assert "slow_trials.py" in str(raised.value)
    assert "".join(capfd.readouterr()).count('raise KeyError("no such layer")') <= 1
    assert states(tuner).count("failed") >= 3


@pytest.mark.exhaustive
def test_a_tuner_of_keras_tuner_searches_where_workers_make_the_data():
    def make_data():
        return tf.data.Dataset.from_tensor_slices(data()).batch(16)

    tuner = keras_tuner.Hyperband(build_model, "val_loss", max_epochs=3, factor=3, seed=1)
    kte.parallel.search(tuner, make_data, validation_data=make_data, workers=2, verbose=0)
    ended = [trial.status for trial in tuner.oracle.trials.values()]
    assert len(ended) >= 4
    assert set(ended) == {"COMPLETED"}
    assert np.isfinite(tuner.oracle.get_best_trials()[0].score)
    assert tuner.get_best_models()[0].predict(data()[0], verbose=0).shape == (64, 1)
