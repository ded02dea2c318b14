"""The oracle that any sampler, pruner and scheduler make.

It speaks KerasTuner's protocol (`create_trial`, `update_trial`, `end_trial`), in one process or
behind its gRPC chief.  It decides; each decision is an event that the recorder writes and applies.
"""

from __future__ import annotations

import copy
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.bridge.metrics import Metrics, encoded, split_last_epoch
from kt_extras.bridge.objective import ObjectiveLike, names_of, resolve_objective, value_in
from kt_extras.bridge.space_change import differences
from kt_extras.bridge.spaces import to_space
from kt_extras.bridge.trial_state import TrialState
from kt_extras.checkpoints.state_paths import StateFiles
from kt_extras.oracles.arguments import (
    check_count,
    check_fraction,
    check_hyperparameters,
    check_protocol,
)
from kt_extras.oracles.budget import Budget, Usage
from kt_extras.oracles.failures import FailureCount, report
from kt_extras.oracles.next_trial import NextTrial
from kt_extras.pruners import Pruner
from kt_extras.records.events import (
    BudgetExtended,
    EpochReported,
    PointEnqueued,
    SpaceDeclared,
    StopRequested,
    TrialAbandoned,
    TrialBegun,
    TrialEnded,
    TrialResumed,
)
from kt_extras.records.recorder import Recorder
from kt_extras.records.search_state import SearchState, Totals
from kt_extras.records.trial_end import Outcome, end_event
from kt_extras.records.trial_record import TrialRecord
from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.exhaustive import Exhaustive
from kt_extras.schedulers import Scheduler
from kt_extras.search import Sampler, Space, State


class SamplerOracle(keras_tuner.Oracle):
    """A KerasTuner oracle made of a sampler, a pruner and a scheduler.

    No point is suggested twice while a finite space has others.  The generator of a trial follows
    from the seed and the trial's number, so a resumed search suggests what an uninterrupted one
    would have.

    Args:
        sampler: A `kt_extras.samplers.Sampler`.
        pruner: A `kt_extras.pruners.Pruner`, or None to train every trial to its end. Defaults
            to None.
        objective: A metric's name as it stands in the logs, a `keras_tuner.Objective`, or a list.
        max_trials: Maximum number of trials to begin; None for no limit. Defaults to None.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space; copied.
        tune_new_entries: Whether hyperparameters that are not declared in it are searched too;
            otherwise they keep their defaults.
        allow_new_entries: Whether such hyperparameters may occur at all.
        seed: Any integer from 0, or None for a random one. Defaults to None.
        max_retries_per_trial: How often a trial that crashed is run again. Defaults to 0.
        max_consecutive_failed_trials: How many trials of a session may crash in a row before the
            search ends with an error, which says what these trials have in common.  Infeasible
            trials (too large, out of memory, NaN loss) do not count. Defaults to 3.
        max_time: Seconds or a `datetime.timedelta` that the search may take, over all sessions;
            the time between sessions does not count.
        max_total_epochs: Maximum number of epochs over all trials and executions. Defaults to
            None, no limit.
        target: A score in the objective's own scale; one as good or better ends the search.
        max_trials_without_improvement: How many trials with a score may follow the best one.
            Defaults to None, no limit.
        max_failure_fraction: The fraction of trials that may crash, once ten have ended; with
            more the search ends with an error.  None for no limit. Defaults to 0.5.
        scheduler: A `kt_extras.schedulers.Scheduler` that gives epochs to trials step by step, or
            None to let each train to its end at once.

    `max_time`, `max_total_epochs`, `target` and `max_trials_without_improvement` are checked
    before a trial begins or is resumed; running trials are not cut short.  A search with a raised
    limit goes on.

    Attributes:
        ended_because: Why there was no further trial when last asked for one, and what to change
            so that there is; None while there was.
        when_ended: Called with every trial that has ended, once that is on record.

    Raises:
        ValueError: The direction of the objective is unknown, or an argument is out of its range.

    >>> import keras_tuner, kt_extras as kte
    >>> cost = keras_tuner.Objective("cost", "min")
    >>> oracle = kte.SamplerOracle(kte.samplers.Random(), objective=cost, max_trials=3, seed=0)
    >>> width = oracle.hyperparameters.Int("width", 1, 8)
    >>> trial = oracle.create_trial("worker")
    >>> trial = oracle.update_trial(trial.trial_id, {"cost": 4.0}, step=0)
    >>> trial.status = "COMPLETED"
    >>> oracle.end_trial(trial)
    >>> oracle.get_best_trials()[0].score
    4.0
    """

    hyperparameters: keras_tuner.HyperParameters  # KerasTuner's own attribute

    def __init__(
        self,
        sampler: Sampler,
        pruner: Pruner | None = None,
        objective: ObjectiveLike = None,
        max_trials: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        seed: int | None = None,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        max_time: float | timedelta | None = None,
        max_total_epochs: int | None = None,
        target: float | None = None,
        max_trials_without_improvement: int | None = None,
        max_failure_fraction: float | None = 0.5,
        scheduler: Scheduler | None = None,
    ) -> None:
        check_protocol("sampler", sampler, Sampler, "suggest")
        if pruner is not None:
            check_protocol("pruner", pruner, Pruner, "should_stop")
        if scheduler is not None:
            check_protocol("scheduler", scheduler, Scheduler, "next_step")
        check_hyperparameters(hyperparameters)
        check_count("max_trials", max_trials, minimum=1)
        check_count("seed", seed, minimum=0)
        check_count("max_retries_per_trial", max_retries_per_trial, minimum=0)
        check_count("max_consecutive_failed_trials", max_consecutive_failed_trials, minimum=1)
        check_fraction("max_failure_fraction", max_failure_fraction)
        self._restores = False
        self.budget = Budget(max_time, max_total_epochs, target, max_trials_without_improvement)
        self.max_failure_fraction = max_failure_fraction
        self._failure_count = FailureCount()
        self.ended_because: str | None = None
        self.when_ended: Callable[[TrialRecord], None] = lambda _: None
        super().__init__(
            objective=resolve_objective(objective),
            max_trials=max_trials,
            hyperparameters=hyperparameters.copy() if hyperparameters else None,
            allow_new_entries=allow_new_entries,
            tune_new_entries=tune_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        self._next_trial = NextTrial(
            Exhaustive(Distinct(sampler)), scheduler, max_retries_per_trial
        )
        self.pruner = pruner
        self.seed = secrets.randbelow(2**31) if seed is None else seed
        self.seed_given = seed is not None
        self._recorder = Recorder(self.objective, self.hyperparameters, self.seed)
        # One lock for all that reads or changes state; waiting workers sleep on it.
        self._changed = threading.Condition(threading.RLock())

    # KerasTuner's protocol.

    def create_trial(self, tuner_id: str) -> Trial:
        """Return the next trial for a worker.

        Args:
            tuner_id: The worker; while its trial runs, it is given the same one again.

        Returns:
            A trial to run, or one whose status is `"STOPPED"` when nothing is left to do.
        """
        with self._changed:
            if tuner_id in self.ongoing_trials:
                return self.ongoing_trials[tuner_id]
            self.tuner_ids.add(tuner_id)
            self._sync_space()
            event = self._next()
            if event is None and self._more_may_follow():
                return Trial(self.get_space(), status=TrialStatus.IDLE)
            if event is None:
                self.tuner_ids.discard(tuner_id)
                return Trial(self.get_space(), status=TrialStatus.STOPPED)
            self._recorder.write(event)
            record = self._state.trials[event.trial]
            self._copy_parent_state(record)
            self._show(record.trial)
            self.ongoing_trials[tuner_id] = record.trial
            self._recorder.save_trial(record.trial)
            return record.trial

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Take the metrics of one epoch.

        Args:
            trial_id: A running trial.
            metrics: Any metrics; the objective may be missing in epochs without validation.
                `kt_extras.bridge.metrics.LAST_EPOCH` among them says that the training ends after
                this epoch anyway, so that the pruner is not asked.
            step: The epoch, counted from 0.  A step that does not go on from the last one begins
                a new execution of the same trial.

        Returns:
            The trial; its status is `"STOPPED"` if it is not worth more epochs, or not now.

        Raises:
            KeyError: There is no such trial.
            ValueError: It is not running.
        """
        with self._changed:
            record = self._running(trial_id)
            metrics, is_last = split_last_epoch(metrics)
            self._recorder.write(
                EpochReported(trial=trial_id, step=int(step), metrics=encoded(metrics))
            )
            if not (record.stop_asked or is_last) and self._should_stop(record, metrics):
                self._recorder.write(StopRequested(trial=trial_id))
            if record.budget_used_up and not record.stop_asked:
                self._extend(record)
            if not (record.stop_asked or record.budget_used_up):
                return record.trial
            answer = copy.copy(record.trial)
            answer.status = TrialStatus.STOPPED
            return answer

    def end_trial(self, trial: Trial) -> None:
        """Close a trial, or put it back to be run again.

        Args:
            trial: Its status says how it went: `"COMPLETED"` (or `"STOPPED"`, if it was asked to
                stop), `"INVALID"` for a crash, which is retried, `"FAILED"` for what cannot run
                and is not retried, `"IDLE"` for what was rejected before it ran and does not
                count as a trial.  A score that is already set is kept.

        Raises:
            ValueError: It is called completed but never reported the objective.
            RuntimeError: Too many trials have crashed, or been rejected in a row.  Everything is
                saved by then.
        """
        with self._changed:
            record = self._running(trial.trial_id)
            self.update_space(trial.hyperparameters)
            self._sync_space(found_by=trial.trial_id)
            score, best_step = self._score_of(record, trial)
            outcome = Outcome(trial, score, best_step, self._next_trial.pause(record))
            self._close(record, end_event(record, outcome, self.max_retries_per_trial))
            if record.state in {TrialState.FAILED, TrialState.REJECTED}:
                self._check_failures()

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
        best = self._state.best_epochs(record)
        if not best:
            seen = sorted({name for run in record.executions for m in run.values() for name in m})
            raise ValueError(
                f"`objective` {names_of(self.objective)} was never reported; the metrics that "
                f"were are {seen}.  Choose one of these, or report the objective."
            )
        values, steps = zip(*best, strict=True)
        trial.score, trial.best_step = float(np.mean(values)), round(float(np.mean(steps)))

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """Return the trials with the best scores, best first; never one that failed.

        A trial that was paused and runs again has the score that it had when it was paused.
        """
        with self._changed:
            good = {TrialStatus.COMPLETED, TrialStatus.RUNNING}
            trials = self.trials.values()
            scored = [t for t in trials if t.status in good and t.score is not None]
            maximised = self.objective.direction == "max"
            return sorted(scored, key=lambda trial: trial.score, reverse=maximised)[:num_trials]

    def update_space(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        """Add the hyperparameters that are not known yet."""
        with self._changed:
            super().update_space(hyperparameters)

    def redeclare(self, hyperparameters: keras_tuner.HyperParameters) -> list[str]:
        """Take over a space that is declared anew, as by a program that was edited.

        Results are kept; a value that lies outside its new range counts as unknown.
        Hyperparameters that came to light during a trial stay.

        Args:
            hyperparameters: All that are declared before the first trial.

        Returns:
            A line for each difference.
        """
        with self._changed:
            anew = keras_tuner.HyperParameters()
            anew.merge(hyperparameters.space)
            found = [p for p in self.hyperparameters.space if p.name in self._state.found]
            anew.merge(found, overwrite=False)
            changes = differences(self._state.history.space, to_space(anew))
            if changes:
                config = anew.get_config()
                self._recorder.write(SpaceDeclared(hyperparameters=config, anew=True))
                self.hyperparameters = self._state.hyperparameters
            return changes

    def save(self) -> None:
        """Do nothing: every change is in the journal before the call that made it returns."""

    def reload(self) -> None:
        """Take up the search that is recorded in the project's directory.

        Trials that were running when it ended are run again first.

        Raises:
            kt_extras.storage.journal.DamagedJournalError: A record cannot be read.
            ValueError: The directory holds scores of another objective.
        """
        with self._changed:
            declared = self.hyperparameters
            self._recorder.load()
            self._show_loaded_state()
            self.hyperparameters.merge(declared, overwrite=False)

    # What KerasTuner's oracles do not have.

    @property
    def space(self) -> Space:
        """The search space as the samplers see it."""
        with self._changed:
            self._sync_space()
            return self._state.history.space

    @property
    def totals(self) -> Totals:
        """Counts of trials and epochs, and the best score."""
        return self._state.totals

    def trial_records(self) -> Sequence[TrialRecord]:
        """Return every trial with its curves, in the order in which they began."""
        with self._changed:
            return list(self._state.trials.values())

    def reached(self) -> dict[int, list[str]]:
        """Return which trials have trained as long as a scheduler may ask for, by epochs."""
        epochs, names = self._state.history.epochs, list(self._state.trials)
        return {
            rung: [names[number] for number in np.flatnonzero(epochs >= rung)]
            for rung in sorted(self._state.rungs)
        }

    def trial_record(self, trial_id: str) -> TrialRecord:
        """Return what is known of one trial."""
        return self._state.trials[trial_id]

    def seconds(self) -> float:
        """Return the time that the search has taken, over all sessions."""
        return self._recorder.seconds()

    def restore_states(self) -> None:
        """Expect the worker to write the states of trials that pause to files.

        Without that, a trial that is resumed is taken to go on after the last epoch it reported.
        """
        self._restores = True

    def use_storage(self, storage: str | None) -> None:
        """Keep the records in a database instead of the project's directory.

        Args:
            storage: Its URL, such as `sqlite:///runs.db`; None for a journal in the directory.
        """
        self._recorder.storage = storage

    def is_recorded(self) -> bool:
        """Tell whether the project holds a search to go on with."""
        return self._recorder.exists()

    def forget_recorded(self) -> None:
        """Remove the records of an earlier search of the same project."""
        self._recorder.clear()

    def open_session(self) -> None:
        """Keep other processes from searching the project, and let the search's clock go on.

        Raises:
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        with self._changed:
            self._failure_count = FailureCount()  # the program may have been mended
            declared = self.hyperparameters
            if self._recorder.open_session():
                self._show_loaded_state()
                self.hyperparameters.merge(declared, overwrite=False)

    def close_session(self) -> None:
        """Let other processes search the project; the clock stands still until the next session."""
        self._recorder.close_session()

    def enqueue(self, values: Mapping[str, Any]) -> None:
        """Have a point tried before the sampler is asked again.

        Args:
            values: Values of some or all hyperparameters, moved to the nearest grid point; the
                rest are drawn at random.

        Raises:
            ValueError: A name or value that the space does not have.
        """
        with self._changed:
            if len(self.space):  # otherwise nothing is declared yet, and the trial will tell
                self.space.complete(values, np.full(len(self.space), 0.5))
            plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}
            self._recorder.write(PointEnqueued(values=plain))

    def abandon(self, tuner_id: str) -> None:
        """Take back the trial of a worker that will not end it; it is run again first."""
        with self._changed:
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is not None:
                self._recorder.write(TrialAbandoned(trial=trial.trial_id))

    def wait_for_change(self, timeout: float) -> None:
        """Sleep until a trial ends, `timeout` seconds at most."""
        with self._changed:
            self._changed.wait(timeout)

    def remaining_trials(self) -> int | None:
        """Return how many trials `max_trials` leaves; None if it is None."""
        if self.max_trials is None:
            return None
        begun = len(self._state.trials) - self._state.totals.rejected
        return max(0, self.max_trials - begun)

    # Decisions.

    @property
    def scheduler(self) -> Scheduler | None:
        """What gives epochs to trials step by step, None if each trains to its end at once."""
        return self._next_trial.scheduler

    @scheduler.setter
    def scheduler(self, scheduler: Scheduler | None) -> None:
        self._next_trial.scheduler = scheduler

    @property
    def sampler(self) -> Sampler:
        """What suggests points."""
        return self._next_trial.sampler

    def _next(self) -> TrialBegun | TrialResumed | None:
        """Return the beginning of the next trial; if there is none, `ended_because` says why."""
        self.ended_because = self._limit_reached()
        if self.ended_because:
            return None
        for record, end in self._next_trial.given_up(self._state):
            self._close(record, end)
        event = self._next_trial.next(self._state, self.seed, self.max_trials)
        self.ended_because = self._next_trial.reason if event is None else None
        return event

    def _limit_reached(self) -> str | None:
        """Return which limit of the search is reached, None if none is."""
        totals = self._state.totals
        spent = Usage(self.seconds(), totals.epochs, totals.best, totals.stale)
        return self.budget.reached(spent, maximised=self.objective.direction == "max")

    def _more_may_follow(self) -> bool:
        """Tell whether the end of a running trial may lead to further work for its scheduler."""
        return (
            self.scheduler is not None
            and self._limit_reached() is None
            and bool(self.ongoing_trials)
        )

    def _extend(self, record: TrialRecord) -> None:
        """Give a trial that has used up its budget more epochs, if its scheduler wants that."""
        until = self._next_trial.extension(self._state, record, self.seed, self.max_trials)
        if until > record.trained and self._limit_reached() is None:
            self._recorder.write(BudgetExtended(trial=record.trial.trial_id, until=until))

    def _copy_parent_state(self, record: TrialRecord) -> None:
        """Copy the state of a parent into the trial's directory, before its worker reads it."""
        if record.parent is not None and self._next_trial.states is not None:
            self._next_trial.states.copy(
                record.parent, record.trial.trial_id, record.paused_at_epoch
            )

    def _should_stop(self, record: TrialRecord, metrics: Metrics) -> bool:
        """Return the pruner's decision, False where it has nothing to compare."""
        if self.pruner is None or len(record.executions) > 1:
            return False
        if value_in(self.objective, metrics) is None:
            return False
        history = self._state.history
        return self.pruner.should_stop(
            history.curve(record.number), history.curves(State.COMPLETED)
        )

    def _score_of(self, record: TrialRecord, given: Trial) -> tuple[float | None, int]:
        """Return the score and its epoch of an attempt, None and 0 if it has no score."""
        draft = copy.copy(record.trial)
        draft.hyperparameters = given.hyperparameters
        draft.score, draft.best_step = given.score, given.best_step
        if record.paused_at_epoch:  # the score of the last pause is out of date
            draft.score, draft.best_step = None, 0
        if given.status not in {TrialStatus.INVALID, TrialStatus.FAILED, TrialStatus.IDLE}:
            self.score_trial(draft)
        elif record.paused_at_epoch:
            return self._state.score_at_pause(record)
        return draft.score, draft.best_step or 0

    def _check_failures(self) -> None:
        broken = self._failure_count.broken(
            in_a_row=self.max_consecutive_failed_trials, fraction=self.max_failure_fraction
        )
        if broken:
            ended = [self._state.trials[name] for name in self._state.ended]
            raise RuntimeError(report(broken, ended))

    # Bookkeeping.

    @property
    def _state(self) -> SearchState:
        return self._recorder.state

    def _set_project_dir(self, directory: str, project_name: str) -> None:
        """Set the directory of the project; called by the tuner.

        Raises:
            ValueError: `directory` is not a local path.
        """
        if "://" in str(directory):
            raise ValueError(
                f"`directory` must be on a local disk, where files can be locked and appended to, "
                f"got {directory!r}.  Keep the records elsewhere with `storage=`."
            )
        super()._set_project_dir(directory, project_name)
        project = Path(directory) / project_name
        self._recorder.open_project(project)
        self._next_trial.states = StateFiles(project) if self._restores else None

    def _show_loaded_state(self) -> None:
        """Set KerasTuner's attributes from a state that was loaded from records."""
        self.hyperparameters = self._state.hyperparameters
        for record in self._state.trials.values():
            self._show(record.trial)
        if self._state.seed is not None and not self.seed_given:
            self.seed = self._state.seed
        self.end_order = list(self._state.ended)
        self._state.recover({trial.trial_id for trial in self.ongoing_trials.values()})
        self._next_trial.forget_states(self._state, self.max_trials)

    def _sync_space(self, found_by: str | None = None) -> None:
        """Record hyperparameters that were declared since the last call, perhaps by a trial."""
        if len(self.hyperparameters.space) != self._state.declared:
            config = self.hyperparameters.get_config()
            self._recorder.write(SpaceDeclared(hyperparameters=config, trial=found_by))

    def _running(self, trial_id: str) -> TrialRecord:
        record = self._state.trials.get(trial_id)
        if record is None:
            raise KeyError(
                f"`trial_id` {trial_id!r} is not among the {len(self.trials)} known trials."
            )
        if record.state is not TrialState.RUNNING:
            raise ValueError(f"Trial {trial_id!r} is not running: it is {record.state}.")
        return record

    def _show(self, trial: Trial) -> None:
        """Add a trial to KerasTuner's attributes."""
        if trial.trial_id not in self.trials:
            self.start_order.append(trial.trial_id)
        self.trials[trial.trial_id] = trial

    def _close(self, record: TrialRecord, event: TrialEnded) -> None:
        """Record the end of a trial, and free its worker."""
        counted = record.counted
        self._recorder.write(event, sync=True)
        self._recorder.save_trial(record.trial)
        if record.counted and not counted:
            self.end_order.append(record.trial.trial_id)
        if record.budget_used_up and self._next_trial.states is not None:
            self._next_trial.states.written(record.trial.trial_id, record.trained)
        if record.state is not TrialState.WAITING:
            self._failure_count = self._failure_count.after(record.state)
            self.when_ended(record)
        self._next_trial.forget_states(self._state, self.max_trials)
        for tuner_id, trial in list(self.ongoing_trials.items()):
            if trial.trial_id == record.trial.trial_id:
                del self.ongoing_trials[tuner_id]
        self._changed.notify_all()
