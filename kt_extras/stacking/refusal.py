"""The exception for models that cannot be trained as one program."""

from __future__ import annotations

from collections.abc import Sequence


class NotStackable(Exception):  # noqa: N818 - it is an answer, not a fault
    """Models cannot be trained as one program; nothing of them was changed.

    Args:
        reason: Why; part of a sentence.
        rows: The rows of the stack that the reason is about. Defaults to all.

    >>> str(NotStackable("the optimizer accumulates gradients"))
    'the optimizer accumulates gradients'
    """

    def __init__(self, reason: str, rows: Sequence[int] = ()) -> None:
        super().__init__(reason)
        self.reason, self.rows = reason, tuple(rows)
