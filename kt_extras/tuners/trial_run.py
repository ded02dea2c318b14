"""One trial on its way through training: what it reports, and what is kept of it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.bridge.metrics import LAST_EPOCH, epochs_reported, reported_epochs
from kt_extras.bridge.objective import loss_of, value_in
from kt_extras.checkpoints.best_weights import BestWeights
from kt_extras.checkpoints.full_state import save_state
from kt_extras.checkpoints.random_state import set_seed
from kt_extras.checkpoints.resume import ResumeTraining, TrainedWith
from kt_extras.checkpoints.state_paths import StateFiles
from kt_extras.training.callbacks import Callbacks, callbacks_for
from kt_extras.training.hooks import tuner_hooks
from kt_extras.training.interruption import StopOnRequest, StopRequest
from kt_extras.training.reporter import EpochReporter
from kt_extras.tuners.returned_metrics import missing_objective
from kt_extras.tuners.search_monitor import SearchWatch


class TrialRun:
    """Makes the callbacks of each execution of a trial.

    Args:
        tuner: Whose hooks are called and whose oracle is told of every epoch.
        trial: The trial.
        watch: Who looks on, None on a worker.
        wish: Whether the user wants to end the search.
        seed: Settles the training if it is not None.
        patient: Whether an epoch may lack the objective.
        pauses: Where the states of trials that pause are, None if trials never do.

    Attributes:
        begun: Epochs that the trial was trained before it was paused.
        stopped: Whether the oracle has asked for the end of the training.
    """

    def __init__(
        self,
        tuner: keras_tuner.Tuner,
        trial: Trial,
        *,
        watch: SearchWatch | None,
        wish: StopRequest,
        seed: int | None,
        patient: bool,
        pauses: StateFiles | None = None,
    ) -> None:
        self._tuner, self._trial, self._watch = tuner, trial, watch
        self._seed, self._patient, self._pauses = seed, patient, pauses
        self.begun = epochs_reported(trial) if pauses else 0
        self._weights = BestWeights(self._loss_in, best=self._best_before())
        self._wish, self._end = wish, StopOnRequest(wish)
        self._trained_with = TrainedWith(trial.hyperparameters.values)
        self._reporter = EpochReporter(self._report, self.begun)
        self._own: Callbacks = []
        self.stopped = False

    def callbacks(self, given: Any, execution: int) -> Callbacks:
        """Return the callbacks of one execution: the user's, and behind them ours."""
        self._weights.forget_model()
        self._end.set_model(None)
        own = callbacks_for(given, self._trial)
        for callback in own:
            if hasattr(callback, "log_dir"):
                self._point(callback, execution)
        hooks = tuner_hooks(self._tuner, self._trial)
        if self._pauses is None:
            self._reporter = EpochReporter(self._report)
            return [*own, hooks, self._weights, self._reporter, self._end]
        self._own = [*own, self._trained_with]
        watchers = [*self._own, hooks, self._weights, self._reporter, self._end]
        if self.begun:
            state = self._pauses.path(self._trial.trial_id, self.begun)
            watchers.append(ResumeTraining(state, self._own, self._trained_with))
        return watchers

    def settle_seed(self, execution: int) -> None:
        """Make the training repeatable, if the user has asked for that by giving a seed."""
        settle_seed(self._seed, self._trial, execution, self.begun)

    def heed(self) -> None:
        """End the search here, if the user's wish has cut the training short."""
        if self._end.cut_short:
            self._wish.raise_if_set()

    def write_weights(self, path: str) -> None:
        """Write the weights of the best epoch of all executions."""
        paused = self.stopped and self._pauses is not None
        (self._weights.save_arrays if paused else self._weights.write)(path)

    def _report(self, epoch: int, metrics: dict[str, float], last: bool) -> bool:
        """Hand an epoch to the oracle; tell whether to stop."""
        oracle = self._tuner.oracle
        if not self._patient and value_in(oracle.objective, metrics) is None:
            raise missing_objective(oracle.objective, metrics)
        marked = {**metrics, LAST_EPOCH: 1.0} if last else metrics
        answer = oracle.update_trial(self._trial.trial_id, marked, step=epoch)
        self.stopped = answer.status == TrialStatus.STOPPED and not last
        if self.stopped and self._pauses is not None:
            state = self._pauses.path(self._trial.trial_id, epoch + 1)
            save_state(state, self._reporter.model, self._own, epoch=epoch + 1)
        if self._watch is not None:
            self._watch.epoch_ended()
        return self.stopped

    def _best_before(self) -> float:
        """Return the lowest loss of the epochs before the trial was paused."""
        if not self.begun:
            return math.inf
        rows = reported_epochs(self._trial).values()
        losses = (self._loss_in(metrics) for metrics in rows)
        return min((loss for loss in losses if loss is not None), default=math.inf)

    def _loss_in(self, logs: Mapping[str, Any]) -> float | None:
        objective = self._tuner.oracle.objective
        value = value_in(objective, logs)
        return None if value is None else loss_of(objective, value)

    def _point(self, callback: Any, execution: int) -> None:
        """Give a callback that writes for TensorBoard the directory of this execution."""
        log_dir = str(callback.log_dir)
        callback.log_dir = os.path.join(log_dir, self._trial.trial_id)
        if self._tuner.executions_per_trial > 1:
            callback.log_dir = os.path.join(callback.log_dir, f"execution{execution}")
        is_board = isinstance(callback, keras.callbacks.TensorBoard)
        if is_board and self._watch is not None and execution == 0:
            self._watch.trial_began(self._trial, log_dir)


def settle_seed(seed: int | None, trial: Trial, execution: int = 0, begun: int = 0) -> None:
    """Begin all of Keras' random streams where this execution of this trial begins them.

    Args:
        seed: The search's, None to leave them alone.
        trial: The trial.
        execution: Counted from 0.
        begun: Epochs trained before; data that are shuffled don't come in their first order again.
    """
    if seed is not None:
        entropy = [seed, int(trial.trial_id), execution, *[begun] * (begun > 0)]
        set_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
