"""Where a chief listens."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

_IP, _PORT = "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"
_MAX_PORT = 65535


@dataclass(frozen=True)
class Address:
    """Where a chief listens.

    Args:
        host: The name of a machine, or an IP address.
        port: From 1 to 65535.

    >>> str(Address("10.0.0.1", 8000)), str(Address("::1", 8000))
    ('10.0.0.1:8000', '[::1]:8000')
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def check_free(self) -> None:
        """Raise unless this process can listen there.

        Raises:
            OSError: It is no address of this machine, or another process listens there.
        """
        errors = [error for place in self._places() if (error := _error_of(*place))]
        used = [error for error in errors if error.errno == errno.EADDRINUSE]
        if used:
            raise OSError(
                errno.EADDRINUSE,
                f"Another process listens at {self}, perhaps the chief of an earlier search.  End "
                f"it, or choose another `{_PORT}`.  (Every process whose `KERASTUNER_TUNER_ID` "
                'contains "chief" is a chief.)',
            )
        if len(errors) == len(self._places()):
            raise OSError(
                errors[0].errno,
                f"The chief cannot listen at {self} ({errors[0].strerror}).  `{_IP}` must be an "
                "address of the machine on which the chief runs.",
            )

    def _places(self) -> list[tuple[int, tuple[object, ...]]]:
        """Return the families and addresses of sockets that the host stands for."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise OSError(
                error.errno,
                f"`{_IP}` must be an IP address or the name of a machine, got {self.host!r} "
                f"({error.strerror}).",
            ) from error
        return [(int(family), place) for family, _, _, _, place in found]


def address_from_environment() -> Address:
    """Return the chief's address as the environment variables give it.

    Raises:
        ValueError: The port is none.
    """
    host, port = os.environ[_IP], os.environ.get(_PORT, "")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _MAX_PORT):
        raise ValueError(f"`{_PORT}` must be a number from 1 to {_MAX_PORT}, got {port!r}.")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def _error_of(family: int, place: tuple[object, ...]) -> OSError | None:
    """Return why nothing can listen at a place, None if something can."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC does
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(place)
            one.listen(1)
    except OSError as error:
        return error
    return None
