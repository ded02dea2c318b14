"""The values with which a member of a population goes on, chosen by a model: PB2 (Parker-Holder,
Nguyen & Roberts, "Provably Efficient Online Hyperparameter Optimization with Population-Based
Bandits", NeurIPS 2020).

A Gaussian process predicts the gain of an interval of training, which is how far the loss falls,
from the hyperparameters and the time; the point with the highest upper confidence bound is taken.
Intervals that still run count as they are predicted, so that members that take over side by side
get different points.  Other than in the paper, gains are standardised among the members of one
interval, since losses fall less and less, and choices have a part in the covariance, so that one
model chooses all hyperparameters.
"""  # noqa: D205 - the title is long

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from kt_extras.arrays import FloatArray, Mask
from kt_extras.schedulers.rungs import NEVER, loss_at
from kt_extras.schedulers.time_varying import TimeVarying
from kt_extras.search import History, Point, Space, State

_CONFIDENCE = 1.0  # number of standard deviations by which a gain is raised
_CANDIDATES = 512  # among which the model chooses: one half anywhere, one near the parent
_NEAR = 0.1  # standard deviation of a step from the parent on the unit cube
_MAX_OBSERVATIONS = 150  # of the regression, the latest ones


@dataclass(frozen=True)
class Intervals:
    """Intervals of training, of all members.

    Args:
        unit: Shape ``(n, d)``: the points on the unit cube, NaN where inactive.
        begins: Shape ``(n,)``: numbers of epochs at the beginning.
        gains: Shape ``(n,)``: differences between the loss before and after, `-inf` if the loss
            after is not finite, NaN while it is not known.
    """

    unit: FloatArray
    begins: FloatArray
    gains: FloatArray

    @classmethod
    def of(cls, history: History, interval: int, best: float, *, enough: int = NEVER) -> Intervals:
        """Return the intervals that have ended or are being trained.

        Before the first interval all members have the same loss.  Before one that began with a
        takeover it is the mean loss of the members that were best then.

        Args:
            history: All members.
            interval: Number of epochs of an interval.
            best: Fraction of the members that counts as the best.
            enough: Number of intervals that have ended after which those that began earlier are
                left out. Defaults to all.
        """
        epochs, states, known = history.epochs, history.states, 0
        rows: list[tuple[int, int, float]] = []
        for begin in range(int(epochs.max(initial=0)) // interval * interval, -1, -interval):
            ended = epochs >= begin + interval
            begun = (epochs > begin) & (states == State.PAUSED)
            runs = ~ended & (begun | ((epochs >= begin) & (states == State.RUNNING)))
            members = np.flatnonzero(runs | ended if known < enough else runs).tolist()
            losses = _losses_before(history, members, begin, best)
            for number, before in zip(members, losses, strict=True):
                after = loss_at(history, number, begin + interval) if ended[number] else math.nan
                gain = -math.inf if after == math.inf else before - after
                if gain != math.inf:  # no gain of a member that had diverged
                    rows.append((number, begin, gain))
                    known += int(ended[number])
        rows.sort()
        unit = [history.space.encode(history.point_at(n, begin)) for n, begin, _ in rows]
        begins, gains = np.array([row[1:] for row in rows], dtype=float).reshape(-1, 2).T
        return cls(np.array(unit).reshape(len(rows), len(history.space)), begins, gains)

    def scores(self) -> FloatArray:
        """Return the gains, standardised among those of the same beginning, NaN if not known.

        >>> Intervals(np.zeros((3, 1)), np.array([0, 0, 2]), np.array([1.0, 3.0, 9.0])).scores()
        array([-1.,  1.,  0.])
        """
        scores = self.gains.copy()
        for begin in np.unique(self.begins):
            there = (self.begins == begin) & ~np.isnan(self.gains)
            finite = there & np.isfinite(self.gains)
            if finite.any():
                scores[there] = np.maximum(self.gains[there], self.gains[finite].min())
                scores[there] -= scores[there].mean()
                scores[there] /= scores[there].std() or 1.0
            else:
                scores[there] = 0.0
        return scores


def chosen(
    history: History,
    parent: int,
    epoch: int,
    *,
    interval: int,
    best: float,
    mutable: Collection[str] | None,
    rng: np.random.Generator,
) -> Point:
    """Return the point with which a member goes on that takes over from another.

    Args:
        history: All members.
        parent: Number of the member whose state is taken over.
        epoch: Number of epochs after which it is.
        interval: Number of epochs from one comparison to the next.
        best: Fraction of the members that counts as the best.
        mutable: Names of the hyperparameters that may change, None for all.
        rng: Generator of all draws.
    """
    space, known = history.space, Intervals.of(history, interval, best, enough=_MAX_OBSERVATIONS)
    point = history.point_at(parent, epoch)
    points = _candidates(space, point, mutable, rng)
    begun = (history.epochs > epoch) | (history.states == State.RUNNING)
    taken = [point, *(history.point_at(n, epoch) for n in np.flatnonzero(begun).tolist())]
    points = [point for point in points if point not in taken] or points
    scores, times = known.scores(), known.begins / interval
    ended = np.flatnonzero(~np.isnan(scores))
    latest = ended[np.argsort(times[ended], kind="stable")[-_MAX_OBSERVATIONS:]]
    running = np.flatnonzero(np.isnan(scores))
    categorical: Mask = np.array([d.categorical for d in space.dimensions], dtype=bool)
    if not len(latest):
        return points[0]
    process = TimeVarying(known.unit[latest], times[latest], scores[latest], categorical)
    process = process.believing(
        np.concatenate([known.unit[running], space.encode(point)[None]]),
        np.append(times[running], epoch / interval),
    )
    unit = np.array([space.encode(candidate) for candidate in points])
    mean, deviation = process.predict(unit, epoch / interval)
    return points[int(np.argmax(mean + _CONFIDENCE * deviation))]


def _losses_before(
    history: History, numbers: Sequence[int], epoch: int, best: float
) -> list[float]:
    """Return the losses of members at an epoch, the mean of the best ones after a takeover."""
    if epoch == 0:
        return [0.0] * len(numbers)  # any number, as it is the same for all
    taken_over = [epoch in history.changes(number) for number in numbers]
    of_best = _mean_of_best(history, epoch, best) if any(taken_over) else math.nan
    pairs = zip(numbers, taken_over, strict=True)
    return [of_best if taken else loss_at(history, number, epoch) for number, taken in pairs]


def _mean_of_best(history: History, epoch: int, best: float) -> float:
    rivals = np.flatnonzero((history.epochs >= epoch) & (history.states != State.INFEASIBLE))
    losses = np.sort([loss_at(history, rival, epoch) for rival in rivals.tolist()])
    size = min(math.ceil(len(rivals) * best), len(rivals) // 2)
    return float(losses[: max(size, 1)].mean()) if len(losses) else math.inf


def _candidates(
    space: Space, point: Point, mutable: Collection[str] | None, rng: np.random.Generator
) -> list[Point]:
    """Return points that differ from the given one in mutable hyperparameters.

    A hyperparameter that becomes active is drawn, as is one of which the value is not known.
    """
    place, anywhere = space.encode(point), rng.random((_CANDIDATES, len(space)))
    categorical = np.array([dimension.categorical for dimension in space.dimensions], dtype=bool)
    moved = np.clip(place + _NEAR * rng.standard_normal(anywhere.shape), 0.0, 1.0)
    near = np.where(categorical, place, moved)
    near[: _CANDIDATES // 2] = anywhere[: _CANDIDATES // 2]
    free = [mutable is None or name in mutable for name in space.names]
    unit = np.where(np.array(free, dtype=bool), near, place)
    return [space.decode(row) for row in np.where(np.isnan(unit), anywhere, unit)]
