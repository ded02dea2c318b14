"""Searches in processes of Ray give what one process gives, whoever dies."""

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras.parallel.ray_engine import running_ray
from kt_extras.parallel.settings import Settings
from tests.parallel.slow_trials import begun, build_model, data, pid_of_oracle, slow_tuner

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # of Ray, about itself
]


@pytest.fixture(scope="module", autouse=True)
def _ray():
    """Start Ray once for all searches of this module."""
    with running_ray(Settings(3, None, None, 60, None), shows_output=False):
        yield


@pytest.fixture
def seen(tmp_path):
    folder = tmp_path / "seen"
    folder.mkdir()
    return folder


def when(condition, action):
    """Call a function, in a thread, with what a condition returns once that is not None."""

    def run():
        until = time.monotonic() + 300
        while time.monotonic() < until:
            if (found := condition()) is not None:
                action(found)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def pid_of_attempt(seen, number):
    return lambda: int(found[number][1]) if len(found := begun(seen)) > number else None


def states(tuner):
    return [row["state"] for row in tuner.results()]


def attempts(tuner):
    return [record.attempt for record in tuner.oracle.trial_records()]


def rows(tuner):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in tuner.results()]


TUNERS = {
    "random": lambda **given: kte.RandomSearch(build_model, max_trials=6, **given),
    "tpe": lambda **given: kte.TPE(build_model, max_trials=6, **given),
    "asha": lambda **given: kte.ASHA(build_model, max_epochs=4, max_trials=6, **given),
    "pbt": lambda **given: kte.PBT(
        build_model, population_size=4, max_epochs=4, interval=2, **given
    ),
}


@pytest.mark.parametrize("name", TUNERS)
def test_one_worker_gives_what_no_worker_gives(name, tmp_path):
    x, y = data()
    found = []
    for workers in ({}, {"workers": 1}):
        tuner = TUNERS[name](
            objective="val_loss", seed=0, directory=tmp_path, project_name=f"{len(workers)}"
        )
        epochs = {"epochs": 2} if name in {"random", "tpe"} else {}
        tuner.search(x, y, validation_data=(x, y), verbose=0, **epochs, **workers)
        found.append(rows(tuner))
    assert found[0] == found[1]
    assert tuner.get_best_models()[0].predict(x, verbose=0).shape == (64, 1)


def test_a_trial_of_a_killed_worker_is_run_again(tmp_path, seen):
    tuner = slow_tuner(tmp_path)
    killer = when(pid_of_attempt(seen, 1), lambda pid: os.kill(pid, signal.SIGKILL))
    tuner.search(0.3, str(seen), workers=2, verbose=0)
    assert not killer.is_alive()
    assert states(tuner) == ["completed"] * 6
    assert sorted(attempts(tuner)) == [1] * 5 + [2]
    assert sum(Counter(trial for trial, _ in begun(seen)).values()) == 7


def test_a_killed_oracle_loses_and_repeats_nothing(tmp_path, seen):
    tuner = slow_tuner(tmp_path)

    def pid():
        return pid_of_oracle(tmp_path / "slow") if len(begun(seen)) > 2 else None

    killer = when(pid, lambda pid: os.kill(pid, signal.SIGKILL))
    tuner.search(0.3, str(seen), workers=2, verbose=0)
    assert not killer.is_alive()
    assert states(tuner) == ["completed"] * 6
    assert attempts(tuner) == [1] * 6
    assert all(row["epochs"] == 4 for row in tuner.results())
    assert len(begun(seen)) == 6


def test_a_worker_that_is_not_heard_from_is_replaced(tmp_path, seen):
    tuner = slow_tuner(tmp_path, max_trials=4)
    stopped = []

    def stop(pid):
        os.kill(pid, signal.SIGSTOP)
        stopped.append(pid)

    when(pid_of_attempt(seen, 1), stop)
    tuner.search(0.5, str(seen), workers=2, heartbeat_timeout=15, verbose=0)
    assert states(tuner) == ["completed"] * 4
    assert sorted(attempts(tuner)) == [1, 1, 1, 2]
    assert not Path(f"/proc/{stopped[0]}").exists()


def test_an_error_that_ends_a_search_is_raised_once(tmp_path, seen):
    tuner = slow_tuner(tmp_path)
    with pytest.raises(keras_tuner.errors.FatalValueError, match="`width` must be even") as raised:
        tuner.search(0.1, str(seen), "error", workers=2, verbose=0)
    assert "slow_trials.py" in str(raised.value.__cause__)
    tuner.search(0.1, str(seen), workers=1, verbose=0)
    assert states(tuner) == ["completed"] * 6


def test_a_report_of_failures_is_raised_once(tmp_path):
    def fails(hp):
        hp.Float("x", 0, 1)
        raise KeyError("no such layer")

    tuner = kte.RandomSearch(build_model, "val_loss", max_trials=9, directory=tmp_path)
    tuner.hypermodel.build = fails
    x, y = data()
    with pytest.raises(RuntimeError, match="no such layer"):
        tuner.search(x, y, validation_data=(x, y), workers=2, verbose=0)
    assert states(tuner).count("failed") >= 3


def test_each_worker_makes_data_that_cannot_be_sent(tmp_path):
    def make_data():
        return tf.data.Dataset.from_tensor_slices(data()).batch(16)

    tuner = kte.RandomSearch(build_model, "val_loss", max_trials=3, seed=0, directory=tmp_path)
    with pytest.raises(TypeError, match="Pass a function without arguments"):
        tuner.search(make_data(), validation_data=data(), workers=2, verbose=0)
    tuner.search(make_data, validation_data=data, workers=2, verbose=0)
    assert states(tuner) == ["completed"] * 3


@pytest.mark.parametrize("name", ["RandomSearch", "BayesianOptimization", "Hyperband"])
def test_tuners_of_keras_tuner_search_in_workers(name, tmp_path):
    given = {"max_epochs": 3, "factor": 3} if name == "Hyperband" else {"max_trials": 4}
    tuner = getattr(keras_tuner, name)(
        build_model, "val_loss", seed=1, directory=tmp_path, project_name="kt", **given
    )
    x, y = data()
    epochs = {} if name == "Hyperband" else {"epochs": 2}
    kte.parallel.search(tuner, x, y, validation_data=(x, y), workers=2, verbose=0, **epochs)
    ended = [trial.status for trial in tuner.oracle.trials.values()]
    assert len(ended) >= 4
    assert set(ended) == {"COMPLETED"}
    assert np.isfinite(tuner.oracle.get_best_trials()[0].score)
    assert tuner.get_best_models()[0].predict(x, verbose=0).shape == (64, 1)


def test_a_mirrored_strategy_is_made_anew_in_a_worker(tmp_path):
    tuner = kte.RandomSearch(
        build_model,
        "val_loss",
        max_trials=2,
        seed=0,
        directory=tmp_path,
        executions_per_trial=2,
        distribution_strategy=tf.distribute.MirroredStrategy(),
    )
    x, y = data()
    tuner.search(x, y, validation_data=(x, y), epochs=2, workers=1, verbose=0)
    assert states(tuner) == ["completed"] * 2
