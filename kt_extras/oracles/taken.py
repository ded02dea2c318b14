"""The error of a worker whose trial was given to another one."""

from __future__ import annotations


class TrialTakenError(Exception):
    """A worker was taken for dead, and its trial was given to another one.

    Args:
        trial_id: The trial.
    """

    def __init__(self, trial_id: str) -> None:
        super().__init__(trial_id)
        self.trial_id = trial_id

    def __str__(self) -> str:
        return (
            f"Trial {self.trial_id!r} was given to another worker, since this one was not heard "
            "from for too long."
        )
