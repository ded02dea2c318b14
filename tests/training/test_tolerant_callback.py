"""A callback whose errors are handled by somebody else."""

from contextlib import suppress

import keras
import pytest

from kt_extras.training.tolerant_callback import make_tolerant


class Counting(keras.callbacks.Callback):
    count = 0

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1


def tolerant():
    callback = Counting()
    make_tolerant(callback, lambda: suppress(OSError))
    return callback


def full(*_, **__):
    raise OSError("the disk is full")


def test_a_hook_that_is_replaced_later_is_the_one_that_is_called(monkeypatch):
    before = tolerant()
    with monkeypatch.context() as patch:
        patch.setattr(Counting, "on_epoch_end", full)
        for callback in (before, tolerant()):
            callback.on_epoch_end(0)
            assert callback.count == 0
    for callback in (before, tolerant()):
        callback.on_epoch_end(0)
        assert callback.count == 1


def test_other_errors_are_raised(monkeypatch):
    callback = tolerant()
    monkeypatch.setattr(Counting, "on_epoch_end", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        callback.on_epoch_end(0)
