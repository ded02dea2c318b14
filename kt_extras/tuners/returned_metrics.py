"""Metrics from what `run_trial` or `HyperModel.fit` returns: numbers, dictionaries, histories."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

import keras
import keras_tuner
import numpy as np

from kt_extras.bridge.metrics import Metrics
from kt_extras.bridge.objective import loss_of, names_of, value_in
from kt_extras.training.reporter import scalars


def final_metrics(results: Any, objective: keras_tuner.Objective) -> tuple[Metrics, int | None]:
    """Return the metrics of a trial and its best epoch from what `run_trial` or `fit` returned.

    The best epoch is None unless a `History` tells of epochs.

    Args:
        results: A number (the objective), a dictionary of metrics, a Keras `History` (its best
            epoch counts), or a list of these, one for each execution (their mean counts).
        objective: The objective of the search; always among the metrics returned.

    Raises:
        keras_tuner.errors.FatalTypeError: Something else was returned.
        keras_tuner.errors.FatalValueError: The objective is not in it.

    >>> final_metrics([{"cost": 1.0}, {"cost": 2.0}], keras_tuner.Objective("cost", "min"))
    ({'cost': 1.5}, None)
    """
    if isinstance(results, (list, tuple)) and results:
        runs = [final_metrics(result, objective) for result in results]
        shared = set.intersection(*(set(metrics) for metrics, _ in runs))
        means = {name: fmean(m[name] for m, _ in runs) for name in runs[0][0] if name in shared}
        steps = [step for _, step in runs if step is not None]
        return means, round(fmean(steps)) if steps else None
    if isinstance(results, keras.callbacks.History):
        return _best_epoch(results.history, objective)
    if isinstance(results, Mapping):
        _refuse_curves(results, objective)
        return _with_objective(results, objective), None
    try:
        return {objective.name: float(results)}, None
    except (TypeError, ValueError):
        raise keras_tuner.errors.FatalTypeError(
            "`run_trial` and `HyperModel.fit` must return a number, a dictionary of metrics, a "
            f"Keras `History` or a list of these, got {results!r} of {type(results)}.  Is a "
            "`return` missing?"
        ) from None


def refuse_evaluation(result: Any) -> None:
    """Raise if one training has returned several numbers, which would be taken for executions.

    Args:
        result: What the `fit` of a model has returned that was the only one to be trained.

    Raises:
        keras_tuner.errors.FatalTypeError: It has.

    >>> refuse_evaluation([0.5]), refuse_evaluation({"loss": 0.5})
    (None, None)
    """
    if not isinstance(result, (list, tuple)) or len(result) < 2:
        return
    if all(isinstance(value, (int, float, np.number)) for value in result):
        raise keras_tuner.errors.FatalTypeError(
            f"`HyperModel.fit` must return one number for one model, got {len(result)}: "
            f"{[float(value) for value in result]}.  The mean of a list would be the score, which "
            "is meant for folds.  If this is what `model.evaluate` returns, pass it "
            "`return_dict=True`; or return the history of `model.fit`."
        )


def check_single(objective: keras_tuner.Objective, metrics: Mapping[str, Any]) -> None:
    """Raise if the objective is a metric with several values, or a text.

    Raises:
        keras_tuner.errors.FatalValueError: It is.
    """
    for name in names_of(objective):
        if isinstance(metrics.get(name), str):
            raise keras_tuner.errors.FatalValueError(
                f"`objective` {name!r} must be a number, and the training reports "
                f"{metrics[name]!r}.  Report a number, or leave it out where there is none."
            )
        if np.size(metrics.get(name, 0)) != 1:
            raise keras_tuner.errors.FatalValueError(
                f"`objective` {name!r} must be a single number, and this metric has "
                f"{np.size(metrics[name])} values, one a class.  Give the metric an average, such "
                'as `keras.metrics.F1Score(average="macro")`, or use one that is a single number, '
                "such as `kt_extras.metrics.F1Score`."
            )


def _best_epoch(
    history: Mapping[str, Any], objective: keras_tuner.Objective
) -> tuple[Metrics, int]:
    """Return the metrics of the best of the epochs in which the objective was measured."""
    missing = [name for name in names_of(objective) if not history.get(name)]
    if missing:
        raise missing_objective(objective, history)
    measured = len(history[names_of(objective)[0]])
    # With `validation_freq` some columns are shorter: those of the objective's length belong to it.
    columns = {name: values for name, values in history.items() if len(values) == measured}
    epochs = [{n: v[i] for n, v in columns.items()} for i in range(measured)]
    check_single(objective, epochs[0])
    epochs = list(map(scalars, epochs))
    losses = [loss_of(objective, value_in(objective, metrics)) for metrics in epochs]
    best = losses.index(min(losses))
    return _with_objective(epochs[best], objective), best


def _refuse_curves(results: Mapping[str, Any], objective: keras_tuner.Objective) -> None:
    """Raise if a dictionary holds several curves, as that of a `History` does.

    Raises:
        keras_tuner.errors.FatalTypeError: It does.
    """
    name = names_of(objective)[0]
    curves = [value for value in results.values() if isinstance(value, (list, tuple))]
    if name in results and 1 < len(curves) == len(results) and len(set(map(len, curves))) == 1:
        raise keras_tuner.errors.FatalTypeError(
            f"`HyperModel.fit` must return one number for {name!r}, got {len(curves[0])}, as for "
            "each epoch.  Return the `History` that `model.fit` returns, and not its `history`; "
            "then the best epoch counts."
        )


def _with_objective(metrics: Mapping[str, Any], objective: keras_tuner.Objective) -> Metrics:
    check_single(objective, metrics)
    plain = scalars(metrics)
    value = value_in(objective, plain)
    if value is None:
        raise missing_objective(objective, metrics)
    return {**plain, objective.name: value}


def missing_objective(
    objective: keras_tuner.Objective, metrics: Mapping[str, Any]
) -> keras_tuner.errors.FatalValueError:
    """Return the error for an objective that is not among the metrics."""
    if objective.name == "default_objective":
        return keras_tuner.errors.FatalValueError(
            "`objective` was not given, so `run_trial` or `HyperModel.fit` has to return one "
            f"number to minimise, not {sorted(metrics)}.  Return a number, or name one of these."
        )
    return keras_tuner.errors.FatalValueError(
        f"`objective` {names_of(objective)} is not among the metrics that the training reports: "
        f"{sorted(metrics)}.  Choose one of these, or add it to `model.compile(metrics=...)`; a "
        "value of None does not count."
    )
