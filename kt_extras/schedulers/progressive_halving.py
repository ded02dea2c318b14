"""Successive halving with a last rung that is moved up only while the order of the best trials
still changes: PASHA (Bohdal et al., "PASHA: Efficient HPO and NAS with Progressive Resource
Allocation", ICLR 2023).

The two highest rungs that are open are compared.  Losses that differ by less than epsilon count as
equal: the *soft ranking* of the paper.  Epsilon is the 90% quantile of the differences between
trials whose curves cross and cross back, as the order of such trials is a matter of noise.
"""  # noqa: D205 - the title is long

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kt_extras.arrays import FloatArray, IntArray, Mask
from kt_extras.schedulers.rungs import best_of
from kt_extras.schedulers.scheduler import PlannedRung, Step
from kt_extras.schedulers.successive_halving import SuccessiveHalving
from kt_extras.search import Forecaster, History, State

_OF_DIFFERENCES = 0.9  # quantile that epsilon is
_MAX_CURVES = 100  # that are compared in pairs to find epsilon, the best ones


@dataclass(frozen=True)
class ProgressiveHalving:
    """Promotes trials as `SuccessiveHalving` does, to no higher a rung than their order requires.

    At first only the two lowest rungs are open.  When trials that have reached the higher one are
    not in the same order there as in the rung below, the next rung is opened, and so on up to
    `max_epochs`.  Where the order is settled early, a search takes a fraction of the epochs, and
    its best trials have not been trained to the end.

    Args:
        max_epochs: Number of epochs of the last rung.
        min_epochs: Number of epochs of the first rung. Defaults to 1.
        reduction_factor: One of this many trials in a rung is promoted to the next, at least 2.
            Defaults to 3.
        forecaster: As for `SuccessiveHalving`. Defaults to None.

    Raises:
        ValueError: An argument is out of its range.

    >>> from kt_extras.search import Float, History, Space, State
    >>> halving = ProgressiveHalving(max_epochs=27)
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> for number, curve in enumerate([[0.5, 0.3, 0.2], [0.4, 0.3, 0.1]]):
    ...     _ = history.start({"x": number / 2})
    ...     for step, loss in enumerate(curve):
    ...         history.report(number, step, loss)
    ...     history.finish(number, State.PAUSED, curve[-1])
    >>> halving.open_part(history).levels  # trial 1 is better after 1 and after 3 epochs
    (1, 3)
    >>> history.report(0, step=2, loss=0.05)
    >>> halving.open_part(history).levels
    (1, 3, 9)
    """

    max_epochs: int
    min_epochs: int = 1
    reduction_factor: int = 3
    forecaster: Forecaster | None = None
    resumes = True
    revives = False

    def __post_init__(self) -> None:
        _ = self.whole  # checks the arguments

    @cached_property
    def whole(self) -> SuccessiveHalving:
        """Successive halving with all rungs, open or not."""
        return SuccessiveHalving(
            self.max_epochs, self.min_epochs, self.reduction_factor, forecaster=self.forecaster
        )

    def open_part(self, history: History) -> SuccessiveHalving:
        """Return successive halving with the rungs that are open now."""
        return replace(self.whole, max_epochs=self.whole.levels[self._top(history)])

    def next_step(self, history: History, *, seed: int, may_start: bool) -> Step | None:
        """Promote a trial within the open rungs, or start one if none can be promoted."""
        return self.open_part(history).next_step(history, seed=seed, may_start=may_start)

    def goes_on(self, history: History, number: int, *, seed: int, may_start: bool) -> int:
        """Promote a running trial if it would be resumed first after a pause."""
        return self.open_part(history).goes_on(history, number, seed=seed, may_start=may_start)

    def needed(self, history: History, *, max_trials: int | None) -> IntArray:
        """Return the last epoch of each trial that may still be promoted, to any rung."""
        return self.whole.needed(history, max_trials=max_trials)

    def plan(self, max_trials: int | None) -> Sequence[PlannedRung]:
        """Return the rungs that are open from the beginning; others depend on the losses."""
        return self.whole.plan(max_trials)[:2]

    def _top(self, history: History) -> int:
        """Return the index of the highest open rung; one that has been used remains open."""
        levels, longest = self.whole.levels, int(history.epochs.max(initial=0))
        top = min(max(sum(level < longest for level in levels), 1), len(levels) - 1)
        opens = top + 1 < len(levels) and not self._same_order(history, top)
        return top + int(opens)

    def _same_order(self, history: History, top: int) -> bool:
        """Return whether the trials of a rung are in the same order as in the rung below.

        At each place of the order must be a trial that is equal, within epsilon, to the trial that
        had the place in the rung below.
        """
        below, level = self.whole.levels[top - 1 : top + 1]
        there = np.flatnonzero(_at(history, level)).tolist()
        pairs = [history.curve(number).losses[[below - 1, level - 1]] for number in there]
        losses = np.array(pairs).reshape(-1, 2)
        before, after = losses[np.isfinite(losses).all(axis=1)].T
        shifts = np.abs(np.sort(before) - before[np.lexsort((before, after))])
        return bool(np.all(shifts <= 0)) or bool(np.all(shifts <= self._epsilon(history, top)))

    def _epsilon(self, history: History, top: int) -> float:
        """Return epsilon for the highest rung in which curves cross twice, 0 if there is none."""
        for level in reversed(self.whole.levels[: top + 1]):
            members = _at(history, level)
            numbers = best_of(history, members, level, _MAX_CURVES).tolist()
            curves = [history.curve(number).losses[:level] for number in numbers]
            if len(curves) > 1 and len(differences := noisy_differences(np.array(curves))):
                return float(np.quantile(differences, _OF_DIFFERENCES))
        return 0.0


def _at(history: History, level: int) -> Mask:
    """Return which trials have trained for so many epochs, shape ``(n,)``."""
    there: Mask = (history.epochs >= level) & (history.states != State.INFEASIBLE)
    return there


def noisy_differences(curves: FloatArray) -> FloatArray:
    """Return the last differences between curves that cross and cross back.

    Args:
        curves: Shape ``(n, epochs)``: losses, NaN where there is none.  Left out are curves that
            diverge, and then epochs without a loss of each.

    Returns:
        Shape ``(pairs,)``, for the pairs of which the order changes at least twice.

    >>> noisy_differences(np.array([[3.0, 2.0, 1.0], [2.9, 2.1, 0.8], [2.0, 1.0, 0.0]])).round(2)
    array([0.2])
    """
    curves = curves[~np.isinf(curves).any(axis=1)]
    curves = curves[:, ~np.isnan(curves).any(axis=0)]
    if not curves.size:
        return np.empty(0)
    i, j = np.triu_indices(len(curves), 1)
    signs = (curves[i] > curves[j]).astype(int) - (curves[i] < curves[j])
    for epoch in range(1, curves.shape[1]):  # where two are equal, the order stays what it was
        signs[:, epoch] += np.where(signs[:, epoch] == 0, signs[:, epoch - 1], 0)
    changes = np.sum(signs[:, 1:] * signs[:, :-1] < 0, axis=1)
    differences: FloatArray = np.abs(curves[i, -1] - curves[j, -1])[changes >= 2]
    return differences
