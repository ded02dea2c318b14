"""Ctrl-C: once for an end after the running epoch, twice for an end at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import keras

_NOTICE = "\nThe search ends after this epoch; press Ctrl-C once more to end it at once.\n"


class Interruption:
    """Whether the user wants to end a search.

    Attributes:
        asked: Whether Ctrl-C was pressed.

    >>> Interruption().heed()  # nothing happens
    """

    def __init__(self) -> None:
        self.asked = False

    def heed(self) -> None:
        """End here if that was asked for.

        Raises:
            KeyboardInterrupt: It was.
        """
        if self.asked:
            raise KeyboardInterrupt("The search was interrupted; it can go on where it was.")


@contextmanager
def interruptible(*, visible: bool = True) -> Iterator[Interruption]:
    """Take the first Ctrl-C as a wish; the second one raises as ever.

    It does so in the main thread alone, and only if nobody else handles the signal.

    Args:
        visible: Whether to tell the user what happens.
    """
    wish = Interruption()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield wish
        return

    def note(number: int, frame: FrameType | None) -> None:
        if wish.asked:
            signal.default_int_handler(number, frame)
        wish.asked = True
        if visible:
            with suppress(RuntimeError):  # the stream was being written to
                sys.stderr.write(_NOTICE)
                sys.stderr.flush()

    signal.signal(signal.SIGINT, note)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class EndOnWish(keras.callbacks.Callback):
    """Ends a training after the epoch in which the user has asked for that.

    It belongs behind all other callbacks, so that it can tell a training that ends anyhow.

    Attributes:
        cut_short: Whether there would have been more epochs.
    """

    def __init__(self, wish: Interruption) -> None:
        super().__init__()
        self.wish = wish
        self.cut_short = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Do not begin what is not wanted."""
        self.wish.heed()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop, if there are more epochs to come."""
        last = epoch + 1 >= self.params.get("epochs", 1)
        if self.wish.asked and not last and not self.model.stop_training:
            self.model.stop_training = self.cut_short = True
