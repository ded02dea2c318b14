"""The costs of a trial's model that are objectives or constraints, for its reports."""

from __future__ import annotations

import time
from collections.abc import Mapping

import keras
from keras_tuner.engine.trial import Trial

from kt_extras.bridge.goals import costs_in
from kt_extras.bridge.metrics import reported_epochs
from kt_extras.costs import CostMeter
from kt_extras.search.outcome import Goals

TRAINING_SECONDS = "training_seconds"


class MeasuredCosts:
    """Measures what a search wants to know of its models beside their metrics.

    Args:
        goals: What is wanted of outcomes, None for a good score alone.
    """

    def __init__(self, goals: Goals | None) -> None:
        names = costs_in(goals)
        self._meter = CostMeter([name for name in names if name != TRAINING_SECONDS])
        self.takes_time = TRAINING_SECONDS in names

    def of_trial(self, trial: Trial) -> TrialCosts:
        """Return what measures the costs of one trial."""
        return TrialCosts(self._meter, trial, takes_time=self.takes_time)


class TrialCosts:
    """Measures the costs of one trial's model, once, and the time of its training.

    Args:
        meter: Measures a model.
        trial: The trial, whose time goes on where it was paused.
        takes_time: Whether the seconds of the training are wanted.
    """

    def __init__(self, meter: CostMeter, trial: Trial, *, takes_time: bool) -> None:
        self._meter, self._trial, self._takes_time = meter, trial, takes_time
        self._known: Mapping[str, float] | None = None
        self._began, self._before = time.perf_counter(), 0.0

    def begin(self, epochs_before: int) -> None:
        """Begin to take the time of an execution.

        Args:
            epochs_before: How many epochs the trial had trained when it was paused.
        """
        epochs = reported_epochs(self._trial) if epochs_before and self._takes_time else {}
        spent = [epochs[step].get(TRAINING_SECONDS, 0.0) for step in epochs if step < epochs_before]
        self._began, self._before = time.perf_counter(), max(spent, default=0.0)
        self._known = None

    def measured(self, model: keras.Model) -> dict[str, float]:
        """Return the costs by their names, at the end of an epoch.

        Args:
            model: The trial's.

        Raises:
            ValueError: A cost cannot be measured.
        """
        now = time.perf_counter()
        seconds = self._before + now - self._began
        if self._known is None:
            self._known = self._meter.measure(model) if self._meter.names else {}
            self._began += time.perf_counter() - now  # which is not spent on training
        return {**self._known, TRAINING_SECONDS: seconds} if self._takes_time else {**self._known}
