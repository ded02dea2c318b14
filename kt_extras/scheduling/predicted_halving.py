"""Successive halving that promotes what is predicted to end best, not what is best so far.

The rungs, and how many of each go on, are those of asynchronous successive halving (Li et al.,
MLSys 2020); which of them do is settled by `kt_extras.search.curve_model`, after the idea of
freeze-thaw Bayesian optimisation (Swersky, Snoek & Adams, arXiv 1406.3896).  So a configuration
that learns slowly but surely gets its epochs, once longer trainings of its like have shown it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kt_extras.scheduling.rungs import NEVER, Mask, arrived, best_of, check_whole, rungs
from kt_extras.scheduling.scheduler import PlannedRung, Resume, Start, Step
from kt_extras.scheduling.successive_halving import halved, planned
from kt_extras.search import History, State
from kt_extras.search.curve_model import CurveModel
from kt_extras.search.history import IntArray


@dataclass(frozen=True)
class PredictedHalving:
    """Trains every trial a little, and 1/eta of each rung, the most promising, eta times as long.

    A rung sends one on whenever it has sent on fewer than 1/eta of those that arrived.

    Args:
        max_epochs: Epochs of a trial that reaches the last rung.
        min_epochs: Epochs of the first rung.
        reduction_factor: Of so many trials in a rung one goes on.
        startup_trials: Until there are so many trials the best so far goes on, at least 1.

    Raises:
        ValueError: An argument is out of its range.

    >>> from kt_extras.search import Float, Space
    >>> halving = PredictedHalving(max_epochs=9)
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> for loss in [0.5, 0.3, 0.4]:
    ...     number = history.start({"x": loss})
    ...     history.report(number, step=0, loss=loss)
    ...     history.finish(number, State.PAUSED, loss)
    >>> halving.next_step(history, seed=0, may_start=True)
    Resume(number=1, until=3, parent=None, point=None)
    """

    max_epochs: int
    min_epochs: int = 1
    reduction_factor: int = 3
    startup_trials: int = 10
    resumes = True
    revives = False

    def __post_init__(self) -> None:
        check_whole("startup_trials", self.startup_trials, least=1)
        _ = self.levels

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """The epochs of each rung."""
        return rungs(self.max_epochs, self.min_epochs, self.reduction_factor)

    def next_step(self, history: History, *, seed: int, may_start: bool) -> Step | None:
        """Promote a trial, or begin one."""
        resting = history.states == State.PAUSED
        busy = bool(np.any(history.states == State.RUNNING))
        promotion = self._promotion(history, resting, seed, closed=not may_start and not busy)
        if promotion is not None:
            return promotion
        return Start(self.levels[0]) if may_start else None

    def goes_on(self, history: History, number: int, *, seed: int, may_start: bool) -> int:
        """Promote a trial where it stands, if it is the one that would be promoted anyway."""
        resting = history.states == State.PAUSED
        others = history.states == State.RUNNING
        resting[number], others[number] = True, False
        closed = not may_start and not bool(others.any())
        promotion = self._promotion(history, resting, seed, closed=closed)
        promoted = promotion is not None and promotion.number == number
        return promotion.until if promotion and promoted else int(history.epochs[number])

    def needed(self, history: History, *, max_trials: int | None) -> IntArray:
        """Of each trial its last state, as long as it is not over."""
        needed = history.epochs.copy()
        needed[(history.states != State.PAUSED) & (history.states != State.RUNNING)] = NEVER
        return needed

    def plan(self, max_trials: int | None) -> Sequence[PlannedRung]:
        """Return what is trained."""
        if max_trials is None:
            return []
        sizes = halved(max_trials, len(self.levels), self.reduction_factor)
        return planned(0, self.levels, sizes)

    def _promotion(
        self, history: History, resting: Mask, seed: int, *, closed: bool
    ) -> Resume | None:
        """Return the most promising trial of the highest rung that has one to send on.

        Args:
            history: All trials.
            resting: Which of them wait.
            seed: The search's.
            closed: Whether no more trials will come to any rung by themselves; then each rung
                sends at least one on, so that the search ends with a trained model.
        """
        for level, above in reversed(list(zip(self.levels, self.levels[1:], strict=False))):
            members = arrived(history, level)
            due = int(members.sum()) // self.reduction_factor
            due = max(due, 1) if closed else due
            waiting = members & resting & (history.epochs < above)
            running = (history.states == State.RUNNING) & ~resting
            sent = members & ~waiting & (running | (history.epochs >= above))
            if waiting.any() and int(sent.sum()) < due:
                return Resume(self._most_promising(history, waiting, level, seed), above)
        return None

    def _most_promising(self, history: History, waiting: Mask, level: int, seed: int) -> int:
        """Return the waiting trial that is predicted to end best."""
        numbers = best_of(history, waiting, level, len(history))
        if len(history) < self.startup_trials:
            return int(numbers[0])
        rng = np.random.default_rng([seed, len(history), int(history.epochs.sum())])
        model = CurveModel.of(history, rng)
        if model is None:
            return int(numbers[0])
        mean, _ = model.at_trials(history, numbers)
        return int(numbers[np.argmin(mean)])
