"""A training that stops, in whatever way, and goes on in a new process, has never stopped."""

import os
import random
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kt_extras.checkpoints.full_state import (
    RestoreState,
    SaveState,
    epochs_trained,
    restore_state,
    save_state,
)
from kt_extras.checkpoints.random_state import random_state, set_random_state, set_seed
from kt_extras.checkpoints.state_file import UnreadableStateError, read_state, write_state
from tests.checkpoints.full_state_program import (
    CASES,
    HALF,
    WHOLE,
    Subclassed,
    fit,
    path_of,
    prepared,
    train,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("states")


@pytest.fixture(scope="module")
def straight(folder):
    """The weights after ten epochs straight; the state after four is in a file."""
    return {name: train(name, folder, WHOLE).get_weights() for name in CASES}


@pytest.fixture(scope="module")
def in_two_halves(straight, folder):
    """The weights after the last six epochs in a new process, each begun from such a file."""
    program = [sys.executable, "-m", "tests.checkpoints.full_state_program", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    subprocess.run(program, cwd=ROOT, env=environment, check=True)
    files = {name: folder / f"weights{number}.npz" for number, name in enumerate(CASES)}
    return {name: list(np.load(file).values()) for name, file in files.items()}


def same(weights, others):
    return len(weights) == len(others) and all(map(np.array_equal, weights, others))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_four_epochs_and_six_in_a_new_process_equal_ten_epochs(name, straight, in_two_halves):
    assert same(straight[name], in_two_halves[name])


class StopAtHalf(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 == HALF


def test_weights_that_change_after_the_last_epoch_are_not_saved(tmp_path):
    name = "subclassed, Adam with averages"
    train(name, tmp_path, WHOLE)
    model, _ = prepared(name)
    swap = keras.callbacks.EarlyStopping("loss", mode="max", patience=99, restore_best_weights=True)
    save = SaveState(Path("state.npz"), [swap])
    fit(model, [swap, StopAtHalf(), save], epochs=WHOLE)
    ended, going_on = read_state(Path("state.npz")), read_state(path_of(name, tmp_path))
    assert ended["epoch"] == going_on["epoch"] == HALF
    assert same(ended["variables"], going_on["variables"])
    assert same(ended["optimizer"], going_on["optimizer"])
    assert not same(ended["variables"][:2], model.get_weights()[:2])


def test_a_model_that_is_put_back_trains_the_same_epochs_again():
    model, callbacks = prepared("Sequential, SGD with momentum, jitter")
    path = Path("state.npz")
    fit(model, [*callbacks, SaveState(path, callbacks, due=lambda epoch: epoch == 2)], epochs=3)
    first = model.get_weights()
    fit(model, [*callbacks, RestoreState(path, callbacks)], initial_epoch=2, epochs=3)
    assert same(first, model.get_weights())


def dropping():
    layers = [keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def test_dropout_is_saved_when_the_model_was_trained_without_saving():
    model, other = dropping(), dropping()
    fit(model, [], epochs=1)
    save_state(Path("state.npz"), model, [], epoch=1)
    fit(model, [], initial_epoch=1, epochs=2)
    fit(other, [RestoreState(Path("state.npz"), [])], initial_epoch=1, epochs=2)
    assert same(model.get_weights(), other.get_weights())


def line():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.5), "mse")
    return model


def test_the_learning_rate_is_part_of_the_state():
    model, other = line(), line()
    model.optimizer.learning_rate = 0.125
    save_state(Path("state.npz"), model, [], epoch=1)
    restore_state(Path("state.npz"), other, [])
    assert float(np.asarray(other.optimizer.learning_rate)) == 0.125


def test_a_model_without_optimizer_has_a_state():
    model, other = (keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in range(2))
    save_state(Path("state.npz"), model, [], epoch=3)
    assert restore_state(Path("state.npz"), other, []) == epochs_trained(Path("state.npz")) == 3
    assert same(model.get_weights(), other.get_weights())


def test_a_model_without_variables_has_no_state():
    with pytest.raises(ValueError, match="`model` must be built before its state is saved"):
        save_state(Path("state.npz"), Subclassed(), [], epoch=1)


def other_shape():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    return model


def other_optimizer():
    model = line()
    model.compile(keras.optimizers.Adam(0.5, amsgrad=True), "mse")
    return model


def deeper():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (other_shape, r"`model` is not .*: its variable 0 \('.*'\) has the shape \(2, 3\) and in"),
        (deeper, "`model` is not .*: it has 4 variables and the state 2"),
        (other_optimizer, "`model.optimizer` is not .*: it has 8 variables and the state 6"),
    ],
)
def test_the_state_of_another_model_is_refused_before_anything_changes(build, message):
    save_state(Path("state.npz"), line(), [], epoch=1)
    model = build()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        restore_state(Path("state.npz"), model, [])
    assert same(before, model.get_weights())


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2]])
def test_a_file_that_holds_something_else_is_refused(content):
    write_state(Path("state.npz"), content)
    with pytest.raises(UnreadableStateError, match=r"`path` state\.npz is not a state"):
        restore_state(Path("state.npz"), line(), [])
    with pytest.raises(UnreadableStateError, match=r"`path` state\.npz is not a state"):
        epochs_trained(Path("state.npz"))


def test_a_missing_file_raises():
    with pytest.raises(FileNotFoundError):
        restore_state(Path("state.npz"), line(), [])


def test_global_random_streams_continue_after_a_restore():
    def draw():
        return [*drawn(), float(tf.random.get_global_generator().uniform(()))]

    keras.utils.set_random_seed(3)
    draw()
    write_state(Path("state.npz"), random_state())
    first = draw()
    keras.utils.set_random_seed(4)
    draw()
    set_random_state(read_state(Path("state.npz")))
    assert draw() == first


def drawn():
    """Draw from the streams that a seed settles."""
    numbers = [tf.random.uniform(()), keras.initializers.GlorotUniform()((3, 3))[0, 0]]
    if hasattr(keras, "random"):
        numbers.append(keras.random.uniform(()))
    old = np.random.rand()  # noqa: NPY002 - what is tested
    return [random.random(), random.gauss(0, 1), old, *map(float, numbers)]


def test_a_seed_sets_all_streams_as_keras_does_also_when_set_again():
    found = []
    for settle in (set_seed, set_seed, keras.utils.set_random_seed, set_seed):
        settle(1905)
        found.append([*drawn(), float(tf.random.uniform((), seed=5))])
    assert found == [found[0]] * 4


def test_a_new_seed_keeps_the_kernels_of_traced_functions():
    noise = tf.function(lambda: tf.random.uniform((), seed=3))
    first, second = (float(noise()) for _ in range(2))
    keras.utils.set_random_seed(1906)
    assert float(noise()) == first
    set_seed(1907)
    assert float(noise()) == second
