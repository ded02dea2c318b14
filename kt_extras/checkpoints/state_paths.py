"""The files with the full state of trials that may be resumed."""

from __future__ import annotations

import re
import shutil
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from kt_extras.atomic_files import atomic_write

_NAME = "state-{:05d}.npz"
_PATTERN = re.compile(r"state-(\d{5,})\.npz")
# What `zipfile` raises for damaged bytes.
_DAMAGED = (EOFError, NotImplementedError, OSError, ValueError, zipfile.BadZipFile, zlib.error)


class StateFiles:
    """Returns the path of a trial's state at an epoch, and removes states that are not needed.

    Args:
        directory: The project directory, with a directory for each trial, as in KerasTuner.

    >>> StateFiles(Path("runs")).path("0007", 9).as_posix()
    'runs/trial_0007/state-00009.npz'
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, set[int]] | None = None

    def path(self, trial_id: str, epochs: int) -> Path:
        """Return the path of the state of a trial after a number of epochs, existing or not."""
        return self._directory / f"trial_{trial_id}" / _NAME.format(epochs)

    def exists(self, trial_id: str, epochs: int) -> bool:
        """Tell whether there is a state, with a warning if there is one that cannot be read."""
        path = self.path(trial_id, epochs)
        if not path.exists():
            return False
        if not (whole := _is_whole(path)):
            warnings.warn(
                f"Skipped {path}, which is empty or damaged, as after a loss of power: what "
                "needs it is trained again from an older state, or from the beginning.",
                stacklevel=2,
            )
        return whole

    def copy(self, parent: str, child: str, epochs: int) -> None:
        """Copy the state of a trial after a number of epochs to another trial."""
        with (
            self.path(parent, epochs).open("rb") as source,
            atomic_write(self.path(child, epochs)) as target,
        ):
            shutil.copyfileobj(source, target)
        self.written(child, epochs)

    def written(self, trial_id: str, epochs: int) -> None:
        """Record that a state was written, perhaps by another process."""
        self._all().setdefault(trial_id, set()).add(epochs)

    def forget(self, needed: Mapping[str, int]) -> None:
        """Remove states that are not needed.

        Args:
            needed: For each trial, the lowest number of epochs whose state is still needed.
        """
        for trial_id, states in self._all().items():
            over = {epochs for epochs in states if epochs < needed.get(trial_id, 0)}
            for epochs in over:
                self.path(trial_id, epochs).unlink(missing_ok=True)
            states -= over

    def _all(self) -> dict[str, set[int]]:
        """Return the epochs of the states of each trial; the directory is read once."""
        if self._known is None:
            self._known = {}
            for file in self._directory.glob("trial_*/state-*.npz"):
                if match := _PATTERN.fullmatch(file.name):
                    trial_id = file.parent.name.removeprefix("trial_")
                    self._known.setdefault(trial_id, set()).add(int(match[1]))
        return self._known


def _is_whole(path: Path) -> bool:
    """Tell whether all bytes of a state are those that were written."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except _DAMAGED:
        return False
