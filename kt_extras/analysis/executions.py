"""The scores of the executions of trials: of the folds of a cross-validation, say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kt_extras.analysis.search_data import SearchData, TrialData
from kt_extras.search.outcome import Target


def scores_of(trial: TrialData, target: Target) -> list[float]:
    """Return the best value of an objective in each execution of a trial that has reported it.

    Args:
        trial: The trial.
        target: The objective.
    """
    best = min if target.direction == "min" else max
    curves = (trial.curve(target.name, number)[1] for number in range(len(trial.executions)))
    return [float(best(values)) for values in curves if len(values)]


def standard_error(trial: TrialData, target: Target) -> float | None:
    """Return that of the mean over the executions of a trial, None with fewer than two.

    Args:
        trial: The trial.
        target: The objective.
    """
    scores = scores_of(trial, target)
    return float(np.std(scores, ddof=1)) / math.sqrt(len(scores)) if len(scores) > 1 else None


def cv_results(search: SearchData) -> dict[str, Any]:
    """Return the completed trials of a search in columns, named as scikit-learn names them.

    Args:
        search: The search.

    Returns:
        As `cv_results_` of `sklearn.model_selection.GridSearchCV`: `params`, a masked array
        `param_<name>` a hyperparameter, `split<k>_test_score` a fold, `mean_test_score`,
        `std_test_score`, `rank_test_score` (from 1) and `mean_fit_time` in seconds a fold.  As
        there, a higher score is better: an objective that is minimised has its sign changed.
    """
    target = search.objectives[0]
    sign = -target.sign
    trials = [trial for trial in search.trials if trial.state == "completed"]
    folds = max((len(trial.executions) for trial in trials), default=0)
    scores = np.full((len(trials), folds), np.nan)
    for row, trial in enumerate(trials):
        found = scores_of(trial, target)
        scores[row, : len(found)] = sign * np.array(found)
    means = np.array([sign * float(trial.score or np.nan) for trial in trials])
    ranks = np.array([int((means > mean).sum()) + 1 for mean in means], dtype=np.int32)
    names = dict.fromkeys(name for trial in trials for name in trial.values)
    return {
        "mean_fit_time": np.array([(t.seconds or np.nan) / max(folds, 1) for t in trials]),
        **{f"param_{name}": _masked([trial.values for trial in trials], name) for name in names},
        "params": [dict(trial.values) for trial in trials],
        **{f"split{fold}_test_score": scores[:, fold] for fold in range(folds)},
        "mean_test_score": means,
        "std_test_score": scores.std(axis=1) if folds else np.full(len(trials), np.nan),
        "rank_test_score": ranks,
    }


def _masked(points: list[Any], name: str) -> Any:
    values = np.array([point.get(name) for point in points], dtype=object)
    return np.ma.MaskedArray(values, mask=[name not in point for point in points])
