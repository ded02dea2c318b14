"""A training ends after a time, which a paused trial does not lose."""

import copy
import time
import warnings
from datetime import timedelta
from types import SimpleNamespace

import pytest

from kt_extras.callbacks import TimeStopping


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the tests move."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "time", lambda: clock.now)
    return clock


def epochs_trained(callback, clock, *, seconds=10.0, epochs=20, state=None):
    """Run epochs that take so many seconds each, and return how many there were."""
    callback.set_model(SimpleNamespace(stop_training=False))
    callback.on_train_begin()
    if state is not None:
        callback.set_state(state)
    for epoch in range(epochs):
        clock.now += seconds
        callback.on_epoch_end(epoch, {})
        if callback.model.stop_training:
            break
    callback.on_train_end()
    return epoch + 1


@pytest.mark.parametrize(
    ("seconds", "epochs"),
    [(1, 1), (10, 1), (11, 2), (35, 4), (timedelta(minutes=1), 6), (timedelta(days=1), 20)],
)
def test_the_epoch_in_which_the_time_is_up_is_the_last(clock, seconds, epochs):
    callback = TimeStopping(seconds)
    assert epochs_trained(callback, clock) == epochs
    assert callback.stopped_epoch == (None if epochs == 20 else epochs - 1)


def test_each_training_has_the_whole_time(clock):
    callback = TimeStopping(35)
    assert [epochs_trained(callback, clock) for _ in range(2)] == [4, 4]
    assert epochs_trained(copy.deepcopy(callback), clock) == 4


def test_a_paused_training_goes_on_with_what_is_left(clock):
    callback = TimeStopping(55)
    assert epochs_trained(callback, clock, epochs=2) == 2
    state = callback.get_state()
    clock.now += 1e6  # the pause
    assert epochs_trained(TimeStopping(55), clock, state=state) == 4


def test_it_prints_that_the_time_is_up_only_when_verbose(clock, capsys):
    epochs_trained(TimeStopping(35), clock)
    assert capsys.readouterr().out == ""
    epochs_trained(TimeStopping(35, verbose=1), clock)
    assert capsys.readouterr().out == "Epoch 4 was the last after 0:00:40.\n"


@pytest.mark.parametrize("seconds", [0, -1, "soon", None, float("nan"), timedelta(0)])
def test_seconds_that_are_not_a_positive_number_are_rejected(seconds):
    with pytest.raises(ValueError, match="`seconds` must be a number above 0"):
        TimeStopping(seconds)


@pytest.mark.parametrize("seconds", [5, 10, 20, 33, 1000])
def test_it_stops_where_that_of_tensorflow_addons_does(clock, seconds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tfa = pytest.importorskip("tensorflow_addons")
    theirs, ours = tfa.callbacks.TimeStopping(seconds), TimeStopping(seconds)
    assert epochs_trained(theirs, clock) == epochs_trained(ours, clock)
    assert theirs.stopped_epoch == ours.stopped_epoch
