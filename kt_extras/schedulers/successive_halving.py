"""Asynchronous successive halving (Li et al., "A System for Massively Parallel Hyperparameter
Tuning", MLSys 2020, algorithm 2).

Notation: r is `min_epochs`, R is `max_epochs`, eta is `reduction_factor`.

With a forecaster the losses of a rung have half a say: of the twice as many trials with the lowest
losses those go on that have the lowest sum of two places, by loss and by forecast.  After a short
training losses are noisy, and what a model has learnt from all trials tells luck from merit.
"""  # noqa: D205 - the title is long

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.arrays import FloatArray, IntArray, Mask
from kt_extras.schedulers.rungs import NEVER, arrived, best_of, first_below, rungs
from kt_extras.schedulers.scheduler import PlannedRung, Resume, Start, Step
from kt_extras.search import Forecaster, History, State

_STREAM = 0x5A1


@dataclass(frozen=True)
class SuccessiveHalving:
    """Trains every trial a little, and the best 1/eta of each rung eta times as long.

    Args:
        max_epochs: Epochs of a trial that reaches the last rung.
        min_epochs: Epochs of the first rung.
        reduction_factor: Of so many trials in a rung one goes on.
        mode: `"promotion"`: a trial pauses at each rung, and a free worker resumes the best of
            those that may go on, from the highest rung, or begins a new trial.  `"stopping"`: a
            trial goes on at once if it is among the best so far, and is pruned otherwise.
        forecaster: What predicts how trials would end; None to go by their losses alone, as the
            paper does and as `"stopping"` does in any case.

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
        if self.mode not in {"promotion", "stopping"}:
            raise ValueError(f"`mode` must be 'promotion' or 'stopping', got {self.mode!r}.")
        check_integer("max_epochs", self.max_epochs, minimum=1)
        _ = self.levels

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """The epochs of each rung."""
        return rungs(self.max_epochs, self.min_epochs, self.reduction_factor)

    @property
    def resumes(self) -> bool:
        """Whether trials pause."""
        return self.mode == "promotion"

    def next_step(self, history: History, *, seed: int, may_start: bool) -> Step | None:
        """Promote a trial, or begin one."""
        if self.resumes:
            resting = history.states == State.PAUSED
            busy = bool(np.any(history.states == State.RUNNING))
            closed = not may_start and not busy
            promotion = self._promotion(history, resting, seed=seed, closed=closed)
            if promotion is not None:
                return promotion
        return Start(self.levels[0]) if may_start else None

    def goes_on(self, history: History, number: int, *, seed: int, may_start: bool) -> int:
        """Promote a trial where it stands, if it is the one that would be promoted anyway."""
        epochs = int(history.epochs[number])
        if not self.resumes:
            return self._next_level(history, number, epochs)
        resting = history.states == State.PAUSED
        resting[number] = True
        others = history.states == State.RUNNING
        others[number] = False
        closed = not may_start and not bool(others.any())
        promotion = self._promotion(history, resting, seed=seed, closed=closed)
        return promotion.until if promotion and promotion.number == number else epochs

    def needed(self, history: History, *, max_trials: int | None) -> IntArray:
        """Of each trial its last state, as long as it may be promoted."""
        needed = history.epochs.copy()
        if not self.resumes:
            needed[:] = NEVER
            return needed
        over = (history.states != State.PAUSED) & (history.states != State.RUNNING)
        needed[over] = NEVER
        if max_trials is not None:
            needed[self._beaten(history, max_trials)] = NEVER
        return needed

    def plan(self, max_trials: int | None) -> Sequence[PlannedRung]:
        """Return the least that is trained; early promotions may add to it."""
        if max_trials is None:
            return []
        sizes = halved(max_trials, len(self.levels), self.reduction_factor)
        return planned(0, self.levels, sizes)

    def _promotion(
        self, history: History, resting: Mask, *, seed: int, closed: bool
    ) -> Resume | None:
        """Return the best trial of the highest rung that may be promoted.

        Args:
            history: All trials.
            resting: Which of them wait.
            seed: The search's.
            closed: Whether no more trials will come to any rung by themselves; then each rung
                sends at least its best one on, so that the search ends with a trained model.
        """
        forecast = cache(lambda: self._forecast(history, seed))
        steps = list(zip(self.levels, self.levels[1:], strict=False))
        for level, above in reversed(steps):
            members = arrived(history, level)
            count = max(int(members.sum()) // self.reduction_factor, int(closed))
            top = best_of(history, members, level, self._shortlist * count)
            if first_below(top, resting, history, above) is None:
                continue  # nor can a forecast change that
            number = first_below(_by_both(top, forecast())[:count], resting, history, above)
            if number is not None:
                return Resume(number, above)
        return None

    @property
    def _shortlist(self) -> int:
        """How many trials are considered for each that is promoted."""
        return 1 if self.forecaster is None else 2

    def _forecast(self, history: History, seed: int) -> FloatArray | None:
        if self.forecaster is None:
            return None
        trained = int(history.epochs.sum())
        return self.forecaster.forecast(history, np.random.default_rng([seed, _STREAM, trained]))

    def _next_level(self, history: History, number: int, epochs: int) -> int:
        """Return the next rung for a trial that is among the best of this one so far."""
        members = arrived(history, epochs)
        count = max(int(members.sum()) // self.reduction_factor, 1)
        if number not in best_of(history, members, epochs, count):
            return epochs
        return next((level for level in self.levels if level > epochs), epochs)

    def _beaten(self, history: History, max_trials: int) -> IntArray:
        """Return the paused trials that cannot be promoted any more unless a better one fails.

        One that is promoted after such a failure is trained again from its beginning.
        """
        beaten = []
        for level, above in zip(self.levels, self.levels[1:], strict=False):
            members = arrived(history, level)
            most = max(max_trials // self.reduction_factor, 1)  # of a rung that all trials reach
            ranked = best_of(history, members, level, len(history))[self._shortlist * most :]
            paused = (history.states == State.PAUSED) & (history.epochs < above)
            beaten += [number for number in ranked if paused[number]]
        return np.array(beaten, dtype=np.int64)


def _by_both(ranked: IntArray, forecast: FloatArray | None) -> IntArray:
    """Return trials by the sum of two places: the one that they have, and that by forecast.

    >>> _by_both(np.array([4, 0, 2]), np.array([0.1, 0.0, 0.5, 0.0, 0.9])).tolist()
    [0, 4, 2]
    """
    if forecast is None:
        return ranked
    by_forecast = np.argsort(np.argsort(forecast[ranked], kind="stable"))
    places = np.arange(len(ranked)) + by_forecast
    return ranked[np.argsort(places, kind="stable")]


def halved(trials: int, levels: int, reduction_factor: int) -> list[int]:
    """Return how many trials reach each rung if each sends on one in eta, and at least one.

    >>> halved(20, 4, 3)
    [20, 6, 2, 1]
    """
    sizes = [trials]
    while len(sizes) < levels:
        sizes.append(max(sizes[-1] // reduction_factor, 1))
    return sizes


def planned(bracket: int, levels: Sequence[int], sizes: Sequence[int]) -> list[PlannedRung]:
    """Return the rungs of a bracket with what it takes to reach them."""
    below = (0, *levels)
    return [
        PlannedRung(bracket, level, size, size * (level - before))
        for before, level, size in zip(below, levels, sizes, strict=False)
    ]
