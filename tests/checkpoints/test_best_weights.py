"""The weights of a best epoch come back, whatever becomes of the trial and of the process."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from kt_extras import compat
from kt_extras.checkpoints.best_weights import BestWeights, load_arrays
from kt_extras.checkpoints.weight_files import WeightFiles
from tests.checkpoints.full_state_program import Subclassed

PATH = f"trial_0/{compat.WEIGHTS_NAME}"
X = np.ones((2, 3), "float32")


def line(weight=0.0):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.set_weights([np.full((1, 1), weight), np.zeros(1)])
    return model


def watched(losses, best=float("inf")):
    """Return the keeper of a training whose weight is the number of its epoch."""
    keeper = BestWeights(lambda logs: logs["loss"], best=best)
    model = line()
    keeper.set_model(model)
    for epoch, loss in enumerate(losses):
        model.set_weights([np.full((1, 1), epoch), np.zeros(1)])
        keeper.on_epoch_end(epoch, {"loss": loss})
    return keeper


def weight_held():
    model = line(-1.0)
    assert load_arrays(model, PATH)
    return float(model.get_weights()[0][0, 0])


def weight_written():
    model = line(-1.0)
    compat.load_weights(model, PATH)
    return float(model.get_weights()[0][0, 0])


def files():
    return WeightFiles("none", lambda _: PATH)._files("0")


def test_a_pause_saves_the_best_weights_without_a_file_of_keras():
    watched([3.0, 1.0, 2.0]).save_arrays(PATH)
    assert weight_held() == 1
    assert files() == [Path(f"{PATH}.npz")]


def test_a_pause_without_a_better_epoch_keeps_the_earlier_weights():
    watched([3.0, 1.0]).save_arrays(PATH)
    watched([2.0, 1.5, 1.2], best=1.0).save_arrays(PATH)
    assert weight_held() == 1


def test_the_end_writes_its_own_weights_when_they_are_better():
    watched([3.0]).save_arrays(PATH)
    watched([5.0, 4.0, 2.0], best=3.0).write(PATH)
    assert weight_written() == 2
    assert not load_arrays(line(), PATH)


def test_the_end_writes_the_weights_of_an_earlier_pause():
    watched([3.0, 1.0]).save_arrays(PATH)
    watched([2.0, 4.0, 5.0, 6.0], best=1.0).write(PATH)
    assert weight_written() == 1
    assert not load_arrays(line(), PATH)


def test_a_crash_while_the_file_is_written_loses_no_weights(monkeypatch):
    def torn(_, path):
        if isinstance(path, str):  # or a file in memory
            Path(path).write_bytes(b"torn")
        raise SystemExit

    watched([3.0, 1.0]).save_arrays(PATH)
    monkeypatch.setattr(keras.Model, "save_weights", torn)
    with pytest.raises(SystemExit):
        watched([2.0, 4.0], best=1.0).write(PATH)
    assert weight_held() == 1


def test_damaged_arrays_of_a_pause_count_as_missing():
    watched([3.0, 1.0]).save_arrays(PATH)
    Path(f"{PATH}.npz").write_bytes(b"")
    watched([2.0, 4.0], best=1.0).write(PATH)
    assert files() == [Path(f"{PATH}.npz")]
    watched([2.0, 0.5], best=1.0).write(PATH)
    assert weight_written() == 1


def test_weights_are_synced_with_their_folder_before_they_count(monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    watched([3.0]).write(PATH)
    written = [path for path in files() if path.suffix != ".npz"]
    assert written
    assert {path.stat().st_ino for path in [*written, Path("trial_0")]} <= set(synced)


def test_weights_are_written_by_a_model_that_has_its_own_way():
    class Own(keras.Sequential):
        def save_weights(self, path):
            Path(path).parent.mkdir()
            Path(path).write_text("own")

    keeper = BestWeights(lambda logs: logs["loss"])
    keeper.set_model(Own([keras.Input((1,)), keras.layers.Dense(1)]))
    keeper.on_epoch_end(0, {"loss": 1.0})
    keeper.write(PATH)
    assert Path(PATH).read_text() == "own"


def test_without_a_loss_the_last_weights_are_kept():
    keeper = watched([])
    keeper.loss_in = lambda _: None
    keeper.set_model(line(7.0))
    keeper.on_epoch_end(0, {})
    keeper.save_arrays(PATH)
    assert weight_held() == 7


def test_a_subclassed_model_that_has_not_seen_data_takes_the_weights():
    trained, fresh = (Subclassed() for _ in range(2))
    for model in (trained, fresh):
        model.compile("sgd", "mse")
    trained.fit(X, np.ones(2), epochs=1, verbose=0)
    keeper = BestWeights(lambda logs: logs["loss"])
    keeper.set_model(trained)
    keeper.on_epoch_end(0, {"loss": 1.0})
    keeper.save_arrays(PATH)
    assert load_arrays(fresh, PATH)
    np.testing.assert_array_equal(fresh.predict(X, verbose=0), trained.predict(X, verbose=0))


def test_the_arrays_of_a_pause_are_removed_like_a_weight_file():
    watched([1.0]).save_arrays(PATH)
    WeightFiles("none", lambda _: PATH).trial_ended("0", 0, 1.0)
    assert not files()
