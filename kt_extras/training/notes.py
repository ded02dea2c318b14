"""Sentences that a search prints once."""

from __future__ import annotations

import sys

from tqdm import tqdm


class Notes:
    """Prints sentences, each once, above a progress line.

    Args:
        visible: Whether to print anything.

    >>> notes = Notes(visible=True)
    >>> notes.add("Trials share a file.")
    Trials share a file.
    >>> notes.add("Trials share a file.")
    """

    def __init__(self, *, visible: bool) -> None:
        self._visible = visible
        self._said: set[str] = set()

    def add(self, text: str) -> None:
        """Print a sentence, unless it was printed before."""
        if self._visible and text not in self._said:
            tqdm.write(text, file=sys.stdout)
        self._said.add(text)
