"""The training of one trial: its callbacks, its reports to the oracle, its seed and weights."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras import compat
from kt_extras.atomic_files import replace_file, sync_content
from kt_extras.bridge.metrics import LAST_EPOCH, Last, epochs_reported, reported_epochs
from kt_extras.bridge.objective import loss_of, value_in
from kt_extras.checkpoints.best_weights import BestWeights
from kt_extras.checkpoints.full_state import save_state
from kt_extras.checkpoints.random_state import set_seed
from kt_extras.checkpoints.resume import ResumeTraining, TrainedWith
from kt_extras.checkpoints.state_paths import StateFiles
from kt_extras.loggers.trial_logger import loggers_among
from kt_extras.model_reuse.model_pool import FirstBatch
from kt_extras.tensorboard.failures import tolerated
from kt_extras.tensorboard.project_dirs import owner_of, project_dir
from kt_extras.training.batch_check import BatchCheck
from kt_extras.training.callback_paths import begin_part, give_own_paths, root_of
from kt_extras.training.callbacks import Callbacks, callbacks_for
from kt_extras.training.hooks import tuner_hooks
from kt_extras.training.interruption import StopOnRequest, StopRequest
from kt_extras.training.loop_guard import LoopGuard, ScheduledLoopGuard
from kt_extras.training.notes import Notes
from kt_extras.training.quiet import QuietProgress
from kt_extras.training.reporter import EpochReporter, scalars
from kt_extras.training.time_spent import section
from kt_extras.training.tolerant_callback import make_tolerant
from kt_extras.tuners.measured_costs import TrialCosts
from kt_extras.tuners.returned_metrics import check_single, missing_objective
from kt_extras.tuners.search_monitor import SearchMonitor

_STREAM = 0x7A1  # keeps the draws of trainings apart from those of suggestions


class TrialRun:
    """Makes the callbacks of each execution of a trial.

    Args:
        tuner: The tuner, whose hooks are called and whose oracle gets the metrics of every epoch.
        trial: The trial.
        monitor: Reports the search; None on a worker, where the chief does.
        stop_request: Whether the user has asked for the end of the search.
        notes: Says where callbacks write to.
        shows_epochs: Whether Keras' own progress bars are shown.
        seed: Fixes the training; None leaves Keras' generators alone.
        may_lack_objective: Whether an epoch may come without the objective.
        scheduled: Whether a scheduler gives epochs to the trial.  Defaults to False.
        states: The files with the states of paused trials.  Defaults to None: trials never pause.
        costs: Measures costs of the model that are reported with its epochs.

    Attributes:
        epochs_before: Epochs that the trial had trained when it was paused.
        stopped: Whether the oracle has cut the training short.
        batches: Counts the batches of the current execution.
    """

    def __init__(
        self,
        tuner: keras_tuner.Tuner,
        trial: Trial,
        *,
        monitor: SearchMonitor | None,
        stop_request: StopRequest,
        notes: Notes,
        seed: int | None,
        may_lack_objective: bool,
        shows_epochs: bool,
        scheduled: bool = False,
        states: StateFiles | None = None,
        costs: TrialCosts,
    ) -> None:
        self._costs = costs
        self._tuner, self._trial, self._monitor = tuner, trial, monitor
        self._seed, self._states, self._notes = seed, states, notes
        self._may_lack_objective = may_lack_objective
        self._shows_epochs, self._scheduled = shows_epochs, scheduled
        self.epochs_before = epochs_reported(trial) if states else 0
        self._weights = BestWeights(self._loss_in, best=self._best_before())
        self._stop_request, self._end = stop_request, StopOnRequest(stop_request)
        self._trained_with = TrainedWith(trial.hyperparameters.values)
        self._reporter = EpochReporter(self._report, self.epochs_before)
        self._own: Callbacks = []
        self._bring_model: Callable[[], None] = self._weights.before_copy
        self._is_last_execution = True
        self.batches = BatchCheck()
        self.stopped = False

    def train_elsewhere(self, bring_model: Callable[[], None]) -> None:
        """Let the model be trained elsewhere.

        Args:
            bring_model: Puts what is trained there into the model; called before that is saved.
        """
        self._bring_model = self._weights.before_copy = bring_model

    def callbacks(self, given: Any, execution: int) -> Callbacks:
        """Return the callbacks of one execution: the user's, and behind them ours."""
        self._weights.forget_model()
        self._is_last_execution = execution + 1 == self._tuner.executions_per_trial
        self._costs.begin(self.epochs_before)
        self._end.set_model(None)
        own = callbacks_for(given, self._trial)
        if callable(given) and loggers_among(own):
            raise keras_tuner.errors.FatalTypeError(
                "`callbacks` is a function that returns a logger of `kt_extras.loggers`, which is "
                "told of the whole search: pass it in a list of callbacks."
            )
        boards = []
        folders = [self._trial.trial_id]
        if self._tuner.executions_per_trial > 1:
            folders.append(f"execution{execution}")
        for callback in own:
            root = self._into_project(callback, made_for_trial=callable(given))
            if isinstance(callback, keras.callbacks.TensorBoard):
                make_tolerant(callback, partial(tolerated, root))
                boards.append(root)
            give_own_paths(callback, folders, self._notes.add, made_for_trial=callable(given))
            begin_part(callback, self.epochs_before)
        if self._monitor is not None and execution == 0:
            for log_dir in boards:
                self._monitor.trial_began(self._trial, log_dir)
        self._reporter = EpochReporter(self._report, self.epochs_before)
        self._own = own if self._states is None else [*own, self._trained_with]
        hooks = tuner_hooks(self._tuner, self._trial)
        quiet = [] if self._shows_epochs else [QuietProgress()]
        begins = FirstBatch(self._tuner._pool)
        ours = [hooks, begins, self._weights, self._reporter, *quiet, self._end]
        self.batches = BatchCheck()
        callbacks = [self._guard(), self.batches, *self._own, *ours]
        if self._states is not None and self.epochs_before:
            state = self._states.path(self._trial.trial_id, self.epochs_before)
            callbacks.append(ResumeTraining(state, self._own, self._trained_with))
        return callbacks

    def _into_project(self, callback: Any, *, made_for_trial: bool) -> str:
        """Let a callback write to the project's part of its `log_dir`; return that of all trials.

        Args:
            callback: Any callback.
            made_for_trial: Whether a function has made it, perhaps for the directory of its trial.
        """
        given, trial_id = str(getattr(callback, "log_dir", None) or ""), self._trial.trial_id
        root = root_of(given, trial_id) if made_for_trial else given
        if given:
            inner = [] if root == given else [trial_id]
            callback.log_dir = os.path.join(self._log_dir(root), *inner)
        return root

    def _log_dir(self, given: str) -> str:
        """Return where the project writes in a directory for TensorBoard."""
        owner = owner_of(str(self._tuner.project_dir), given)
        with tolerated(given):
            return project_dir(given, self._tuner.project_name, owner)
        return given

    def _guard(self) -> LoopGuard:
        if self._scheduled:
            return ScheduledLoopGuard(
                self._asked_to_stop,
                resumes=self._states is not None,
                begins=self.epochs_before == 0,
            )
        return LoopGuard(self._asked_to_stop)

    def _asked_to_stop(self) -> bool:
        """Return whether the training was asked to stop, by the search or by the user."""
        return self._reporter.stopped or self._end.cut_short

    def set_seed(self, execution: int) -> None:
        """Make the training repeatable, if the user has given a seed."""
        set_trial_seed(self._seed, self._trial, execution, self.epochs_before)

    def raise_if_interrupted(self) -> None:
        """End the search if the user's request has cut the training short.

        Raises:
            KeyboardInterrupt: It has.
        """
        if self._end.cut_short:
            self._stop_request.raise_if_set()

    def write_weights(self, path: str, build_config: str) -> None:
        """Write the weights of the best epoch of all executions.

        When this returns, they are on the disk, and so is what is needed to load them.

        Args:
            path: Path of the weights.
            build_config: Path of the file that `write_build_config` or KerasTuner has written.
        """
        with section("saving"):
            if self.stopped and self._states is not None:
                self._weights.save_arrays(path)
                return
            if os.path.exists(build_config):
                sync_content(Path(build_config))  # and its entry with that of the weights
            self._weights.write(path)

    def write_build_config(self, path: str) -> None:
        """Write what Keras 3 needs to build the model, which KerasTuner writes after `fit`."""
        model = self._reporter.model
        if compat.KERAS_3 and model is not None:
            replace_file(Path(path), json.dumps(compat.input_spec(model)))

    @property
    def models_trained(self) -> int:
        """How many models the current execution has trained."""
        return self._reporter.models

    def _report(self, epoch: int, metrics: dict[str, float], last: bool) -> bool:
        """Report an epoch to the oracle; return whether to stop."""
        oracle = self._tuner.oracle
        if not self._may_lack_objective and value_in(oracle.objective, metrics) is None:
            raise missing_objective(oracle.objective, metrics)
        metrics = {**self._costs.measured(self._reporter.model), **metrics}
        ends = Last.OF_TRIAL if self._is_last_execution else Last.OF_EXECUTION
        marked = {**metrics, LAST_EPOCH: ends.value} if last else metrics
        answer = oracle.update_trial(self._trial.trial_id, marked, step=epoch)
        last = last and ends is Last.OF_TRIAL
        self.stopped = answer.status == TrialStatus.STOPPED and not last
        if self.stopped and self._states is not None:
            self._bring_model()
            state = self._states.path(self._trial.trial_id, epoch + 1)
            with section("saving"):
                save_state(state, self._reporter.model, self._own, epoch=epoch + 1)
        if self._monitor is not None:
            self._monitor.epoch_ended(self._trial.trial_id)
        return self.stopped

    def _best_before(self) -> float:
        """Return the lowest loss of the epochs before the trial was paused."""
        if not self.epochs_before:
            return math.inf
        rows = reported_epochs(self._trial).values()
        losses = (self._loss_in(metrics) for metrics in rows)
        return min((loss for loss in losses if loss is not None), default=math.inf)

    def _loss_in(self, logs: Mapping[str, Any]) -> float | None:
        objective = self._tuner.oracle.objective
        check_single(objective, logs)
        for name, logged in logs.items():
            if logged is None or isinstance(logged, str):
                self._notes.add(f"{name!r} is not recorded in epochs in which it is no number.")
        value = value_in(objective, scalars(logs))
        return None if value is None else loss_of(objective, value)


def set_trial_seed(
    seed: int | None, trial: Trial, execution: int = 0, epochs_before: int = 0
) -> None:
    """Set the seeds of Python, NumPy and Keras to those of one execution of one trial.

    Args:
        seed: The seed of the search; None leaves all generators alone.
        trial: The trial.
        execution: The execution, counted from 0.  Defaults to 0.
        epochs_before: Epochs trained before a pause; with another number, shuffled data come in
            another order.  Defaults to 0.
    """
    if seed is not None:
        entropy = [seed, int(trial.trial_id), execution, epochs_before]
        stream = np.random.SeedSequence(entropy, spawn_key=(_STREAM,))
        set_seed(int(stream.generate_state(1)[0]))
