"""Ctrl-C during a search: the first asks for a stop after the epoch, the second stops at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import keras

from kt_extras import compat

_NOTICE = "\nThe search ends after this epoch; press Ctrl-C once more to end it at once.\n"


class StopRequest:
    """Whether the user has asked for the end of the search.

    Attributes:
        is_set: Whether Ctrl-C was pressed.

    >>> StopRequest().raise_if_set()  # nothing happens
    """

    def __init__(self) -> None:
        self.is_set = False

    def raise_if_set(self) -> None:
        """Raise `KeyboardInterrupt` if a stop was requested.

        Raises:
            KeyboardInterrupt: A stop was requested.
        """
        if self.is_set:
            raise KeyboardInterrupt("The search was interrupted; it can be resumed.")


@contextmanager
def interruptible(*, visible: bool = True) -> Iterator[StopRequest]:
    """Handle Ctrl-C: the first asks for a stop after the epoch; the second raises.

    The signal is handled in the main thread only, and only if Python's default handler is in place.

    Args:
        visible: Whether to print a notice at the first Ctrl-C. Defaults to True.

    Yields:
        The request, which the first Ctrl-C sets.
    """
    stop_request = StopRequest()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield stop_request
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if stop_request.is_set:
            signal.default_int_handler(number, frame)
        stop_request.is_set = True
        if visible:
            with suppress(RuntimeError):  # the signal came during another write to the stream
                sys.stderr.write(_NOTICE)
                sys.stderr.flush()

    signal.signal(signal.SIGINT, handle)
    try:
        yield stop_request
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class StopOnRequest(keras.callbacks.Callback):
    """Stops a training after the epoch in which a stop was requested.

    It must be the last callback, so that it sees whether another one stops the training anyway.

    Args:
        stop_request: The request.

    Attributes:
        cut_short: Whether epochs were left when the training was stopped.
    """

    def __init__(self, stop_request: StopRequest) -> None:
        super().__init__()
        self.stop_request = stop_request
        self.cut_short = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Raise `KeyboardInterrupt` if a stop was requested before the training."""
        self.stop_request.raise_if_set()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop the training if a stop was requested and epochs are left, or may be."""
        if not self.stop_request.is_set or self.model.stop_training:
            return
        epochs = compat.epochs_given(self)
        if epochs is None or epoch + 1 < epochs:
            self.model.stop_training = self.cut_short = True
