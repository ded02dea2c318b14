"""Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011; ICML 2013).

Notation: the trials are split into good and bad ones; l(x) is the density of the good, g(x) that of
the bad.  Candidates drawn from l are ranked by l(x) / g(x), which orders them as the expected
improvement does (2011, eq. 3).  gamma is `quantile`, N_c is `candidates` (the usual 24 is greedier
and explores less).

Differences from the paper, and why:

- Kernels are joint over all dimensions (Falkner et al., ICML 2018).  Those of l have the paper's
  bandwidths, the distance to the further neighbour (2011, section 4.2): with Scott's rule, one for
  all kernels of an axis, a search stays where the good trials are, even on the plateau of a cube.
  They are clipped below by 1 / (n + 2), but not where Scott's bandwidth is smaller, since the good
  trials have come close together.  The bad trials are everywhere, and g has Scott's bandwidth.
- The weight of a good trial is log(k + 1) - log(rank), as that of a parent in CMA-ES (Hansen 2016,
  eq. 49), as the best of the good trials is more informative than the last of them.
- In a conditional space the split is made within each branch, and trials are distributed over the
  branches by the rule of `kt_extras.samplers.branches`, so a branch that is worse on average is not
  given up.
- Running trials count as bad, so that parallel suggestions are not close to each other.  They have
  a second, narrow kernel, as the bandwidth of g is too wide for that alone.
- A candidate that was tried already is not suggested.
- With several objectives the good trials are those of the first fronts, weighted by what they add
  to the hypervolume (`kt_extras.samplers.pareto_split`).
- At most 500 of the bad trials have a kernel, evenly over the search, so that a suggestion takes
  little longer after ten thousand trials than after one thousand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_flag, check_integer, is_finite, is_number
from kt_extras.arrays import BoolArray, FloatArray, IntArray
from kt_extras.samplers.branches import Branch, branch_of, branches, next_branch, potential
from kt_extras.samplers.pareto_split import contribution_weights, merits
from kt_extras.samplers.parzen import Mixture
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.space import Space

_MAX_GOOD = 25  # good trials of a branch
_MAX_BAD = 500  # bad trials of a branch that have a kernel, besides the running ones
_MIN_A_BRANCH = 3  # trials of a branch before it has a model
_RETRIES = 32  # random points of the branch, then of the space, if all candidates were tried


@dataclass(frozen=True)
class TPE:
    """Suggest points that resemble good trials more than bad ones.

    Args:
        n_startup_trials: Number of random trials before the model is used, at least 1; in a
            conditional space they are distributed over the branches. Defaults to 10.
        candidates: Number of points drawn from l(x) for each suggestion, at least 1. Defaults
            to 16.
        quantile: Fraction of the trials that is good, in (0, 1), though at most 25 trials are.
            Defaults to 0.2.
        prior_weight: Weight of the uniform kernel, above 0; that of an ordinary trial is 1.
            Defaults to 1.
        multivariate: Whether kernels are joint over all dimensions, which models interactions. If
            not, each dimension has its own model and about the d-th root of `candidates` points.
            Defaults to True.

    Raises:
        ValueError: An argument is out of its range.

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
                "with 0.2 the best fifth of the trials is good."
            )
        if not (is_finite(self.prior_weight) and self.prior_weight > 0):
            raise ValueError(
                f"`prior_weight` must be finite and above 0, got {self.prior_weight!r}; "
                "without a prior only points near old ones are suggested."
            )
        check_flag("multivariate", self.multivariate)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the candidate with the largest l(x) / g(x) that was not tried yet."""
        among = branches(space)
        index = branch_of(history.unit, among)
        number = self._choose(history, index, len(among), rng)
        branch, own = among[number], int(np.sum(index == number))
        anywhere = rng.random((_RETRIES, len(space)))
        draw = np.vstack([branch.moved_inside(anywhere, rng), anywhere])
        if own >= self._startup(len(among)) and branch.columns:
            draw = np.vstack([self._ranked(history, index, number, branch, rng), draw])
        points = map(space.decode, draw)
        first = next(points)
        if not history.tried(first):
            return first
        return next((point for point in points if not history.tried(point)), first)

    def _startup(self, n_branches: int) -> int:
        """Return how many trials a branch needs before it has a model."""
        return max(
            math.ceil(self.n_startup_trials / n_branches),
            min(_MIN_A_BRANCH, self.n_startup_trials),
        )

    def _choose(
        self, history: History, index: IntArray, n_branches: int, rng: np.random.Generator
    ) -> int:
        """Return the branch of the next trial: all in turn at first, then by `next_branch`."""
        counts = np.bincount(index[index >= 0], minlength=n_branches)
        if counts.min() < self._startup(n_branches) and len(index) < 2 * self.n_startup_trials:
            return int(rng.choice(np.flatnonzero(counts == counts.min())))
        if n_branches == 1:
            return 0
        losses = [_comparable(history, index == number) for number in range(n_branches)]
        return next_branch(counts, np.array([potential(loss) for loss in losses]))

    def _ranked(
        self,
        history: History,
        index: IntArray,
        number: int,
        branch: Branch,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return candidates in decreasing order of l(x) / g(x), shape ``(m, d)``."""
        good, bad = self._split(history, index, number, branch.columns)
        running = bad.rows[history.states[bad.rows] == State.RUNNING]
        running_weight = len(running) / (good.weights.sum() + self.prior_weight)
        blocks = [branch.columns] if self.multivariate else [(c,) for c in branch.columns]
        # The best of m along each of d axes is the best of m**d points: too greedy for a large m.
        size = max(min(2, self.candidates), round(self.candidates ** (1 / len(blocks))))
        candidates = rng.random((size, len(branch.space)))
        for block in map(list, blocks):
            density_good = self._fit(history, good, branch, block, by_neighbours=True)
            density_bad = self._fit(history, bad, branch, block)
            drawn = candidates.copy()
            drawn[:, block] = density_good.sample(size, rng)
            drawn = branch.moved_inside(drawn, rng)
            x = (drawn if branch.certain else _masked(drawn, branch.space))[:, block]
            log_bad = density_bad.log_density(x)
            if len(running):
                # The bandwidth of g is wide, so a running trial would hardly lower the score near
                # it. Its narrow kernel counts as much against it as that of a good trial for it.
                narrow = density_good.narrower(history.unit[running][:, block])
                log_bad = np.logaddexp(log_bad, np.log(running_weight) + narrow.log_density(x))
            score = density_good.log_density(x) - log_bad
            candidates[:, block] = drawn[np.argsort(-score, kind="stable")][:, block]
        return branch.moved_inside(candidates, rng)

    def _fit(
        self,
        history: History,
        group: _Group,
        branch: Branch,
        columns: list[int],
        *,
        by_neighbours: bool = False,
    ) -> Mixture:
        return Mixture.fit(
            history.unit[group.rows][:, columns],
            group.weights,
            [branch.space.dimensions[column] for column in columns],
            prior_weight=self.prior_weight,
            by_neighbours=by_neighbours,
        )

    def _split(
        self, history: History, index: IntArray, number: int, columns: tuple[int, ...]
    ) -> tuple[_Group, _Group]:
        """Return the good and the bad trials for the model of a branch.

        Each branch is split separately.  The trials of other branches inform the model about the
        dimensions that are active in both, with a weight of half the fraction of its dimensions
        that are active in them.
        """
        goods, bads = [], []
        for other in np.unique(index):
            rows, relevance = np.flatnonzero(index == other), 1.0
            if other != number:
                relevance = 0.5 * float(np.mean(~np.isnan(history.unit[rows][:, list(columns)])))
            if relevance > 0:
                good, bad = split_good_bad(history, rows, quantile=self.quantile)
                bad = _thinned(bad, running=history.states[bad] == State.RUNNING)
                goods.append(_Group(good, relevance * _weights(history, good)))
                bads.append(_Group(bad, np.full(len(bad), relevance)))
        return _Group.together(goods), _Group.together(bads)


def split_good_bad(
    history: History, rows: IntArray, *, quantile: float
) -> tuple[IntArray, IntArray]:
    """Split trials into TPE's good and bad sets.

    Completed trials are ranked first, by loss, or by `kt_extras.samplers.pareto_split.merits` where
    there are several objectives; then pruned ones, those with more epochs first and
    then by loss; then infeasible ones.  A running trial is bad, and not counted for the number of
    good ones; a trial without a finite loss is never good.

    Args:
        history: All trials.
        rows: Shape ``(n,)``: the numbers of the trials to split.
        quantile: Fraction of the finished trials that is good, in (0, 1).

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
    never_good = (states == State.INFEASIBLE) | (states == State.RUNNING) | np.isinf(losses)
    longest_first = np.where(pruned, -history.epochs[rows], 0)
    finished = int(np.sum(states != State.RUNNING))
    n_good = min(math.ceil(quantile * finished), _MAX_GOOD, int(np.sum(~never_good)))
    if history.n_objectives > 1:
        losses = losses.copy()
        whole = ~never_good & ~pruned
        of = rows[whole]
        losses[whole] = merits(history.targets[of], history.violations[of], n_good)
    order = np.lexsort((losses, longest_first, pruned, never_good))
    return rows[order[:n_good]], rows[np.sort(order[n_good:])]


@dataclass(frozen=True)
class _Group:
    """The good or the bad trials: their numbers and weights."""

    rows: IntArray
    weights: FloatArray

    @classmethod
    def together(cls, groups: Sequence[_Group]) -> _Group:
        rows, weights = [group.rows for group in groups], [group.weights for group in groups]
        return cls(np.concatenate(rows), np.concatenate(weights))


def _thinned(bad: IntArray, running: BoolArray) -> IntArray:
    """Return all bad trials that are running, and at most 500 others, evenly over the search."""
    ended = bad[~running]
    if len(ended) <= _MAX_BAD:
        return bad
    evenly = np.linspace(0, len(ended) - 1, _MAX_BAD).astype(np.int64)
    return np.concatenate([ended[evenly], bad[running]])


def _weights(history: History, good: IntArray) -> FloatArray:
    """Return the weights of the good trials, the best of them first."""
    if history.n_objectives == 1:
        return _good_weights(len(good))
    return contribution_weights(history.targets[good], history.violations[good])


def _good_weights(n: int) -> FloatArray:
    """Return weights that decrease with the logarithm of the rank and have mean 1."""
    weights: FloatArray = math.log(n + 1) - np.log(np.arange(1, n + 1))
    return weights * (n / weights.sum()) if n else weights


def _comparable(history: History, rows: BoolArray) -> FloatArray:
    """Return the losses of the completed trials of a branch, or of all if none is finite."""
    losses = history.losses[rows & (history.states == State.COMPLETED)]
    return losses if np.isfinite(losses).any() else history.losses[rows]


def _masked(unit: FloatArray, space: Space) -> FloatArray:
    """Return the coordinates with NaN where a dimension is inactive, on the grid of its values."""
    return np.array([space.encode(space.decode(row)) for row in unit])
