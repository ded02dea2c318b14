"""How much each model of a library counts in an average of predictions.

Greedy selection: Caruana, Niculescu-Mizil, Crew & Ksikes, "Ensemble selection from libraries of
models", ICML 2004: models are added one by one, each time the one that makes the average best on
validation data (sec. 2), with replacement (2.1), beginning with the best ones (2.2), in bags of the
library (2.3).

Convex weights: Breiman, "Stacked regressions", Machine Learning 24, 1996, with weights that are not
negative and, as in the super learner of van der Laan, Polley & Hubbard 2007, sum to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from kt_extras.arguments import check_integer, is_number
from kt_extras.arrays import FloatArray, IntArray

#: The loss of predictions of shape ``(n, ...)``; lower is better.
Loss = Callable[[NDArray[Any]], float]

_NEGLIGIBLE = 1e-3  # weights below this are dropped


def greedy_selection(
    predictions: Sequence[NDArray[Any]],
    loss_of: Loss,
    size: int,
    *,
    start: int = 1,
    bags: int = 1,
    fraction: float = 0.5,
    seed: int = 0,
) -> IntArray:
    """Return how often each model is chosen.

    Of the averages that arise while models are added, the one with the lowest loss is taken, so
    that with one bag no ensemble is worse than the best model on the rows that it is chosen by.

    Args:
        predictions: What each model predicts for the same rows, arrays of one shape ``(n, ...)``.
        loss_of: The loss of an average of them; a NaN is never chosen.
        size: How many are chosen in a bag at most, counting repetitions; at least 1.
        start: With how many of the best models a bag begins, at least 1. Defaults to `1`.
        bags: How often a part of the library is drawn and models are chosen from it; more than one
            makes it less likely that a small validation set is overfitted. Defaults to `1`, the
            whole library.
        fraction: The part of the library in a bag, above 0 and at most 1. Defaults to `0.5`.
        seed: Seed of the bags. Defaults to `0`.

    Returns:
        A number for each model, shape ``(m,)``; divided by their sum they are the weights.

    Raises:
        ValueError: An argument out of its range, arrays of different shapes, or losses that are all
            NaN.

    >>> truth = np.array([0.0, 1.0, 2.0])
    >>> library = [truth + 1.0, truth - 0.5, truth + 9.0]
    >>> greedy_selection(library, lambda p: float(np.abs(p - truth).mean()), size=6).tolist()
    [1, 2, 0]
    """
    stacked = _stacked(predictions)
    for name, value in (("size", size), ("start", start), ("bags", bags)):
        check_integer(name, value, minimum=1)
    check_integer("seed", seed, minimum=0)
    if not (is_number(fraction) and 0 < fraction <= 1):
        raise ValueError(f"`fraction` must be above 0 and at most 1, got {fraction!r}.")
    alone = np.array([loss_of(one) for one in stacked], dtype=float)
    if np.isnan(alone).all():
        raise ValueError(
            f"The losses of all {len(alone)} models are NaN; look for missing values in the labels "
            "or in the predictions."
        )
    order = np.argsort(alone, kind="stable")  # NaN is last
    usable = order[: int(np.sum(~np.isnan(alone)))]
    rng, counts = np.random.default_rng(seed), np.zeros(len(stacked), dtype=np.int64)
    for _ in range(bags):
        library = usable
        if bags > 1:
            kept = rng.permutation(len(usable))[: max(1, round(fraction * len(usable)))]
            library = usable[np.sort(kept)]
        counts += _one_bag(stacked, library, loss_of, size, start)
    return counts


def _one_bag(
    stacked: NDArray[Any], library: IntArray, loss_of: Loss, size: int, start: int
) -> IntArray:
    """Choose from a library, best first; return the counts of the best average on the way."""
    counts = np.zeros(len(stacked), dtype=np.int64)
    total = np.zeros(stacked.shape[1:], dtype=np.float64)
    best, best_loss = counts.copy(), np.inf
    for chosen in range(1, size + 1):
        if chosen <= min(start, len(library)):
            model = library[chosen - 1]
            loss = loss_of((total + stacked[model]) / chosen)
        else:
            losses = [loss_of((total + stacked[each]) / chosen) for each in library]
            if np.isnan(losses).all():
                break
            model, loss = library[int(np.nanargmin(losses))], float(np.nanmin(losses))
        counts[model] += 1
        total += stacked[model]
        if loss < best_loss:
            best, best_loss = counts.copy(), loss
    return best


def convex_weights(
    loss_and_slope: Callable[[FloatArray], tuple[float, FloatArray]], count: int
) -> FloatArray:
    """Return the weights, at least 0 and with the sum 1, that have the lowest loss.

    Weights below 0.001 are 0.

    Args:
        loss_and_slope: Returns the loss of weights of shape ``(count,)``, and its derivatives by
            them.
        count: The number of weights, at least 1.

    >>> target = np.array([0.75, 0.25, 0.0])
    >>> def squared(w):
    ...     return float(np.sum((w - target) ** 2)), 2 * (w - target)
    >>> convex_weights(squared, 3).round(2).tolist()
    [0.75, 0.25, 0.0]
    """
    check_integer("count", count, minimum=1)

    def of_exponents(exponents: FloatArray) -> tuple[float, FloatArray]:
        weights = softmax(exponents)
        loss, slope = loss_and_slope(weights)
        return loss, weights * (slope - weights @ slope)

    found = minimize(of_exponents, np.zeros(count), jac=True, method="L-BFGS-B")
    weights = softmax(found.x)
    weights[weights < _NEGLIGIBLE] = 0.0
    kept: FloatArray = weights / weights.sum()
    return kept


def _stacked(predictions: Sequence[NDArray[Any]]) -> NDArray[Any]:
    shapes = {np.shape(one) for one in predictions}
    if len(shapes) != 1 or () in shapes:
        raise ValueError(
            "`predictions` must be arrays of one shape (n, ...), one for each model, got the "
            f"shapes {sorted(shapes)}."
        )
    return np.stack([np.asarray(one) for one in predictions])
