"""The loop of a search: from one trial to the next."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras import compat
from kt_extras.bridge.trial_message import take_message
from kt_extras.checkpoints.random_state import random_state_kept
from kt_extras.checkpoints.state_file import UnreadableStateError
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.training.global_state import settings_kept
from kt_extras.training.interruption import StopRequest
from kt_extras.training.time_spent import section
from kt_extras.tuners.asked_oracle import asked_oracle
from kt_extras.tuners.environment_errors import is_environment
from kt_extras.tuners.trial_outcome import add_results, is_fatal, set_failure

_POLL = 0.1  # seconds to wait on a worker of a chief, which has no trial yet


class TrialLoop:
    """Runs the trials that a tuner's oracle hands out.

    Args:
        tuner: The tuner, whose hooks are called.
        oracle: The oracle of this process; on a worker the trials come from the chief's.
        stop_request: Whether the user has asked for the end of the search; read before each trial.
    """

    def __init__(
        self, tuner: keras_tuner.Tuner, oracle: SamplerOracle, stop_request: StopRequest
    ) -> None:
        self._tuner, self._oracle, self._stop_request = tuner, oracle, stop_request
        # Whether a trial has run to its end, which shows that the program works.
        self._proven = False
        self.asked = asked_oracle(tuner, oracle)

    def next(self) -> Trial | None:
        """Return a trial to run, None if there are no more.

        Raises:
            RuntimeError: On a worker, too many trials have failed.
        """
        asked = 0
        while True:
            trial = self.ask(self._tuner.tuner_id)
            if trial.status == TrialStatus.STOPPED:
                take_message(trial)
                if trial.message is not None:
                    raise RuntimeError(trial.message)
                return None
            if trial.status != TrialStatus.IDLE:
                if self._tuner.oracle is not self._oracle:
                    self._oracle.watch(trial)
                return trial
            asked += 1
            if self.asked is not None:
                self.asked.wait(asked)
            else:
                time.sleep(_POLL)  # the chief has made it wait already, until something changed

    def ask(self, tuner_id: str) -> Trial:
        """Return what the oracle has for a worker: a trial, or one that says that there is none.

        Raises:
            KeyboardInterrupt: The user has asked for the end of the search.
        """
        self._stop_request.raise_if_set()
        self._tuner.pre_create_trial()
        with section("suggesting"):
            return self._tuner.oracle.create_trial(tuner_id)

    def run(
        self,
        trial: Trial,
        fit_args: Sequence[Any],
        fit_kwargs: Mapping[str, Any],
        *,
        begun: bool = False,
    ) -> None:
        """Run a trial and return it to the oracle, whether it succeeds or fails.

        Args:
            trial: The trial.
            fit_args: Positional arguments of `search`.
            fit_kwargs: Keyword arguments of `search`.
            begun: Whether `on_trial_begin` was called already.  Defaults to False.
        """
        replaced = self._oracle.seed_given or bool(trial.metrics.metrics)  # the random streams
        with (
            settings_kept(),
            compat.own_names(),
            random_state_kept() if replaced else nullcontext(),
        ):
            if not begun:
                self._tuner.on_trial_begin(trial)
            self._run(trial, fit_args, fit_kwargs)

    def _run(self, trial: Trial, fit_args: Sequence[Any], fit_kwargs: Mapping[str, Any]) -> None:
        try:
            self.take_results(trial, self._tuner._train(trial, fit_args, fit_kwargs))
        except Exception as error:
            if not self.take_failure(trial, error):
                return
        self.end(trial)

    def end(self, trial: Trial) -> None:
        """Return a trial to the oracle, unless it was given to another worker meanwhile."""
        try:
            self._tuner.on_trial_end(trial)
        except TrialTakenError as taken:
            _warn_of_taken(taken)

    def take_results(self, trial: Trial, results: Any) -> None:
        """Add to a trial what its training returned."""
        scheduler, oracle = self._oracle.scheduler, self._tuner.oracle
        if scheduler is not None and not self._proven:
            _check_scheduled(trial, results, oracle, scheduler.max_epochs)
        pruned = self._oracle.pruner is not None
        add_results(trial, results, oracle, pruned=pruned, scheduled=scheduler is not None)
        trial.status, self._proven = TrialStatus.COMPLETED, True

    def take_failure(self, trial: Trial, error: Exception) -> bool:
        """Add to a trial the error that has ended it; return whether it has ended.

        If it has not, it is run again.  An error that ends the search is raised again.
        """
        if isinstance(error, TrialTakenError):
            _warn_of_taken(error)
            return False
        if isinstance(error, UnreadableStateError):
            if self.asked is None:
                raise error  # the chief gives the trial to the next worker
            warnings.warn(f"Trial {trial.trial_id!r} is trained again: {error}", stacklevel=2)
            self.asked.give_back(trial.trial_id)
            return False
        if is_environment(error) or is_fatal(error, proven=self._proven):
            raise error  # the trial is run again once the machine or the program is in order
        set_failure(trial, error)
        if self.asked is None and trial.status != TrialStatus.IDLE:
            traceback.print_exception(error)  # the chief, which reports the search, is elsewhere
        return True


def _check_scheduled(
    trial: Trial, results: Any, oracle: keras_tuner.Oracle, max_epochs: int
) -> None:
    """Raise if a training does not do what the scheduler says.

    Raises:
        keras_tuner.errors.FatalValueError: It reported no epoch, or was not given enough of them.
    """
    if not oracle.get_trial(trial.trial_id).metrics.metrics:
        raise keras_tuner.errors.FatalValueError(
            "`callbacks` must be passed on to `model.fit`, together with `epochs`: the scheduler "
            "needs the metrics of every epoch, but this `run_trial` or `HyperModel.fit` reported "
            "none.  Take them as `**kwargs` and call `model.fit(..., **kwargs)`; or use a tuner "
            "without a scheduler, such as `kt_extras.TPE`."
        )
    for result in results if isinstance(results, list) else [results]:
        if isinstance(result, keras.callbacks.History):
            given = (result.params or {}).get("epochs", max_epochs)
            if given < max_epochs:
                raise keras_tuner.errors.FatalValueError(
                    f"`epochs` must be passed on to `model.fit`, which got {given} in place of "
                    f"{max_epochs}: the scheduler sets how long each trial trains.  Take it as "
                    "one of `**kwargs` and call `model.fit(..., **kwargs)`."
                )


def _warn_of_taken(error: TrialTakenError) -> None:
    warnings.warn(f"{error}  This one goes on with another trial.", stacklevel=3)
