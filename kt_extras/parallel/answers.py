"""What an actor returns: a value, or the error that there was in place of one."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple


class RemoteTracebackError(Exception):
    """The cause of an error of another process: its traceback.

    Args:
        text: The traceback.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


class Failure(NamedTuple):
    """An error of another process.

    Attributes:
        pickled: The error, None if it cannot be sent.
        name: The name of its type.
        text: What it says.
        traceback: Where it was raised.
    """

    pickled: bytes | None
    name: str
    text: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return an error in a form that can be sent."""
        said = "".join(traceback.format_exception(error))
        try:
            pickled: bytes | None = pickle.dumps(error)
            pickle.loads(pickled or b"")
        except Exception:  # it takes other arguments than it keeps, say
            pickled = None
        return cls(pickled, type(error).__name__, str(error), said)

    def error(self) -> BaseException:
        """Return the error as it was, with its traceback as its cause."""
        found: BaseException
        try:
            if self.pickled is None:
                raise ValueError
            found = pickle.loads(self.pickled)
        except Exception:  # its class is not known here
            found = RuntimeError(f"{self.name}: {self.text}")
        found.__cause__ = RemoteTracebackError(self.traceback)
        return found


class Answer(NamedTuple):
    """What a call has returned.

    Attributes:
        value: Its value.
        failure: The error that it has raised, None if it has raised none.
        stop_asked: Whether the user has asked for the end of the search.
    """

    value: Any
    failure: Failure | None = None
    stop_asked: bool = False

    def result(self) -> Any:
        """Return the value, or raise the error."""
        if self.failure is not None:
            raise self.failure.error()
        return self.value


def answered(function: Callable[[], Any]) -> Answer:
    """Return what a function returns or raises.

    >>> answered(lambda: 1).result()
    1
    >>> answered(lambda: {}["x"]).result()
    Traceback (most recent call last):
    KeyError: 'x'
    """
    try:
        return Answer(function())
    except Exception as error:
        return Answer(None, Failure.of(error))
