"""Says to workers that come late that a search is over, when no chief is there to say so."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from kt_extras.atomic_files import replace_file
from kt_extras.oracles.oracle import SamplerOracle

FILE = "search_ended.json"


class EndedSearch:
    """A file in the project's directory that the chief writes when the search is over.

    It holds for searches with the same limits alone: with higher ones the search goes on.

    Args:
        project: The project's directory.
        oracle: The oracle of this process.
        overwrite: Whether the search begins anew, so that what is there already says nothing of it.
    """

    def __init__(self, project: Path, oracle: SamplerOracle, *, overwrite: bool = False) -> None:
        self._file, self._oracle = project / FILE, oracle
        self._since = time.time() if overwrite else 0.0

    def write(self) -> None:
        """Say that the search is over, if that can be written."""
        text = json.dumps({"limits": self._limits, "because": self._oracle.ended_because})
        with suppress(OSError):
            replace_file(self._file, text)

    def clear(self) -> None:
        """Say that the search goes on."""
        self._file.unlink(missing_ok=True)

    def reason(self) -> str | None:
        """Return why the search has ended, None if it is not known to have."""
        try:
            if self._file.stat().st_mtime < self._since:
                return None
            said = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return None
        because = said["because"] or "there is nothing left to try."
        return str(because) if said["limits"] == self._limits else None

    @property
    def _limits(self) -> str:
        return repr((self._oracle.max_trials, self._oracle.budget))
