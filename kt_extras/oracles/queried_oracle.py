"""A KerasTuner oracle that answers what is known of a search, all of which follows from its events.

Where they are written is the job of `kt_extras.oracles.recorded_oracle`.
"""

from __future__ import annotations

import copy
import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial

from kt_extras.analysis.search_data import SearchData, Target, TrialData
from kt_extras.arguments import check_flag, check_integer
from kt_extras.bridge.declarations import checked
from kt_extras.bridge.goals import Constraints, Objectives, resolve_goals
from kt_extras.bridge.objective import ObjectiveLike, names_of
from kt_extras.bridge.trial_state import TrialState
from kt_extras.oracles.arguments import check_count, check_hyperparameters, refuse_overridden
from kt_extras.oracles.search_data import search_data, targets_of, trial_data
from kt_extras.records.events import SpaceDeclared
from kt_extras.records.failures_said import BestList
from kt_extras.records.recorder import Recorder
from kt_extras.records.scores import best_epochs
from kt_extras.records.search_state import SearchState, Totals
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import History, Space


class QueriedOracle(keras_tuner.Oracle):
    """Answers what is known of a search.

    Args:
        objective: A metric's name as it stands in the logs, a `keras_tuner.Objective`, or a list.
        objectives, constraints, weights: As for `kt_extras.SamplerOracle`.
        max_trials: Maximum number of trials to begin; None for no limit.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space, or None;
            copied.
        seed: An integer from 0, or None for one that is drawn from Python's `random`, so that
            `keras.utils.set_random_seed` before it repeats the search.
        **kwargs: As for `keras_tuner.Oracle`.

    Attributes:
        seed: The seed of the search: the one that was given, or recorded, or drawn.
        seed_given: Whether the user has given it.
        goals: What is wanted of outcomes, None for a good score alone.
    """

    hyperparameters: keras_tuner.HyperParameters  # KerasTuner's own attribute

    def __init__(
        self,
        objective: ObjectiveLike,
        *,
        objectives: Objectives | None = None,
        constraints: Constraints | None = None,
        weights: Mapping[str, float] | None = None,
        max_trials: int | None,
        hyperparameters: keras_tuner.HyperParameters | None,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        refuse_overridden(type(self))
        check_hyperparameters(hyperparameters)
        for name in ("allow_new_entries", "tune_new_entries"):
            check_flag(name, kwargs.get(name, True))
        max_trials = check_count("max_trials", max_trials, minimum=1)
        seed = check_count("seed", seed, minimum=0)
        resolved, self.goals = resolve_goals(objective, objectives, constraints, weights)
        super().__init__(
            objective=resolved,
            max_trials=max_trials,
            hyperparameters=hyperparameters.copy() if hyperparameters else None,
            seed=1,  # not used; without it KerasTuner draws one from Python's `random`
            **kwargs,
        )
        # What the user gives overrides what the model declares, and is no mistake.
        self._unchecked = {hp.name for hp in self.hyperparameters.space}
        self.hyperparameters = checked(self.hyperparameters, self._unchecked)
        self.seed = random.randrange(2**31) if seed is None else seed
        self.seed_given = seed is not None
        self._recorder = Recorder(self.objective, self.hyperparameters, self.seed, self.goals)
        # One lock for all that reads or changes state; waiting workers sleep on it.
        self._changed = threading.Condition(threading.RLock())

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs of the oracle: all but its lock."""
        return {name: value for name, value in vars(self).items() if name != "_changed"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what another process has sent, outside a session."""
        self.__dict__.update(state, _changed=threading.Condition(threading.RLock()))

    @property
    def space(self) -> Space:
        """The search space as the samplers see it."""
        with self._changed:
            self._sync_space()
            return self._state.history.space

    @property
    def history(self) -> History:
        """The trials as samplers, pruners and schedulers see them; not to be changed."""
        return self._state.history

    @property
    def totals(self) -> Totals:
        """Counts of trials and epochs, and the best score."""
        return self._state.totals

    @property
    def front_size(self) -> int:
        """How many outcomes no other one dominates; 0 where there is one objective."""
        several = self.goals is not None and len(self.goals.objectives) > 1
        return len(self._state.front) if several else 0

    @property
    def hypervolume(self) -> float | None:
        """The volume that the front of several objectives dominates, None before ten trials."""
        return self._state.front.hypervolume if self.front_size else None

    def trial_records(self) -> Sequence[TrialRecord]:
        """Return every trial with its curves, in the order in which they began."""
        with self._changed:
            return list(self._state.trials.values())

    def search_data(self) -> SearchData:
        """Return the search as plain data, for plots, importance, reports and exports."""
        with self._changed:
            directory = self._recorder.directory
            name = "untitled_project" if directory is None else directory.name
            return search_data(self._state, name=name, seconds=self.seconds())

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is searched for: at least one objective with its direction."""
        return targets_of(self._state)

    def trial_data(self, trial_id: str) -> TrialData:
        """Return one trial as plain data."""
        with self._changed:
            return trial_data(self._state.trials[trial_id], self._state)

    def trial_record(self, trial_id: str) -> TrialRecord:
        """Return what is known of one trial."""
        return self._state.trials[trial_id]

    def reached(self) -> dict[int, list[str]]:
        """Return which trials have trained as long as a scheduler may ask for, by epochs."""
        epochs, names = self._state.history.own().epochs, list(self._state.trials)
        return {
            rung: [names[number] for number in np.flatnonzero(epochs >= rung)]
            for rung in sorted(self._state.rungs)
        }

    def seconds(self) -> float:
        """Return the time that the search has taken, over all sessions."""
        return self._recorder.seconds()

    def remaining_trials(self) -> int | None:
        """Return how many trials `max_trials` leaves; None if it is None."""
        if self.max_trials is None:
            return None
        totals = self._state.totals
        begun = len(self._state.trials) - totals.rejected - totals.added
        return max(0, self.max_trials - begun)

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """Return the trials with the best scores, best first; never one that failed.

        With several objectives these are the trials of the first front, a knee of it first, then
        those of the next fronts; trials that violate constraints come last.  A trial that was
        paused and runs again has the score that it had when it was paused.  Its hyperparameters
        are those of its best epoch, also if a population has changed them since.
        """
        with self._changed:
            if num_trials is not None:  # which KerasTuner takes for all of them
                check_integer("num_trials", num_trials, minimum=0)
            best = self._state.best_trials(num_trials)
            return BestList(map(self._in_best_epoch, best), self.trial_records)

    def best_ids(self) -> list[str]:
        """Return the ids of all trials that have a score, best first."""
        with self._changed:
            return [trial.trial_id for trial in self._state.best_trials()]

    def _in_best_epoch(self, trial: Trial) -> Trial:
        """Return a trial, or a copy with the hyperparameters of its best epoch if these differ."""
        record = self._state.trials[trial.trial_id]
        if record.best_values == record.trial.values:
            return trial
        best = copy.copy(trial)
        best.hyperparameters = record.best_hyperparameters(self.hyperparameters)
        return best

    def score_trial(self, trial: Trial) -> None:
        """Set the score and the best epoch: the mean over executions of each one's best.

        Args:
            trial: A completed trial; one whose score is set keeps it.

        Raises:
            ValueError: No epoch has reported the objective.
        """
        if trial.score is not None:
            return
        record = self._state.trials[trial.trial_id]
        best = best_epochs(record, self.objective)
        if not best:
            seen = sorted({name for run in record.executions for m in run.values() for name in m})
            raise ValueError(
                f"`objective` {names_of(self.objective)} was never reported; the metrics that "
                f"were are {seen}.  Choose one of these, or report the objective."
            )
        values, steps = zip(*best, strict=True)
        trial.score, trial.best_step = float(np.mean(values)), round(float(np.mean(steps)))

    # The space.

    def watch(self, trial: Trial) -> None:
        """Let a trial that has come from a chief warn of hyperparameters declared in two ways."""
        trial.hyperparameters = checked(trial.hyperparameters, self._unchecked)

    def update_space(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        """Add the hyperparameters that are not known yet."""
        with self._changed:
            super().update_space(hyperparameters)

    # For the oracles that record and decide.

    @property
    def _state(self) -> SearchState:
        return self._recorder.state

    def _running(self, trial_id: str) -> TrialRecord:
        record = self._state.trials.get(trial_id)
        if record is None:
            raise KeyError(
                f"`trial_id` must be one of the {len(self.trials)} known trials, got {trial_id!r}."
            )
        if record.state is not TrialState.RUNNING:
            raise ValueError(f"Trial {trial_id!r} is not running: it is {record.state}.")
        return record

    def _sync_space(self, found_by: str | None = None) -> None:
        """Record hyperparameters that were declared since the last call, perhaps by a trial."""
        if len(self.hyperparameters.space) != self._state.declared:
            config = self.hyperparameters.get_config()
            self._recorder.declare(SpaceDeclared(hyperparameters=config, trial=found_by))
