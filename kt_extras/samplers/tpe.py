"""Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011; ICML 2013).

Notation: the trials are split into good and bad ones; l(x) is the density of the good, g(x) that of
the bad.  Candidates drawn from l are ranked by l(x) / g(x), which orders them as the expected
improvement does (2011, eq. 3).  gamma is `quantile`, N_c is `candidates` (the
usual 24 is greedier and explores less).

Where we depart from the paper, and why:

- Kernels are joint over all dimensions (Falkner et al., ICML 2018), with Scott's bandwidth.
- Good trials weigh log(k + 1) - log(rank), as parents do in CMA-ES (Hansen 2016, eq. 49): the best
  of the good says more than the last of them.
- In a conditional space the split is made within each branch, and branches share the trials by the
  rule of `kt_extras.samplers.branches`, so a branch that is worse on average is not given up.
- Running trials are bad until they are known, so that parallel suggestions keep apart; they
  make holes in l besides, since alone in g they would be smeared over its wide bandwidth.
- A candidate that was tried already is passed over.
- Of the bad trials at most 500 have a kernel, evenly over the search, so that a suggestion costs
  little more after ten thousand trials than after one thousand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer, is_number
from kt_extras.arrays import BoolArray, FloatArray, IntArray
from kt_extras.samplers.branches import Branch, branch_of, branches, most_owed, potential
from kt_extras.samplers.parzen import Mixture
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.space import Space

_MOST_GOOD = 25
_MOST_BAD = 500
_LEAST_A_BRANCH = 3  # trials before a branch has a model of its own
_RETRIES = 32  # draws from the branch, and then from the space, if all candidates were tried


@dataclass(frozen=True)
class TPE:
    """Suggest points that resemble good trials more than bad ones.

    Args:
        n_startup_trials: Trials drawn at random before the model is trusted, at least 1; in a
            conditional space they are dealt out over the branches.
        candidates: Points drawn from l(x) for each suggestion, at least 1.
        quantile: Share of the trials that are good, in (0, 1); never more than 25 of them.
        prior_weight: Weight of the uniform kernel beside a trial's 1, above 0.
        multivariate: Whether kernels are joint over all dimensions, so that interactions are
            seen; otherwise every dimension has a model and about the d-th root of `candidates`
            of its own.

    Raises:
        ValueError: An argument out of its range.

    >>> from kt_extras.search import Float, Space, History, trial_rng
    >>> space = Space([Float("x", 0, 1)])
    >>> history = History(space)
    >>> for number in range(30):
    ...     point = TPE().suggest(history, space, trial_rng(0, number))
    ...     history.finish(history.start(point), State.COMPLETED, abs(point["x"] - 0.7))
    >>> bool(history.losses.min() < 0.02)
    True
    """

    n_startup_trials: int = 10
    candidates: int = 16
    quantile: float = 0.2
    prior_weight: float = 1.0
    multivariate: bool = True

    def __post_init__(self) -> None:
        check_integer("n_startup_trials", self.n_startup_trials, minimum=1)
        check_integer("candidates", self.candidates, minimum=1)
        if not (is_number(self.quantile) and 0 < self.quantile < 1):
            raise ValueError(
                f"`quantile` must lie strictly between 0 and 1, got {self.quantile!r}; "
                "0.2 calls the best fifth of the trials good."
            )
        if not (is_number(self.prior_weight) and self.prior_weight > 0):
            raise ValueError(
                f"`prior_weight` must be above 0, got {self.prior_weight!r}; it is what keeps "
                "every point possible."
            )

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the candidate with the largest l(x) / g(x) that was not tried yet."""
        among = branches(space)
        index = branch_of(history.unit, among)
        number = self._choose(history, index, len(among), rng)
        branch, own = among[number], int(np.sum(index == number))
        anywhere = rng.random((_RETRIES, len(space)))
        draw = np.vstack([branch.settle(anywhere, rng), anywhere])
        if own >= self._startup(len(among)) and branch.columns:
            draw = np.vstack([self._ranked(history, index, number, branch, rng), draw])
        points = map(space.decode, draw)
        favourite = next(points)
        if not history.tried(favourite):
            return favourite
        return next((point for point in points if not history.tried(point)), favourite)

    def _startup(self, n_branches: int) -> int:
        """Return how many trials a branch has before it is modelled."""
        return max(
            math.ceil(self.n_startup_trials / n_branches),
            min(_LEAST_A_BRANCH, self.n_startup_trials),
        )

    def _choose(
        self, history: History, index: IntArray, n_branches: int, rng: np.random.Generator
    ) -> int:
        """Return the branch of the next trial: first all in turn, then by their shares."""
        counts = np.bincount(index[index >= 0], minlength=n_branches)
        if counts.min() < self._startup(n_branches) and len(index) < 2 * self.n_startup_trials:
            return int(rng.choice(np.flatnonzero(counts == counts.min())))
        if n_branches == 1:
            return 0
        losses = [_comparable(history, index == number) for number in range(n_branches)]
        return most_owed(counts, np.array([potential(loss) for loss in losses]))

    def _ranked(
        self,
        history: History,
        index: IntArray,
        number: int,
        branch: Branch,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return candidates by falling l(x) / g(x), shape ``(m, d)``."""
        good, bad = self._split(history, index, number, branch.columns)
        running = bad.rows[history.states[bad.rows] == State.RUNNING]
        against = len(running) / (good.weights.sum() + self.prior_weight)
        blocks = [branch.columns] if self.multivariate else [(c,) for c in branch.columns]
        # The best of m along each of d axes is the best of m**d points: too greedy for a large m.
        size = max(min(2, self.candidates), round(self.candidates ** (1 / len(blocks))))
        candidates = rng.random((size, len(branch.space)))
        for block in map(list, blocks):
            density_good = self._fit(history, good, branch, block)
            density_bad = self._fit(history, bad, branch, block)
            drawn = candidates.copy()
            drawn[:, block] = density_good.sample(size, rng)
            drawn = branch.settle(drawn, rng)
            x = (drawn if branch.certain else _masked(drawn, branch.space))[:, block]
            log_bad = density_bad.log_density(x)
            if len(running):
                # Smeared over g's wide bandwidth it would hardly repel: let it weigh as much
                # against its place as a good trial weighs for its own.
                holes = density_good.holes(history.unit[running][:, block])
                log_bad = np.logaddexp(log_bad, np.log(against) + holes.log_density(x))
            score = density_good.log_density(x) - log_bad
            candidates[:, block] = drawn[np.argsort(-score, kind="stable")][:, block]
        return branch.settle(candidates, rng)

    def _fit(self, history: History, side: _Side, branch: Branch, columns: list[int]) -> Mixture:
        unit = history.unit[side.rows][:, columns]
        dimensions = [branch.space.dimensions[column] for column in columns]
        return Mixture.fit(unit, side.weights, dimensions, prior_weight=self.prior_weight)

    def _split(
        self, history: History, index: IntArray, number: int, columns: tuple[int, ...]
    ) -> tuple[_Side, _Side]:
        """Return the good and the bad trials of a branch.

        Each branch is split by itself.  The others' trials lend what they know of the dimensions
        that they share with this one, and weigh half of the part of its dimensions that they have.
        """
        goods, bads = [], []
        for other in np.unique(index):
            rows, relevance = np.flatnonzero(index == other), 1.0
            if other != number:
                relevance = 0.5 * float(np.mean(~np.isnan(history.unit[rows][:, list(columns)])))
            if relevance > 0:
                good, bad = split_good_bad(history, rows, quantile=self.quantile)
                bad = _thinned(bad, running=history.states[bad] == State.RUNNING)
                goods.append(_Side(good, relevance * _good_weights(len(good))))
                bads.append(_Side(bad, np.full(len(bad), relevance)))
        return _Side.together(goods), _Side.together(bads)


def split_good_bad(
    history: History, rows: IntArray, *, quantile: float
) -> tuple[IntArray, IntArray]:
    """Split trials into TPE's good and bad sets.

    Completed trials come first, by loss; then pruned ones, the longest first and then by loss; then
    infeasible ones.  A running trial is bad, and not counted when the good are; a trial without a
    finite loss is never good.

    Args:
        history: All trials.
        rows: Shape ``(n,)``: the numbers of those to be split.
        quantile: Share of the finished trials that is good, in (0, 1).

    Returns:
        The numbers of the good trials, best first, and of the bad ones, in the order of the search.

    >>> from kt_extras.search import Float
    >>> history = History(Space([Float("x", 0, 1)]))
    >>> for loss in (3.0, 1.0, 2.0, math.inf):
    ...     history.finish(history.start({"x": 0.5}), State.COMPLETED, loss)
    >>> good, bad = split_good_bad(history, np.arange(4), quantile=0.5)
    >>> good.tolist(), bad.tolist()
    ([1, 2], [0, 3])
    """
    states, losses = history.states[rows], history.losses[rows]
    pruned = (states == State.PRUNED) | (states == State.PAUSED)
    hopeless = (states == State.INFEASIBLE) | (states == State.RUNNING) | np.isinf(losses)
    longest_first = np.where(pruned, -history.epochs[rows], 0)
    order = np.lexsort((losses, longest_first, pruned, hopeless))
    finished = int(np.sum(states != State.RUNNING))
    n_good = min(math.ceil(quantile * finished), _MOST_GOOD, int(np.sum(~hopeless)))
    return rows[order[:n_good]], rows[np.sort(order[n_good:])]


@dataclass(frozen=True)
class _Side:
    """The good or the bad trials: their numbers and weights."""

    rows: IntArray
    weights: FloatArray

    @classmethod
    def together(cls, sides: Sequence[_Side]) -> _Side:
        rows, weights = [side.rows for side in sides], [side.weights for side in sides]
        return cls(np.concatenate(rows), np.concatenate(weights))


def _thinned(bad: IntArray, running: BoolArray) -> IntArray:
    """Return all bad trials that are running, and so many of the others, evenly over the search."""
    if len(bad) <= _MOST_BAD:
        return bad
    ended = bad[~running]
    evenly = np.linspace(0, len(ended) - 1, _MOST_BAD).astype(np.int64)
    return np.concatenate([ended[evenly], bad[running]])


def _good_weights(n: int) -> FloatArray:
    """Return weights that fall with the logarithm of the rank and have mean 1."""
    weights: FloatArray = math.log(n + 1) - np.log(np.arange(1, n + 1))
    return weights * (n / weights.sum()) if n else weights


def _comparable(history: History, rows: BoolArray) -> FloatArray:
    """Return the losses of a branch: of completed trials, or of pruned ones if there are none."""
    losses = history.losses[rows & (history.states == State.COMPLETED)]
    return losses if np.isfinite(losses).any() else history.losses[rows]


def _masked(unit: FloatArray, space: Space) -> FloatArray:
    """Return the coordinates with NaN where a dimension is inactive, on the grid of its values."""
    return np.array([space.encode(space.decode(row)) for row in unit])
