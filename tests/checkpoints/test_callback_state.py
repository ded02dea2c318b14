"""Callbacks that count go on counting."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kt_extras.checkpoints.callback_state import callback_states, restore_callback_states
from kt_extras.checkpoints.state_file import read_state, write_state


def stopper(**arguments):
    stop = keras.callbacks.EarlyStopping("loss", patience=3, **arguments)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.stop_training = False
    stop.set_model(model)
    stop.on_train_begin()
    return stop


def plateau():
    reduce = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2, cooldown=3)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    reduce.set_model(model)
    reduce.on_train_begin()
    return reduce


def through_a_file(states):
    write_state(Path("state.npz"), states)
    return read_state(Path("state.npz"))


def test_early_stopping_stops_at_the_same_epoch_after_a_restore():
    losses, ends = [3.0, 1.0, 2.0, 2.0, 2.0, 2.0], []
    for interruption in (None, 1, 2, 3):
        stop = stopper()
        for epoch, loss in enumerate(losses):
            if epoch == interruption:
                after = stopper()
                restore_callback_states([after], through_a_file(callback_states([stop])))
                stop = after
            stop.on_epoch_end(epoch, {"loss": loss})
            if stop.model.stop_training:
                ends.append(epoch)
                break
    assert ends == [4, 4, 4, 4]


def test_the_best_weights_are_restored():
    stop = stopper(restore_best_weights=True)
    stop.on_epoch_end(0, {"loss": 1.0})
    best = stop.model.get_weights()
    after = stopper(restore_best_weights=True)
    restore_callback_states([after], through_a_file(callback_states([stop])))
    for epoch in range(1, 5):
        after.on_epoch_end(epoch, {"loss": 2.0})
    after.on_train_end()
    assert all(map(np.array_equal, after.model.get_weights(), best))


def test_a_plateau_is_found_at_the_same_epoch_after_a_restore():
    rates = []
    for interruption in (None, 1, 2, 4):
        reduce = plateau()
        for epoch in range(9):
            if epoch == interruption:
                after = plateau()
                after.model.optimizer.learning_rate = reduce.model.optimizer.learning_rate
                restore_callback_states([after], through_a_file(callback_states([reduce])))
                reduce = after
            reduce.on_epoch_end(epoch, {"loss": 1.0})
        rates.append(float(np.asarray(reduce.model.optimizer.learning_rate)))
    assert rates == [rates[0]] * 4
    assert rates[0] < 1.0


class Counter(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.count = 0

    def get_state(self):
        return {"count": self.count}

    def set_state(self, state):
        self.count = state["count"]


def test_a_callback_may_define_its_state():
    before, after = Counter(), Counter()
    before.count = 7
    restore_callback_states([after], through_a_file(callback_states([before])))
    assert after.count == 7


def test_a_callback_of_another_class_is_not_restored_with_a_warning():
    counter = Counter()
    counter.count = 7
    states = callback_states([stopper(), counter])
    after = Counter()
    other = stopper()
    with pytest.warns(UserWarning, match="its state is not restored") as caught:
        restore_callback_states([after, other], states)
    texts = [str(warning.message) for warning in caught]
    assert "`callbacks[0]` is a Counter, but in the saved state it was a EarlyStopping" in texts[0]
    assert "`callbacks[1]` is a EarlyStopping, but in the saved state it was a Counter" in texts[1]
    assert after.count == 0


def test_added_and_removed_callbacks_are_named_in_a_warning():
    states = callback_states([Counter()])
    with pytest.warns(UserWarning, match=r"`callbacks\[0\]` is missing, .* it was a Counter"):
        restore_callback_states([], states)
    with pytest.warns(UserWarning, match=r"`callbacks\[0\]` is a Counter, .* it was no callback"):
        restore_callback_states([Counter()], [])


def test_added_and_removed_callbacks_without_state_do_not_warn():
    logger, terminator = keras.callbacks.CSVLogger("log.csv"), keras.callbacks.TerminateOnNaN()
    assert [state["state"] for state in callback_states([logger, terminator])] == [None, None]
    restore_callback_states([terminator], callback_states([logger, terminator]))


def test_a_state_that_is_not_a_dict_is_refused():
    counter = Counter()
    counter.get_state = lambda: 7
    with pytest.raises(TypeError, match=r"`Counter.get_state` must return a dict, .* got a int"):
        callback_states([counter])
