"""What processes on other machines need of the driver: its folders."""

from __future__ import annotations

import os
import socket
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Where the driver of a search runs.

    Attributes:
        folder: Its working directory.
        modules: Where it finds modules.
        token: The path of a file in the project's directory, which every process must see.
    """

    folder: str
    modules: tuple[str, ...]
    token: str

    @classmethod
    def of(cls, project: str) -> Place:
        """Return the place of this process, once the file that all must see is written.

        Args:
            project: Path of the project's directory.
        """
        token = Path(project).absolute() / f".seen-{uuid.uuid4().hex}"
        token.parent.mkdir(parents=True, exist_ok=True)
        token.touch()
        modules = tuple(path for path in map(os.path.abspath, sys.path) if os.path.isdir(path))
        return cls(os.getcwd(), modules, str(token))

    def enter(self) -> None:
        """Let this process find what the driver finds.

        Raises:
            FileNotFoundError: It does not see the project's directory.
        """
        if not os.path.exists(self.token):
            raise FileNotFoundError(
                f"`directory` must be one that all workers see, but {os.path.dirname(self.token)} "
                f"of the driver is not there on {socket.gethostname()}.  Choose a directory on a "
                "disk that all machines share."
            )
        if os.path.isdir(self.folder):
            os.chdir(self.folder)
        others = [path for path in sys.path if os.path.abspath(path) not in self.modules]
        sys.path[:] = [*self.modules, *others]  # in the driver's order

    def remove_token(self) -> None:
        """Remove the file."""
        Path(self.token).unlink(missing_ok=True)
