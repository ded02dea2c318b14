"""Mean ranks and regrets of samplers over problems, with bootstrap intervals over the problems.

Samplers may have different numbers of seeds, since some are slow: every seed of one is compared
with every seed of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

RESAMPLES = 2000
#: The regrets of each sampler on each problem, one for each seed.
Regrets = Mapping[str, Mapping[str, Sequence[float]]]


def ranks(regrets: Regrets, problems: Sequence[str]) -> np.ndarray:
    """Return the rank of each sampler on each problem, of shape ``(samplers, problems)``.

    It is 1 plus the expected number of the other samplers that are ahead; a tie counts half.

    >>> ranks({"a": {"p": [0.1, 0.3]}, "b": {"p": [0.2]}, "c": {"p": [0.9]}}, ["p"])
    array([[1.5],
           [1.5],
           [3. ]])
    """
    found = np.ones((len(regrets), len(problems)))
    for row, one in enumerate(regrets):
        for other in set(regrets) - {one}:
            found[row] += ahead(regrets[other], regrets[one], problems)
    return found


def ahead(
    one: Mapping[str, Sequence[float]],
    other: Mapping[str, Sequence[float]],
    problems: Sequence[str],
) -> np.ndarray:
    """Return for each problem how often the first sampler is better; a tie counts half.

    >>> ahead({"p": [0.3]}, {"p": [0.2, 0.3, 0.4, 0.5]}, ["p"])
    array([0.625])
    """
    differences = [np.subtract.outer(one[p], other[p]) for p in problems]
    return np.array([np.mean(d < 0) + 0.5 * np.mean(d == 0) for d in differences])


def mean_regrets(regrets: Regrets, problems: Sequence[str]) -> np.ndarray:
    """Return the mean regret over the seeds, of shape ``(samplers, problems)``."""
    return np.array([[np.mean(of[p]) for p in problems] for of in regrets.values()])


def median_regrets(regrets: Regrets, problems: Sequence[str]) -> np.ndarray:
    """Return the median regret over the seeds, of shape ``(samplers, problems)``."""
    return np.array([[np.median(of[p]) for p in problems] for of in regrets.values()])


def interval(values: np.ndarray) -> np.ndarray:
    """Return the 95% bootstrap interval of means over the last axis, problems being resampled.

    Returns:
        Shape ``(2, ...)``: the lower and the upper ends.

    >>> interval(np.ones((3, 5))).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    rng, n = np.random.default_rng(0), values.shape[-1]
    drawn = rng.integers(n, size=(RESAMPLES, n))
    means = values[..., drawn].mean(axis=-1)
    return np.asarray(np.percentile(means, (2.5, 97.5), axis=-1))
