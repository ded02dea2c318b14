"""What to fix and what to widen before the next search, in words.

Each sentence rests on a test that would rarely speak without a cause, so a search of few trials
gets no advice:

- *the edge of a range*: the best trial and most of the good ones lie in the outer tenth of the
  range, though the search has looked there less often (binomial test);
- *no effect*: neither the best tenth nor the best half of at least 50 trials differ from all by
  more than random ones do in a tenth of the draws, though every quarter of the range was searched
  and another hyperparameter does matter;
- *a value never among the best*: with its share of the trials it would be among the good ones with
  a probability of at least 99%;
- *failures*: a value has at least half of the failures, and more of them than its share of the
  trials explains (Fisher's exact test).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import binomtest, fisher_exact, hypergeom

from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.importance import n_good
from kt_extras.analysis.ped_anova import chances
from kt_extras.analysis.ranked_trials import RankedTrials, ranked_trials
from kt_extras.analysis.search_data import SearchData, data_of
from kt_extras.arrays import BoolArray, FloatArray
from kt_extras.search.dimensions import Choice, Dimension, Float, Int, Value

_LEAST_TRIALS = 20
_QUANTILE = 0.1
_EDGE = 0.1  # fraction of a range, in its own scale
_ERROR = 0.01  # probability of a sentence without a cause, for each test
_DRAWS = 1000  # of good trials, to see what importance comes about by chance
_NO_EFFECT = 0.1  # part of random choices that must matter as much
_LEAST_TO_FIX = 50  # trials
_LEAST_FAILURES = 3


def advice(search: Any) -> list[str]:
    """Return what the trials of a search suggest for the next one.

    Args:
        search: A tuner, an oracle, a `kt_extras.Study`, what `kt_extras.load` returns, or
            `SearchData`.

    Returns:
        Sentences, each with its numbers; none if there are fewer than 20 trials that have ended,
        or if nothing can be told.

    Raises:
        TypeError: `search` is none of these.

    >>> from kt_extras.analysis.search_data import SearchData, Target, TrialData
    >>> from kt_extras.search import Space
    >>> space = Space([Float("rate", 1e-4, 1e-2, sampling="log")])
    >>> trials = []
    >>> for number in range(60):
    ...     values = space.decode([(number + 0.5) / 60])
    ...     score = math.log10(values["rate"])
    ...     trials.append(
    ...         TrialData(number, str(number), "completed", values, score, {"accuracy": score})
    ...     )
    >>> search = SearchData("doc", space, (Target("accuracy", "max"),), tuple(trials))
    >>> print(*advice(search))
    Widen `rate` upwards, say to 0.1: the best value, 0.009624, is at the upper end of its range, \
0.0001 to 0.01, and so are 6 of the 6 best trials, but 6 of all 60.
    """
    data = data_of(search)
    trials = ranked_trials(data)
    if len(trials.trials) < _LEAST_TRIALS:
        return []
    good = trials.good(n_good(trials, _QUANTILE))
    sentences = list[str]()
    if good.any() and not good.all():
        best = _best(data, trials)
        sentences += [
            *_edges(trials, good, best),
            *_without_effect(trials, good, best),
            *_never_good(trials),
        ]
    return [*sentences, *_failing(trials)]


def _best(data: SearchData, trials: RankedTrials) -> int:
    """Return the place of the best trial that has ended.

    It is the one that `best_trial` and the report show: a knee of several objectives, though ranks
    put the ends of the front first, and the best score, though it may be that of a pruned trial.
    """
    places = {trial.number: place for place, trial in enumerate(trials.trials)}
    ended = (places[trial.number] for trial in best_first(data) if trial.number in places)
    return next(ended, int(np.argmin(trials.ranks)))


def _edges(trials: RankedTrials, good: BoolArray, best: int) -> Iterator[str]:
    for column, dimension in enumerate(trials.space.dimensions):
        if isinstance(dimension, Choice) or dimension.size <= 2:
            continue
        u = trials.unit[:, column]
        for side, near in (("lower", u <= _EDGE), ("upper", u >= 1 - _EDGE)):
            active = ~np.isnan(u)
            if not near[best] or not _more_often(near, good & active, active):
                continue
            direction = "downwards" if side == "lower" else "upwards"
            further = _further(dimension, side)
            if further is None:
                continue
            value = trials.trials[best].values[dimension.name]
            yield (
                f"Widen `{dimension.name}` {direction}, say to {_text(further)}: the best value, "
                f"{_text(value)}, is at the {side} end of its range, {_text(dimension.low)} to "
                f"{_text(dimension.high)}, and so are {int(np.sum(near & good))} of the "
                f"{int(np.sum(good & active))} best trials, but {int(near.sum())} of all "
                f"{int(active.sum())}."
            )


def _more_often(near: BoolArray, good: BoolArray, active: BoolArray) -> bool:
    """Return whether most of the good trials are there, and more of them than of all."""
    there, n = int(np.sum(near & good)), int(good.sum())
    if 2 * there <= n:
        return False
    share = float(np.sum(near) / np.sum(active))
    return bool(binomtest(there, n, share, alternative="greater").pvalue < _ERROR)


def _further(dimension: Float | Int, side: str) -> Value | None:
    """Return an end of the range that is half a range further, None if there can be none."""
    low, high = float(dimension.low), float(dimension.high)
    if dimension.sampling == "log":
        factor = math.sqrt(high / low)
        end = low / factor if side == "lower" else high * factor
    elif dimension.sampling == "reverse_log":
        return None  # the upper end is a limit, and the lower one is far from it
    else:
        half = 0.5 * (high - low)
        end = low - half if side == "lower" else high + half
        if low >= 0 > end:
            end = 0.0  # what is not negative, such as a rate, often cannot be
        if side == "upper" and low >= 0 and high <= 1 < end:
            end = 0.5 * (high + 1.0)  # a fraction such as a rate of dropout, which is below 1
    if isinstance(dimension, Int):
        end = float(max(math.floor(end), 1) if side == "lower" and low >= 1 else round(end))
    end = float(f"{end:.2g}")
    if (side == "lower" and end >= low) or (side == "upper" and end <= high):
        return None
    return int(end) if isinstance(dimension, Int) else end


def _without_effect(trials: RankedTrials, good: BoolArray, best: int) -> Iterator[str]:
    dimensions, n = trials.space.dimensions, len(trials.trials)
    if n < _LEAST_TO_FIX:
        return
    half = trials.good(n // 2)
    rng = np.random.default_rng(0)
    of_sets = [chances(trials.unit, dimensions, among, _DRAWS, rng) for among in (good, half)]
    by_chance = np.stack(of_sets)
    if by_chance.min() >= _ERROR / by_chance.size:
        return  # nothing matters, or nothing can be told
    names = [dimension.name for dimension in dimensions]
    values = trials.trials[best].values
    for column, dimension in enumerate(dimensions):
        name = dimension.name
        if names.count(name) > 1 or _is_parent(dimension, dimensions) or name not in values:
            continue
        everywhere = _everywhere(dimension, trials.unit[:, column])
        if everywhere and by_chance[:, column].min() >= _NO_EFFECT:
            yield (
                f"Fix `{name}`, say at {_text(values[name])} as in the best trial: neither "
                f"the best {int(good.sum())} nor the best {int(half.sum())} of {n} trials differ "
                "from the others in it."
            )


def _everywhere(dimension: Dimension, u: FloatArray) -> bool:
    """Return whether each value, or quarter of a range, has two fifths of a fair share."""
    if dimension.size <= 1 or np.sum(~np.isnan(u)) < _LEAST_TO_FIX:
        return False
    parts = int(dimension.size) if isinstance(dimension, Choice) else int(min(dimension.size, 4))
    u = u[~np.isnan(u)]
    counts = np.bincount(np.minimum((u * parts).astype(int), parts - 1), minlength=parts)
    return bool(counts.min() >= 0.4 * len(u) / parts)


def _is_parent(dimension: Dimension, dimensions: tuple[Dimension, ...]) -> bool:
    return any(c.parent == dimension.name for other in dimensions for c in other.conditions)


def _never_good(trials: RankedTrials) -> Iterator[str]:
    """Compare with the best quarter, as a value that is not in a small group says little."""
    best = trials.good(max(n_good(trials, _QUANTILE), len(trials.trials) // 4))
    for column, dimension in enumerate(trials.space.dimensions):
        if not isinstance(dimension, Choice) or dimension.size < 2:
            continue
        u = trials.unit[:, column]
        active = ~np.isnan(u)
        n_best = int(np.sum(best & active))
        for option, there in _options(dimension, u):
            count = int(there.sum())
            if np.any(there & best) or not count:
                continue
            if hypergeom.pmf(0, int(active.sum()), n_best, count) < _ERROR:
                yield (
                    f"Leave {_text(option)} out of `{dimension.name}`: none of its {count} trials "
                    f"is among the best {n_best}."
                )


def _failing(trials: RankedTrials) -> Iterator[str]:
    failed = np.array([t.state in ("infeasible", "failed") for t in trials.trials], dtype=bool)
    if failed.sum() < _LEAST_FAILURES or failed.all():
        return
    for column, dimension in enumerate(trials.space.dimensions):
        u = trials.unit[:, column]
        if dimension.size <= 1:
            continue
        for what, there in _parts(dimension, u):
            both = int(np.sum(failed & there))
            if 2 * both < failed.sum() or there.all():
                continue
            table = [
                [both, int(np.sum(there & ~failed))],
                [int(np.sum(failed & ~there)), int(np.sum(~failed & ~there))],
            ]
            if fisher_exact(table, alternative="greater").pvalue < _ERROR:
                yield (
                    f"Most failures have `{dimension.name}` {what}: {both} of {failed.sum()} "
                    f"failed trials, and {both} of the {int(there.sum())} trials there failed."
                )
                break


def _options(dimension: Choice, u: FloatArray) -> Iterator[tuple[Value, BoolArray]]:
    index = np.floor(np.nan_to_num(u, nan=-1.0) * dimension.size)
    for number, option in enumerate(dimension.options):
        yield option, index == number


def _parts(dimension: Dimension, u: FloatArray) -> Iterator[tuple[str, BoolArray]]:
    """Yield the values of a choice, or the outer quarters of a range."""
    if isinstance(dimension, Choice):
        for option, there in _options(dimension, u):
            yield f"= {_text(option)}", there
        return
    yield f"of at least {_text(dimension.from_unit(0.75))}", u >= 0.75
    yield f"of at most {_text(dimension.from_unit(0.25))}", u <= 0.25


def _text(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return repr(value) if isinstance(value, (str, bool)) else str(value)
