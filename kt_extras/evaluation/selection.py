"""What luck adds to the best of many scores, and how to find the best with few trainings.

Notation: the score of trial i in the search is ``mu_i + v_i + e_i``: what it is worth, what the
rows of the validation data add, and what the seed adds.  The best of n scores has both by
selection ("winner's curse"; "optimization bias", Cawley & Talbot, JMLR 2010).  Training with fresh
seeds replaces e but not v, and the best mean of these is selected once more.  All is in losses:
lower is better.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from kt_extras.arrays import BoolArray, FloatArray

_STEPS = 300  # of expectation maximisation, after which nothing changes
_SUPPORT = 60  # points of the distribution of what trials are worth
_SIMULATED = 2000  # searches: the standard error is 2% of the noise


def t_interval(values: FloatArray, level: float) -> tuple[float, float, float, float]:
    """Return the mean, its standard error, and the ends of its t-interval.

    Args:
        values: Shape ``(n,)``; of fewer than two, all but the mean is infinite.
        level: How often the interval misses, in (0, 1).

    >>> mean, error, low, high = t_interval(np.array([1.0, 2.0, 3.0]), 0.05)
    >>> print(f"{mean} {error:.3f} {low:.2f} {high:.2f}")
    2.0 0.577 -0.48 4.48
    """
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return mean, np.inf, -np.inf, np.inf
    error = float(np.std(values, ddof=1) / np.sqrt(n))
    width = float(special.stdtrit(n - 1, 1 - level / 2)) * error
    return mean, error, mean - width, mean + width


def survivors(losses: FloatArray, level: float) -> BoolArray:
    """Return which trials may still be the best, after so many seeds.

    A race (Maron & Moore, NeurIPS 1994; Birattari et al., GECCO 2002) with paired differences, as
    the t-race of irace: a trial is dropped if the one-sided interval of its difference from the
    one with the lowest mean, seed by seed, excludes zero.

    Args:
        losses: Shape ``(trials, seeds)``.
        level: Of one comparison, in (0, 1).

    >>> survivors(np.array([[1.0, 1.1, 0.9], [1.0, 1.2, 0.9], [3.0, 3.2, 2.9]]), 0.01).tolist()
    [True, True, False]
    """
    seeds = losses.shape[1]
    if seeds < 2:
        return np.ones(len(losses), bool)
    differences = losses - losses[losses.mean(axis=1).argmin()]
    errors = differences.std(axis=1, ddof=1) / np.sqrt(seeds)
    limit = float(special.stdtrit(seeds - 1, 1 - level))
    return np.asarray(differences.mean(axis=1) <= limit * errors)


def pooled_variance(losses: Sequence[FloatArray]) -> float:
    """Return the variance between seeds, from the trainings of several trials.

    Args:
        losses: Of each trial, one a seed.

    >>> pooled_variance([np.array([1.0, 3.0]), np.array([5.0])])
    2.0
    """
    freedom = sum(len(one) - 1 for one in losses)
    return float(sum(((one - one.mean()) ** 2).sum() for one in losses) / max(freedom, 1))


def row_variance(parts: FloatArray) -> float:
    """Return the variance that the rows of the validation data give to differences of trials.

    What all trials have in common, as that some rows are hard, does not select among them; so
    it is the interaction of trials and parts, without that of seeds and parts.

    Args:
        parts: Shape ``(trials, seeds, parts)``: the losses on equal parts of the rows, of at least
            two of each.

    Returns:
        That of the loss on all rows.
    """
    trials, seeds, number = parts.shape
    by_trial = parts.mean(axis=1)
    centred = by_trial - by_trial.mean(axis=0) - by_trial.mean(axis=1, keepdims=True)
    among = ((centred + by_trial.mean()) ** 2).sum() / ((trials - 1) * (number - 1))
    own = parts - by_trial[:, None]
    own = own - own.mean(axis=2, keepdims=True)
    within = (own**2).sum() / (trials * (seeds - 1) * (number - 1))
    return float(max(among - within / seeds, 0.0) / number)


def expected_optimism(
    searched: FloatArray,
    *,
    top: int,
    seeds: int,
    seed_variance: float,
    rows_variance: float,
    generator: np.random.Generator,
) -> float:
    """Return by how much the lowest mean of fresh seeds is expected to be too low.

    A parametric bootstrap of the whole procedure: searches are drawn from the distribution of what
    trials are worth, the best `top` of each are trained with fresh seeds on the same validation
    data, and the mean of the best is compared with what that trial is worth.  The distribution is
    estimated from the losses of the search, without their noise, by nonparametric maximum
    likelihood (Kiefer & Wolfowitz 1956; Koenker & Mizera, JASA 2014).

    Args:
        searched: Shape ``(n,)``: the losses of the trials in the search.
        top: How many are trained again.
        seeds: How often.
        seed_variance: That of e.
        rows_variance: That of v.
        generator: Of the simulation.
    """
    variance = seed_variance + rows_variance
    if variance <= 0:
        return 0.0
    worth, shares = _worth(searched, variance)
    shape = (_SIMULATED, len(searched))
    true = generator.choice(worth, shape, p=shares)
    fixed = true + generator.normal(0.0, np.sqrt(rows_variance), shape)
    first = fixed + generator.normal(0.0, np.sqrt(seed_variance), shape)
    chosen = np.argsort(first, axis=1)[:, :top]
    noise = generator.normal(0.0, np.sqrt(seed_variance / seeds), chosen.shape)
    means = np.take_along_axis(fixed, chosen, axis=1) + noise
    best = means.argmin(axis=1)[:, None]
    values = np.take_along_axis(np.take_along_axis(true, chosen, axis=1), best, axis=1)
    return float((values - np.take_along_axis(means, best, axis=1)).mean())


def _worth(losses: FloatArray, variance: float) -> tuple[FloatArray, FloatArray]:
    """Return points and their shares: the distribution of which noise makes these losses."""
    near = np.linspace(losses.min(), losses.min() + 8 * np.sqrt(variance), _SUPPORT)
    points = np.union1d(near[near <= losses.max()], losses)
    squares = (losses[:, None] - points) ** 2 / variance
    likelihood = np.exp(-0.5 * (squares - squares.min(axis=1, keepdims=True)))
    shares = np.full(len(points), 1 / len(points))
    for _ in range(_STEPS):
        weights = likelihood * shares
        shares = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)
    return points, shares / shares.sum()


def cross_fitted(losses: FloatArray, held_out: FloatArray) -> float:
    """Return the mean loss on held-out data of what is best with all other seeds.

    No seed is judged by what chose it, and no row of the held-out data chose anything, so the
    selection adds nothing.

    Args:
        losses: Shape ``(trials, seeds)``, by which the best is chosen.
        held_out: Shape ``(trials, seeds)``: of the same models on the held-out data.

    >>> cross_fitted(np.array([[1.0, 1.0], [2.0, 2.0]]), np.array([[5.0, 6.0], [0.0, 0.0]]))
    5.5
    """
    seeds = losses.shape[1]
    if seeds == 1:
        return float(held_out[losses[:, 0].argmin(), 0])
    others = (losses.sum(axis=1, keepdims=True) - losses) / (seeds - 1)
    return float(held_out[others.argmin(axis=0), np.arange(seeds)].mean())
