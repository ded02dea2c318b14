"""The scores of a trial, from the metrics of its epochs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import fmean

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.bridge.metrics import Metrics
from kt_extras.bridge.objective import loss_of, value_in
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search.outcome import Goals


def best_trials(
    trials: Iterable[Trial], objective: keras_tuner.Objective, num_trials: int | None
) -> list[Trial]:
    """Return the trials with the best scores, best first; never one that failed.

    Args:
        trials: All trials.
        objective: The search's, with its direction known.
        num_trials: How many; fewer if there are not as many with a score.  None for all.
    """
    scored = filter(is_scored, trials)
    maximised = objective.direction == "max"
    return sorted(scored, key=lambda trial: trial.score, reverse=maximised)[:num_trials]


def is_scored(trial: Trial) -> bool:
    """Tell whether a trial can be among the best, also one that was paused and runs again."""
    return trial.status in {TrialStatus.COMPLETED, TrialStatus.RUNNING} and trial.score is not None


def best_epochs(record: TrialRecord, objective: keras_tuner.Objective) -> list[tuple[float, int]]:
    """Return the best value of the objective and its epoch, for each execution that reported one.

    Args:
        record: A trial.
        objective: The search's, with its direction known.
    """
    return [found for run in record.executions if (found := best_of(run, objective)) is not None]


def best_metrics(record: TrialRecord, objective: keras_tuner.Objective) -> Metrics:
    """Return all metrics of the best epoch, as means over the executions, like the score.

    Args:
        record: A trial; one without a score has none.
        objective: The search's, with its direction known.

    Returns:
        Also the metrics that the training has returned without reporting them.
    """
    if record.trial.score is None:
        return {}
    steps = [record.trial.best_step]
    if len(record.executions) > 1:
        steps = [step for _, step in best_epochs(record, objective)]
    epochs = [run.get(step, {}) for run, step in zip(record.executions, steps, strict=False)]
    names = dict.fromkeys(name for metrics in epochs for name in metrics)
    means = {n: float(np.mean([m[n] for m in epochs if n in m])) for n in names}
    return {**means, **record.results}


def best_step(record: TrialRecord, objective: keras_tuner.Objective) -> int | None:
    """Return the best epoch of a trial, whose weights are kept: the mean over its executions.

    Where no epoch has reported the objective, which only the end of the training gave, it is the
    last one; None if no epoch was reported.

    Args:
        record: A trial.
        objective: The search's, with its direction known.
    """
    steps = [step for _, step in best_epochs(record, objective)]
    steps = steps or [max(run) for run in record.executions if run]
    return round(fmean(steps)) if steps else None


def score_at_pause(
    record: TrialRecord, objective: keras_tuner.Objective
) -> tuple[float | None, int]:
    """Return the score and the best epoch that a trial had when it was last paused.

    One that had diverged by then had no score.

    Args:
        record: A trial that has been paused.
        objective: The search's, with its direction known.
    """
    run = record.executions[0] if record.executions else {}
    before = {step: m for step, m in run.items() if step < record.paused_at_epoch}
    score, step = best_of(before, objective) or (math.nan, 0)
    return (score, step) if math.isfinite(score) else (None, 0)


def check_measured(goals: Goals | None, record: TrialRecord, given: Trial) -> None:
    """Raise unless a trial has measured all that it is compared by.

    Args:
        goals: What is wanted of outcomes, None for a good score alone.
        record: The trial as it is on record.
        given: The trial as its worker has returned it, with the metrics that came at its end.

    Raises:
        ValueError: It has not.
    """
    if goals is None:
        return
    reported = {name for run in record.executions for m in run.values() for name in m}
    measured = reported | set(given.metrics.metrics)
    wanted = {
        "objectives": [target.name for target in goals.objectives],
        "constraints": [constraint.metric for constraint in goals.constraints],
    }
    for argument, names in wanted.items():
        if missing := [name for name in names if name not in measured]:
            raise ValueError(
                f"`{argument}` must be of metrics that are reported, but {missing} never were; the "
                f"metrics that were are {sorted(measured)}."
            )


def best_of(
    run: Mapping[int, Metrics], objective: keras_tuner.Objective
) -> tuple[float, int] | None:
    """Return the best value of the objective in one execution and its epoch, None without one."""
    values = {step: value_in(objective, metrics) for step, metrics in run.items()}
    measured = {step: value for step, value in values.items() if value is not None}
    if not measured:
        return None
    step = min(measured, key=lambda s: (loss_of(objective, measured[s]), s))
    return measured[step], step
