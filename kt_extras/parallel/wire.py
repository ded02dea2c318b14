"""What chief and workers say to each other beside KerasTuner's messages.

KerasTuner's requests do not say which worker sends them.  Ours say so in gRPC's metadata, together
with the number of the call, so that one that is repeated is done once.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from typing import Any

import keras_tuner

WORKER, NUMBER = "kt-extras-worker-bin", "kt-extras-call"  # with a call
TAKEN, KIND = "kt-extras-taken", "kt-extras-error"  # with an error
WORKERS = "kt_extras.Workers"  # the service that takes heartbeats
MAX_TEXT = 3000  # characters of an error; gRPC limits the size of what comes with a status

#: For both sides: whatever a message holds is received.
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

_ERRORS = {
    kind.__name__: kind
    for kind in (
        keras_tuner.errors.FatalValueError,
        keras_tuner.errors.FatalTypeError,
        keras_tuner.errors.FatalRuntimeError,
        keras_tuner.errors.FatalError,
        KeyError,
        TypeError,
        ValueError,
    )
}
_PROCESS = re.compile(r"(?P<tuner>.*)@[0-9a-f]{8}", re.DOTALL)


class ChiefError(keras_tuner.errors.FatalRuntimeError):
    """There is no chief that goes on with the search."""


class SearchOverError(ChiefError):
    """The search has ended, and its chief with it."""


def process_name(tuner_id: str) -> str:
    """Return a name for this process, which no other one has, also not one started anew.

    Args:
        tuner_id: What the user calls the worker.

    >>> tuner_of(process_name("worker-1"))
    'worker-1'
    """
    return f"{tuner_id}@{uuid.uuid4().hex[:8]}"


def tuner_of(worker: str) -> str | None:
    """Return what the user calls the worker of a process, None if that has no name of its own.

    >>> tuner_of("worker-1@0123abcd"), tuner_of("worker@host")
    ('worker-1', None)
    """
    match = _PROCESS.fullmatch(worker)
    return match["tuner"] if match else None


def kind_of(error: BaseException) -> str | None:
    """Return the class of an error that a worker's own call has caused, None for another error.

    >>> kind_of(KeyError("0009")), kind_of(OSError())
    ('KeyError', None)
    """
    names = (kind.__name__ for kind in type(error).__mro__)
    return next((name for name in names if name in _ERRORS), None)


def error_of(kind: str, text: str) -> Exception:
    """Return the error that `kind_of` has named.

    Args:
        kind: What that has returned.
        text: What the error says.
    """
    return _ERRORS.get(kind, RuntimeError)(text)


def text_of(error: BaseException) -> str:
    """Return what an error says, as far as it may be sent.

    >>> text_of(KeyError("no such trial"))
    'no such trial'
    """
    alone = isinstance(error, KeyError) and len(error.args) == 1
    return str(error.args[0] if alone else error)[:MAX_TEXT]


def entries(metadata: Iterable[tuple[str, Any]] | None) -> dict[str, Any]:
    """Return gRPC's metadata as a dictionary."""
    return dict(metadata or ())
