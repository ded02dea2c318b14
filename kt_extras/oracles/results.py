"""What came out: results in every shape that a user's code returns, and tables of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial

from kt_extras.oracles.entry import Entry
from kt_extras.oracles.epochs import Metrics
from kt_extras.oracles.objective import loss_of, names_of, value_in


def final_metrics(results: Any, objective: keras_tuner.Objective) -> tuple[Metrics, int]:
    """Return the metrics of a trial and its best epoch from what `run_trial` or `fit` returned.

    Args:
        results: A number (the objective), a dictionary of metrics, a Keras `History` (its best
            epoch counts), or a list of these, one an execution (their mean counts).
        objective: What the search is for; always among the metrics returned.

    Raises:
        keras_tuner.errors.FatalTypeError: Something else was returned.
        keras_tuner.errors.FatalValueError: The objective is not in it.

    >>> final_metrics([{"cost": 1.0}, {"cost": 2.0}], keras_tuner.Objective("cost", "min"))
    ({'cost': 1.5}, 0)
    """
    if isinstance(results, (list, tuple)) and results:
        runs = [final_metrics(result, objective) for result in results]
        shared = set.intersection(*(set(metrics) for metrics, _ in runs))
        means = {name: fmean(m[name] for m, _ in runs) for name in runs[0][0] if name in shared}
        return means, round(fmean(step for _, step in runs))
    if isinstance(results, keras.callbacks.History):
        return _best_epoch(results.history, objective)
    if isinstance(results, Mapping):
        return _with_objective(results, objective), 0
    try:
        return {objective.name: float(results)}, 0
    except (TypeError, ValueError):
        raise keras_tuner.errors.FatalTypeError(
            "`run_trial` and `HyperModel.fit` must return a number, a dictionary of metrics, a "
            f"Keras `History` or a list of these, got {results!r} of {type(results)}.  Is a "
            "`return` missing?"
        ) from None


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
    epochs = [{n: float(v[i]) for n, v in columns.items()} for i in range(measured)]
    losses = [loss_of(objective, value_in(objective, metrics)) for metrics in epochs]
    best = losses.index(min(losses))
    return _with_objective(epochs[best], objective), best


def _with_objective(metrics: Mapping[str, Any], objective: keras_tuner.Objective) -> Metrics:
    plain = {name: float(value) for name, value in metrics.items()}
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
        f"{sorted(metrics)}.  Choose one of these, or add it to `model.compile(metrics=...)`."
    )


def reported_epochs(trial: Trial) -> dict[int, Metrics]:
    """Return the metrics of each epoch as KerasTuner's own trial holds them, on a worker too."""
    epochs: dict[int, Metrics] = {}
    for name, history in trial.metrics.metrics.items():
        for observation in history.get_history():
            epochs.setdefault(observation.step, {})[name] = float(np.mean(observation.value))
    return epochs


def epochs_reported(trial: Trial) -> int:
    """Return how many epochs a trial has trained."""
    return max(reported_epochs(trial), default=-1) + 1


def table(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return one row a trial, ready for `pandas.DataFrame`.

    Returns:
        Rows with `number`, `trial_id`, `state`, `score`, `best_epoch` (from 0), `epochs` (trained,
        over all executions), `seconds`, `message`, and each hyperparameter under its own name
        (`values.<name>` if that is taken); inactive hyperparameters are left out.
    """
    return [_row(entry) for entry in entries]


def _row(entry: Entry) -> dict[str, Any]:
    trial = entry.trial
    row = {
        "number": entry.number,
        "trial_id": trial.trial_id,
        "state": entry.state,
        "score": trial.score,
        "best_epoch": trial.best_step if trial.score is not None else None,
        "epochs": entry.epochs,
        "seconds": entry.seconds,
        "message": trial.message,
    }
    for name, value in entry.best_values.items():
        row[f"values.{name}" if name in row else name] = value
    return row


def epochs_of(entry: Entry) -> dict[str, list[Any]]:
    """Return the metrics of every epoch in columns, ready for `pandas.DataFrame`.

    Returns:
        `execution`, `epoch` (both from 0) and a column a metric, NaN where it was not measured.
    """
    names = list(dict.fromkeys(n for run in entry.executions for m in run.values() for n in m))
    columns: dict[str, list[Any]] = {name: [] for name in ("execution", "epoch", *names)}
    for execution, run in enumerate(entry.executions):
        for epoch, metrics in run.items():
            columns["execution"].append(execution)
            columns["epoch"].append(epoch)
            for name in names:
                columns[name].append(metrics.get(name, math.nan))
    return columns


def resumption(oracle: Any, project: str, changes: Sequence[str]) -> str:
    """Return what a resumed search has found, for the user to read."""
    left = oracle.remaining_trials()
    lines = [
        f"Going on with {project!r}: {oracle.totals.ended} trials done"
        + ("." if left is None else f", {max(left, 0)} to go.")
    ]
    if changes:
        lines.append("The search space has changed; results are kept where they still fit:")
        lines += [f"  {change}" for change in changes]
    return "\n".join(lines)
