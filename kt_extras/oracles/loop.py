"""The loop of a search: from one trial to the next."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.outcome import is_fatal, note_failure, publish
from kt_extras.training.interruption import Interruption

_WAIT = 5.0  # seconds between questions to an oracle that has nothing to do yet
_POLL = 1.0  # the same where the oracle is another process's, which wakes nobody


class TrialLoop:
    """Runs the trials that a tuner's oracle hands out.

    Args:
        tuner: Whose hooks are called.
        oracle: The oracle of this process; on a worker the trials come from the chief's.
        wish: Looked at before each trial.
    """

    def __init__(self, tuner: keras_tuner.Tuner, oracle: SamplerOracle, wish: Interruption) -> None:
        self._tuner, self._oracle, self._wish = tuner, oracle, wish
        self._proven = False  # whether a trial has come to its end, so that the program works

    def next(self) -> Trial | None:
        """Return a trial to run, None if there are no more."""
        while True:
            self._wish.heed()
            self._tuner.pre_create_trial()
            trial = self._tuner.oracle.create_trial(self._tuner.tuner_id)
            if trial.status == TrialStatus.STOPPED:
                return None
            if trial.status != TrialStatus.IDLE:
                return trial
            if self._tuner.oracle is self._oracle:
                self._oracle.wait_for_change(_WAIT)
            else:
                time.sleep(_POLL)

    def run(self, trial: Trial, fit_args: Sequence[Any], fit_kwargs: Mapping[str, Any]) -> None:
        """Run a trial and hand it back, whatever becomes of it."""
        tuner = self._tuner
        tuner.on_trial_begin(trial)
        try:
            results = tuner.run_trial(trial, *fit_args, **fit_kwargs)
            publish(trial, results, tuner.oracle, pruned=self._oracle.pruner is not None)
            trial.status, self._proven = TrialStatus.COMPLETED, True
        except Exception as error:
            if is_fatal(error, proven=self._proven):
                raise  # the trial is put back, and run again once the program is mended
            note_failure(trial, error)
        tuner.on_trial_end(trial)
