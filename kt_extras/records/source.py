"""Where the records of a project are, for errors."""

from __future__ import annotations

import warnings
from pathlib import Path

from kt_extras.storage.errors import DamagedJournalError
from kt_extras.storage.journal import FILE_NAME
from kt_extras.storage.journal_snapshot import JournalSnapshot


class Source:
    """Where the records of a project are.

    Args:
        directory: The project's.
        storage: The URL of a database, None for a journal in the directory.
    """

    def __init__(self, directory: Path, storage: str | None = None) -> None:
        self.directory, self._storage = directory, storage

    def __str__(self) -> str:
        if self._storage is None:
            return str(self.directory)
        return f"the project {self.directory.name!r} in `storage`"

    def damaged(self, number: int, reason: str) -> DamagedJournalError:
        """Return the error for a record that cannot be applied.

        Args:
            number: Its number among those that are read, from 1.
            reason: What is wrong.

        >>> raise Source(Path("runs/digits")).damaged(7, "`step` must be an integer, got 'x'.")
        Traceback (most recent call last):
        kt_extras.storage.errors.DamagedJournalError: Record 7 of runs/digits is damaged: `step`
        must be an integer, got 'x'.  `python -m kt_extras repair runs/digits` saves what can be
        saved, and says what cannot.
        """
        place, where = str(self.directory), str(self)
        if self._storage is not None:
            place = f"--storage URL --project {self.directory.name}"
        else:
            number, where = self._line(number)
        return DamagedJournalError(
            f"Record {number} of {where} is damaged: {reason}  `python -m kt_extras repair {place}`"
            " saves what can be saved, and says what cannot."
        )

    def _line(self, number: int) -> tuple[int, str]:
        """Return the number of a record in the file that has it: the journal or its snapshot."""
        snapshot = JournalSnapshot(self.directory / FILE_NAME)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the reader has warned
            try:
                covered = snapshot.read()
            except DamagedJournalError:
                covered = None
        if covered is None:
            return number, str(self)
        inside = len(covered.records)
        if number <= inside:
            return number + 1, str(snapshot.path)  # which begins with its head
        return number - inside + covered.number, str(self)
