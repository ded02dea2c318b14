"""Convert the metrics of epochs to JSON and back, and read those of KerasTuner's trials."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial

from kt_extras.bridge.objective import direction_of

Metrics = dict[str, float]

#: The metric that marks a trial's last epoch.  KerasTuner's protocol carries metrics and nothing
#: else from a worker to its chief, and only the worker knows how many epochs `fit` was given.
LAST_EPOCH = "kt_extras/last_epoch"


class Last(enum.Enum):
    """What ends with an epoch: the whole training of a trial, or an execution of several."""

    OF_EXECUTION = 0.0
    OF_TRIAL = 1.0


#: The best epoch of a trial of which no epoch is known, on the way to the oracle: KerasTuner's
#: protocol takes None for 0.
NO_EPOCH = -1


def split_last_epoch(metrics: Mapping[str, float]) -> tuple[Metrics, Last | None]:
    """Return an epoch's metrics without the mark `LAST_EPOCH`, and what ends with the epoch.

    Raises:
        TypeError: They are no dictionary of names, or a value is not a number.
        ValueError: A value is a text.

    >>> split_last_epoch({"loss": 0.5, LAST_EPOCH: 1.0})
    ({'loss': 0.5}, <Last.OF_TRIAL: 1.0>)
    """
    if not isinstance(metrics, Mapping):
        raise TypeError(f"`metrics` must be a dictionary of names and numbers, got {metrics!r}.")
    plain = {_text(k): _number(k, v) for k, v in metrics.items() if k != LAST_EPOCH}
    return plain, Last(float(metrics[LAST_EPOCH])) if LAST_EPOCH in metrics else None


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"`metrics` must have texts as names, got {name!r}.")
    return name


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"`metrics` must be numbers, got {value!r} for {name!r}; leave it out of the report."
        ) from None


def encoded(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Return metrics as JSON can hold them: a number that is not finite becomes a string."""
    return {k: float(v) if math.isfinite(v) else str(float(v)) for k, v in metrics.items()}


def decoded(metrics: Mapping[str, float | str]) -> Metrics:
    """Invert `encoded`."""
    return {name: float(value) for name, value in metrics.items()}


def columns(run: dict[int, Metrics]) -> dict[str, Any]:
    """Return the epochs of an execution in columns, as JSON can hold them.

    >>> columns({0: {"loss": 2.0}, 1: {"loss": 1.0, "val_loss": float("nan")}})
    {'steps': [0, 1], 'metrics': {'loss': [2.0, 1.0], 'val_loss': [None, 'nan']}}
    """
    rows = [encoded(metrics) for metrics in run.values()]
    names = dict.fromkeys(name for row in rows for name in row)
    return {"steps": list(run), "metrics": {n: [row.get(n) for row in rows] for n in names}}


def rows(run: Mapping[str, Any]) -> dict[int, Metrics]:
    """Invert `columns`."""
    metrics: dict[int, Metrics] = {step: {} for step in run["steps"]}
    for name, values in run["metrics"].items():
        for step, value in zip(run["steps"], values, strict=True):
            if value is not None:
                metrics[step][name] = float(value)
    return metrics


def reported_epochs(trial: Trial) -> dict[int, Metrics]:
    """Return the metrics of each epoch from KerasTuner's trial, which a worker has too."""
    epochs: dict[int, Metrics] = {}
    for name, history in trial.metrics.metrics.items():
        for observation in history.get_history():
            epochs.setdefault(observation.step, {})[name] = float(np.mean(observation.value))
    return epochs


def epochs_reported(trial: Trial) -> int:
    """Return how many epochs a trial has trained."""
    return max(reported_epochs(trial), default=-1) + 1


def metric_history(trial: Trial, name: str, objective: keras_tuner.Objective) -> Any:
    """Return KerasTuner's record of a metric of a trial, registered if it is new.

    Its direction is always given: KerasTuner's own guess raises for several metrics of Keras.
    """
    if not trial.metrics.exists(name):
        trial.metrics.register(name, direction=direction_of(name, objective))
    return trial.metrics.metrics[name]
