"""How much each hyperparameter matters in a search."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np

from kt_extras.analysis.ped_anova import divergences
from kt_extras.analysis.ranked_trials import RankedTrials, ranked_trials
from kt_extras.analysis.search_data import data_of
from kt_extras.arguments import check_integer, is_number
from kt_extras.arrays import FloatArray

Method = Literal["ped_anova", "fanova"]

_LEAST_TRIALS = 4  # from which anything is said
_LEAST_GOOD = 5  # trials, unless these are more than half


def importance(
    search: Any,
    objective: str | None = None,
    method: Method = "ped_anova",
    quantile: float = 0.1,
    seed: int = 0,
) -> dict[str, float]:
    """Return how much each hyperparameter matters, as fractions of 1.

    Trials that were pruned count as worse than completed ones, and failed ones as worst; those that
    run, wait or were rejected are left out.  A hyperparameter that is active in some trials only is
    compared among these, and counts as much as their share.

    Args:
        search: A tuner, an oracle, a `kt_extras.Study`, what `kt_extras.load` returns, or
            `SearchData`.
        objective: Name of an objective, to look at it alone. Defaults to None: all, by
            dominance or by their weighted sum as in the search.
        method: `"ped_anova"`: what the best trials have in common (Watanabe et al. 2023); takes
            milliseconds. `"fanova"`: what changes the rank of a trial on average, good or bad, by a
            random forest (Hutter et al. 2014). Defaults to `"ped_anova"`.
        quantile: Fraction of the trials that counts as the best in PED-ANOVA, in (0, 1), though at
            least 5 trials do. Defaults to 0.1.
        seed: Seed of the forest of fANOVA, from 0. Defaults to 0.

    Returns:
        The hyperparameters with more than one value, the most important first. The fractions sum
        to 1; all are 0 if nothing can be told, with fewer than 4 trials or if all are alike.

    Raises:
        TypeError: `search` is none of these.
        ValueError: An argument is out of its range.

    >>> from kt_extras.analysis.search_data import SearchData, Target, TrialData
    >>> from kt_extras.search import Float, Space
    >>> space = Space([Float("rate", 0, 1), Float("momentum", 0, 1)])
    >>> rng = np.random.default_rng(0)
    >>> trials = []
    >>> for number, (rate, momentum) in enumerate(rng.random((60, 2)).tolist()):
    ...     score = (rate - 0.3) ** 2
    ...     values = {"rate": rate, "momentum": momentum}
    ...     trials.append(
    ...         TrialData(number, str(number), "completed", values, score, {"val_loss": score})
    ...     )
    >>> search = SearchData("doc", space, (Target("val_loss", "min"),), tuple(trials))
    >>> list(importance(search))
    ['rate', 'momentum']
    """
    if method not in get_args(Method):
        raise ValueError(f"`method` must be 'ped_anova' or 'fanova', got {method!r}.")
    if not (is_number(quantile) and 0 < quantile < 1):
        raise ValueError(
            f"`quantile` must lie strictly between 0 and 1, got {quantile!r}; with 0.1 the best "
            "tenth of the trials is compared with all."
        )
    check_integer("seed", seed, minimum=0)
    trials = ranked_trials(data_of(search), objective)
    names = [d.name for d in trials.space.dimensions if d.size > 1]
    shares = dict.fromkeys(names, 0.0)
    if np.isfinite(trials.ranks).sum() >= _LEAST_TRIALS:
        if method == "ped_anova":
            good = trials.good(n_good(trials, quantile))
            found = divergences(trials.unit, trials.space.dimensions, good)
        else:
            from kt_extras.analysis.fanova import variances  # takes two seconds to import

            found = variances(trials.unit, _fractions(trials.ranks), trials.space, seed)
        for dimension, value in zip(trials.space.dimensions, found.tolist(), strict=True):
            if dimension.size > 1:
                shares[dimension.name] += value
    total = math.fsum(shares.values())
    if total > 0:
        shares = {name: value / total for name, value in shares.items()}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def n_good(trials: RankedTrials, quantile: float) -> int:
    """Return how many trials count as good."""
    n = len(trials.ranks)
    return max(math.ceil(quantile * n), min(_LEAST_GOOD, n // 2))


def _fractions(ranks: FloatArray) -> FloatArray:
    """Return ranks from 0 to below 1; failed trials share that of the middle one of them."""
    failed = np.isinf(ranks)
    last = len(ranks) - 0.5 * failed.sum()
    return np.where(failed, last, ranks) / max(len(ranks), 1)
