"""The states of a trial, and their names for KerasTuner and for samplers."""

from __future__ import annotations

from enum import Enum

from keras_tuner.engine.trial import TrialStatus

from kt_extras.search import State


class TrialState(str, Enum):
    """The state of a trial.

    A state equals its name in records and tables: `TrialState.PRUNED == "pruned"`.

    >>> TrialState("pruned").is_finished, TrialState.PAUSED.is_finished
    (True, False)
    """

    RUNNING = "running"
    """A worker trains it, or trained it when the last session ended."""

    WAITING = "waiting"
    """An attempt failed; the trial will be run again."""

    PAUSED = "paused"
    """It has trained the epochs of its scheduler, which may resume it with more."""

    COMPLETED = "completed"
    """It has trained to its end and has a score."""

    PRUNED = "pruned"
    """It was stopped early because its curve was not worth more epochs; it has a score."""

    INFEASIBLE = "infeasible"
    """It cannot run (too large, out of memory), or its objective is not a finite number."""

    FAILED = "failed"
    """It crashed in each of its attempts."""

    REJECTED = "rejected"
    """The user's `constraint` refused its model before it was trained; not counted as a trial."""

    __str__ = str.__str__

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will be trained."""
        return self not in _UNFINISHED

    @property
    def is_open(self) -> bool:
        """Whether a worker has the trial, or will be given it before any new one."""
        return self in _OPEN

    @property
    def succeeded(self) -> bool:
        """Whether it has trained without a failure, as far as it was asked to."""
        return self in _SUCCEEDED

    @property
    def observed(self) -> State:
        """The state that samplers, pruners and schedulers see."""
        return _OBSERVED[self]

    def status(self, *, scored: bool) -> str:
        """Return KerasTuner's status.

        Args:
            scored: Whether the trial has a finite score.  A trial that crashes after a pause keeps
                the score of its pause, and has the status COMPLETED in KerasTuner.
        """
        if self in _STATUS:
            return _STATUS[self]
        if scored:
            return str(TrialStatus.COMPLETED)
        return str(TrialStatus.IDLE if self in _SUCCEEDED else TrialStatus.FAILED)


_OPEN = frozenset({TrialState.RUNNING, TrialState.WAITING})
_UNFINISHED = _OPEN | {TrialState.PAUSED}
_SUCCEEDED = frozenset({TrialState.COMPLETED, TrialState.PRUNED, TrialState.PAUSED})
_STATUS = {
    TrialState.RUNNING: TrialStatus.RUNNING,
    TrialState.WAITING: TrialStatus.INVALID,
    TrialState.REJECTED: TrialStatus.FAILED,
}
_OBSERVED = {
    TrialState.RUNNING: State.RUNNING,
    TrialState.WAITING: State.RUNNING,
    TrialState.PAUSED: State.PAUSED,
    TrialState.COMPLETED: State.COMPLETED,
    TrialState.PRUNED: State.PRUNED,
    TrialState.INFEASIBLE: State.INFEASIBLE,
    TrialState.FAILED: State.INFEASIBLE,
    TrialState.REJECTED: State.INFEASIBLE,
}
