"""Calls over a connection, from a process that trains to the one that has the oracle.

A call over Ray takes two milliseconds of processor time, that of both processes together; one over
a connection of its own takes a tenth of that.  Ray stays the way to find the other process, also
when that was started anew, and takes the calls where no connection can be made.
"""

from __future__ import annotations

import os
import pickle
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any, NamedTuple

from kt_extras.parallel.answers import Answer, Failure

_ATTEMPTS = 3  # to connect
_PATIENCE = 10.0  # seconds for each
_PAUSE = 0.2  # seconds between two of them
_BROKEN = (OSError, EOFError, AuthenticationError)


class Contact(NamedTuple):
    """Where calls are answered.

    Attributes:
        address: Host and port.
        key: What a caller must know.
    """

    address: tuple[str, int]
    key: bytes


class CallServer:
    """Answers calls, those of each connection in a thread of its own.

    Args:
        host: The address to listen at, and at no other.
        answer: Takes the arguments of a call and returns its answer; several threads call it.

    Attributes:
        contact: What a caller needs to know.
    """

    def __init__(self, host: str, answer: Callable[..., Answer]) -> None:
        self._answer = answer
        self._socket = socket.create_server((host, 0))
        self.contact = Contact(self._socket.getsockname()[:2], os.urandom(32))
        _start(self._accept)

    def close(self) -> None:
        """Take no more connections."""
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                _start(self._serve, _connection(self._socket.accept()[0]))

    def _serve(self, connection: Connection) -> None:
        """Answer calls until the caller ends."""
        with connection, suppress(*_BROKEN):
            deliver_challenge(connection, self.contact.key)
            answer_challenge(connection, self.contact.key)
            while True:
                connection.send_bytes(self._reply(connection.recv_bytes()))

    def _reply(self, received: bytes) -> bytes:
        from ray import cloudpickle

        try:
            return cloudpickle.dumps(self._answer(*pickle.loads(received)))
        except Exception as error:  # something cannot be sent
            return pickle.dumps(Answer(None, Failure.of(error)))


class DirectCalls:
    """Makes calls to an actor, again if that dies and is started anew.

    Args:
        ray: The module.
        actor: The handle of the actor.  Its method `contact` returns an `Answer` with the contact
            of its `CallServer`, and its method `call` answers as that does.
    """

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        self._connection: Connection | None = None
        self._connects = True

    def call(self, *args: Any) -> Any:
        """Return the `Answer` to a call, which may come to the actor twice.

        Raises:
            ray.exceptions.RayError: The actor has ended for good.
        """
        sent = self._ray.cloudpickle.dumps(args)
        while self._connects:
            with suppress(*_BROKEN):  # once more, if the actor has died
                received = self._exchanged(sent)
                break
        else:
            return self._ray.get(self._actor.call.remote(*args))
        return pickle.loads(received)

    def _exchanged(self, sent: bytes) -> bytes:
        connection = self._connection or self._connected()
        self._connection = None  # if this is interrupted, the answer would be that of the next call
        connection.send_bytes(sent)
        received = connection.recv_bytes()
        self._connection = connection
        return received

    def _connected(self) -> Connection:
        """Return a connection to the actor.

        Raises:
            OSError: None can be made.
        """
        for _ in range(_ATTEMPTS):
            contact = self._ray.get(self._actor.contact.remote()).result()
            with suppress(*_BROKEN):
                found = _connection(socket.create_connection(contact.address, _PATIENCE))
                answer_challenge(found, contact.key)
                deliver_challenge(found, contact.key)
                return found
            time.sleep(_PAUSE)  # the actor may have died since it has answered
        self._connects = False
        raise OSError(f"Nothing answers at {contact.address}.")


def _connection(made: socket.socket) -> Connection:
    made.settimeout(None)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Connection(made.detach())


def _start(target: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=target, args=args, name="kt_extras-calls", daemon=True).start()
