"""Asynchronous successive halving (Li et al., "A System for Massively Parallel Hyperparameter
Tuning", MLSys 2020, algorithm 2).

Notation: r is `min_epochs`, R is `max_epochs`, eta is `reduction_factor`.

With a forecaster, losses and forecasts decide together: among the 2k trials with the lowest losses,
the k with the lowest sum of two ranks, by loss and by forecast, are promoted.  Losses after few
epochs are noisy, and a forecast is based on the losses of all trials.
"""  # noqa: D205 - the title is long

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from kt_extras.arguments import check_integer, check_protocol
from kt_extras.arrays import FloatArray, IntArray, Mask
from kt_extras.schedulers.rungs import NEVER, best_of, first_paused, reached, rungs
from kt_extras.schedulers.scheduler import PlannedRung, Resume, Start, Step
from kt_extras.search import Forecaster, History, State

_STREAM = 0x5A1  # keeps the draws of forecasts apart from others with the same seed


@dataclass(frozen=True)
class SuccessiveHalving:
    """Trains every trial for few epochs, and the best 1/eta of each rung eta times as long.

    Args:
        max_epochs: Number of epochs of the last rung.
        min_epochs: Number of epochs of the first rung. Defaults to 1.
        reduction_factor: One of this many trials in a rung is promoted to the next, at least 2.
            Defaults to 3.
        mode: `"promotion"` or `"stopping"`. With `"promotion"` a trial pauses at each rung, and a
            free worker resumes the best one that can be promoted, highest rung first, or begins a
            new trial. With `"stopping"` a trial continues at once if it is among the best at its
            rung so far, and is pruned otherwise. Defaults to `"promotion"`.
        forecaster: Predicts the losses of trials at the end of training; None to compare their
            losses alone, as the paper does. `"stopping"` does not use it. Defaults to None.

    Raises:
        ValueError: An argument is out of its range.

    >>> from kt_extras.search import Float, History, Space, State
    >>> halving = SuccessiveHalving(max_epochs=9, reduction_factor=3)
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> for number, loss in enumerate([0.5, 0.3, 0.4]):
    ...     _ = history.start({"x": loss})
    ...     history.report(number, step=0, loss=loss)
    ...     history.finish(number, State.PAUSED, loss)
    >>> halving.next_step(history, seed=0, may_start=True)
    Resume(number=1, until=3, parent=None, point=None)
    """

    max_epochs: int
    min_epochs: int = 1
    reduction_factor: int = 3
    mode: str = "promotion"
    forecaster: Forecaster | None = None
    revives = False

    def __post_init__(self) -> None:
        if self.mode not in ("promotion", "stopping"):
            raise ValueError(f"`mode` must be 'promotion' or 'stopping', got {self.mode!r}.")
        check_integer("max_epochs", self.max_epochs, minimum=1)
        if self.forecaster is not None:
            check_protocol("forecaster", self.forecaster, Forecaster, "forecast")
        _ = self.levels

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Number of epochs of each rung."""
        return rungs(self.max_epochs, self.min_epochs, self.reduction_factor)

    @property
    def resumes(self) -> bool:
        """Whether trials pause."""
        return self.mode == "promotion"

    def next_step(self, history: History, *, seed: int, may_start: bool) -> Step | None:
        """Promote a trial, or start one if none can be promoted."""
        if self.resumes:
            paused = history.states == State.PAUSED
            busy = bool(np.any(history.states == State.RUNNING))
            closed = not may_start and not busy
            promotion = self._promotion(history, paused, seed=seed, closed=closed)
            if promotion is not None:
                return promotion
        return Start(self.levels[0]) if may_start else None

    def goes_on(self, history: History, number: int, *, seed: int, may_start: bool) -> int:
        """Promote a running trial if it would be resumed first after a pause."""
        epochs = int(history.epochs[number])
        if not self.resumes:
            return self._next_level(history, number, epochs)
        paused = history.states == State.PAUSED
        paused[number] = True
        others = history.states == State.RUNNING
        others[number] = False
        closed = not may_start and not bool(others.any())
        promotion = self._promotion(history, paused, seed=seed, closed=closed)
        return promotion.until if promotion and promotion.number == number else epochs

    def needed(self, history: History, *, max_trials: int | None) -> IntArray:
        """Return the last epoch of each trial that may still be promoted."""
        needed = history.epochs.copy()
        if not self.resumes:
            needed[:] = NEVER
            return needed
        ended = (history.states != State.PAUSED) & (history.states != State.RUNNING)
        needed[ended] = NEVER
        if max_trials is not None:
            needed[self._beaten(history, max_trials)] = NEVER
        return needed

    def plan(self, max_trials: int | None) -> Sequence[PlannedRung]:
        """Return the smallest sizes of the rungs; early promotions may add trials to them."""
        if max_trials is None:
            return []
        sizes = halved(max_trials, len(self.levels), self.reduction_factor)
        return planned(0, self.levels, sizes)

    def _promotion(
        self, history: History, paused: Mask, *, seed: int, closed: bool
    ) -> Resume | None:
        """Return the promotion of the best trial of the highest rung that has one to promote.

        Args:
            history: All trials.
            paused: Shape ``(n,)``: which of them are paused.
            seed: Seed of the search.
            closed: Whether no trial is running or may be started. Then each rung promotes at least
                its best trial, so that one trial trains to the end.
        """
        forecast = cache(lambda: self._forecast(history, seed))
        steps = list(zip(self.levels, self.levels[1:], strict=False))
        for level, above in reversed(steps):
            members = self._members(history, level)
            count = max(int(members.sum()) // self.reduction_factor, int(closed))
            top = best_of(history, members, level, self._shortlist * count)
            if first_paused(top, paused, history, above) is None:
                continue  # with any forecast
            number = first_paused(_by_both(top, forecast())[:count], paused, history, above)
            if number is not None:
                return Resume(number, above)
        return None

    def _members(self, history: History, level: int) -> Mask:
        """Return which trials are compared at a rung.

        These are the trials that have reached it or were pruned on the way from the rung below, and
        those that completed earlier.  A trial that was pruned in a lower rung is not one of them:
        it would let one more be promoted for every few that are stopped.
        """
        below = max((rung for rung in self.levels if rung < level), default=0)
        lower = (history.states == State.PRUNED) & (history.epochs <= below)
        members: Mask = reached(history, level) & ~lower
        return members

    @property
    def _shortlist(self) -> int:
        """Number of trials that are considered for each promotion."""
        return 1 if self.forecaster is None else 2

    def _forecast(self, history: History, seed: int) -> FloatArray | None:
        if self.forecaster is None:
            return None
        trained = int(history.epochs.sum())
        return self.forecaster.forecast(history, np.random.default_rng([seed, _STREAM, trained]))

    def _next_level(self, history: History, number: int, epochs: int) -> int:
        """Return the epochs of the next rung for a trial that is among the best of this one."""
        members = self._members(history, epochs)
        count = max(int(members.sum()) // self.reduction_factor, 1)
        if number not in best_of(history, members, epochs, count):
            return epochs
        return next((level for level in self.levels if level > epochs), epochs)

    def _beaten(self, history: History, max_trials: int) -> IntArray:
        """Return the paused trials that can only be promoted if a better one fails.

        If that happens, the promoted trial is trained again from its first epoch.
        """
        beaten = []
        for level, above in zip(self.levels, self.levels[1:], strict=False):
            members = self._members(history, level)
            promoted = max(max_trials // self.reduction_factor, 1)  # at most, from any rung
            ranked = best_of(history, members, level, len(history))[self._shortlist * promoted :]
            paused = (history.states == State.PAUSED) & (history.epochs < above)
            beaten += [number for number in ranked if paused[number]]
        return np.array(beaten, dtype=np.int64)


def _by_both(ranked: IntArray, forecast: FloatArray | None) -> IntArray:
    """Return trials by the sum of two ranks, in the given order and by forecast.

    >>> _by_both(np.array([4, 0, 2]), np.array([0.1, 0.0, 0.5, 0.0, 0.9])).tolist()
    [0, 4, 2]
    """
    if forecast is None:
        return ranked
    by_forecast = np.argsort(np.argsort(forecast[ranked], kind="stable"))
    ranks = np.arange(len(ranked)) + by_forecast
    return ranked[np.argsort(ranks, kind="stable")]


def halved(trials: int, levels: int, reduction_factor: int) -> list[int]:
    """Return how many trials reach each rung if one in eta is promoted, and at least one.

    >>> halved(20, 4, 3)
    [20, 6, 2, 1]
    """
    sizes = [trials]
    while len(sizes) < levels:
        sizes.append(max(sizes[-1] // reduction_factor, 1))
    return sizes


def planned(bracket: int, levels: Sequence[int], sizes: Sequence[int]) -> list[PlannedRung]:
    """Return the rungs of a bracket with the epochs trained to reach them."""
    below = (0, *levels)
    return [
        PlannedRung(bracket, level, size, size * (level - before))
        for before, level, size in zip(below, levels, sizes, strict=False)
    ]
