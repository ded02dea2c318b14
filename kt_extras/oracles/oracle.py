"""The oracle that is made of a sampler, a pruner and a scheduler.

It has KerasTuner's protocol (`create_trial`, `update_trial`, `end_trial`), in one process or behind
KerasTuner's gRPC chief.  It decides; each decision is an event, which is recorded and applied.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.arguments import check_flag, check_integer, check_protocol
from kt_extras.bridge.goals import Constraints, Objectives
from kt_extras.bridge.metrics import NO_EPOCH, Last, Metrics, encoded, split_last_epoch
from kt_extras.bridge.objective import ObjectiveLike, value_in
from kt_extras.bridge.trial_message import add_message, take_message
from kt_extras.bridge.trial_state import TrialState
from kt_extras.checkpoints.state_paths import StateFiles
from kt_extras.oracles.arguments import (
    check_fits_goals,
    check_fraction,
    check_sampler,
    check_scheduler,
    refuse_unknown,
)
from kt_extras.oracles.budget import ALL_TRIED, Budget, Usage
from kt_extras.oracles.drivers import (
    as_step,
    check_step,
    has_chief,
    refuse_scheduler,
    reports_at_end,
    warn_without_epochs,
    was_reported_once,
)
from kt_extras.oracles.failures import FailureCount, report
from kt_extras.oracles.fold_losses import ended_folds, losses_of
from kt_extras.oracles.next_trial import NextTrial
from kt_extras.oracles.recorded_oracle import RecordedOracle, in_turn
from kt_extras.pruners import Pruner
from kt_extras.records.events import (
    BudgetExtended,
    EpochReported,
    StopRequested,
    TrialBegun,
    TrialEnded,
    TrialResumed,
)
from kt_extras.records.failures_said import no_score_text
from kt_extras.records.past_searches import PastSearches, past_sources
from kt_extras.records.scores import best_step, best_trials, check_measured, score_at_pause
from kt_extras.records.trial_end import Outcome, end_event
from kt_extras.records.trial_record import TrialRecord
from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.exhaustive import Exhaustive
from kt_extras.schedulers import Scheduler
from kt_extras.search import Sampler, State
from kt_extras.search.folds import FoldPruner
from kt_extras.search.priors import Prior, check_priors_fit, checked_priors, warn_of_unused

_STATUSES = (  # with which a trial may be handed back
    TrialStatus.COMPLETED,
    TrialStatus.STOPPED,
    TrialStatus.RUNNING,
    TrialStatus.INVALID,
    TrialStatus.FAILED,
    TrialStatus.IDLE,
)


class SamplerOracle(RecordedOracle):
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
        max_total_epochs: Maximum number of epochs over all trials and executions; those of an
            attempt that is made again do not count. Defaults to None, no limit.
        target: A score in the objective's own scale; one as good or better ends the search.
        max_trials_without_improvement: How many trials with a score may follow the best one.
            Defaults to None, no limit.
        max_failure_fraction: The fraction of trials that may crash, once ten have ended; with
            more the search ends with an error.  None for no limit. Defaults to 0.5.
        scheduler: A `kt_extras.schedulers.Scheduler` that gives epochs to trials step by step, or
            None to let each train to its end at once.
        prior: What is believed of hyperparameters before the search: a dictionary from their names
            to a value, a `kt_extras.search.Likely`, a dictionary of weights, a function from a
            value to its weight, or a distribution of SciPy.  Defaults to None: nothing.
        try_defaults: Whether the first trial has the defaults of the declared space.  Defaults to
            False.
        warm_start: A list of finished searches of similar models, whose good points are tried
            among the first: paths of projects' directories (KerasTuner's, too), pairs of the URL of
            a database and the name of a project or an Optuna study, what `kt_extras.load`
            returns, Optuna studies, or lists of pairs of values and score.  Each is read once, and
            then on record.  Defaults to None: no searches.
        objectives: Several objectives in place of `objective`: names of metrics,
            `keras_tuner.Objective`s, or measured costs of the model: `"parameters"`, `"flops"`,
            `"latency"` (seconds for one row), `"model_size"` (bytes), `"training_seconds"`.  The
            first one, a metric of the epochs, gives each trial's score and its best epoch.  Trials
            are compared by dominance, unless there are `weights`.  Defaults to None.
        constraints: Bounds on metrics of the best epoch or on such costs, as texts
            (`"val_recall >= 0.9"`) or tuples (`("latency", "<=", 0.005)`).  Trials that violate
            them rank behind all others.  Defaults to None: no bounds.
        weights: A dictionary with the weight of each of `objectives`, which are then compared by
            their weighted sum, each scaled to [0, 1] over the trials so far.  Defaults to None.
        **unknown: Refused; the error names the argument that was probably meant.

    A search with several objectives improves when a trial ends that no earlier one dominates.
    `max_time`, `max_total_epochs`, `target` and `max_trials_without_improvement` are checked
    before a trial begins or is resumed; running trials are not cut short.  A search with a raised
    limit goes on.

    Attributes:
        ended_because: Why there was no further trial when last asked for one, and what to change
            so that there is; None while there was.
        failure_report: On a chief, what too many trials had in common that have crashed or been
            rejected, which has ended the search; None while that has not happened.
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
        prior: Mapping[str, Prior] | None = None,
        try_defaults: bool = False,
        warm_start: PastSearches | None = None,
        objectives: Objectives | None = None,
        constraints: Constraints | None = None,
        weights: Mapping[str, float] | None = None,
        **unknown: NoReturn,
    ) -> None:
        refuse_unknown(unknown, type(self))
        check_sampler(sampler)
        priors, sources = checked_priors(prior), past_sources(warm_start)
        check_flag("try_defaults", try_defaults)
        if pruner is not None:
            check_protocol("pruner", pruner, Pruner, "should_stop")
        check_scheduler(scheduler, sampler)
        check_integer("max_retries_per_trial", max_retries_per_trial, minimum=0)
        check_integer("max_consecutive_failed_trials", max_consecutive_failed_trials, minimum=1)
        check_fraction("max_failure_fraction", max_failure_fraction)
        self._restores = False
        self._project: Path | None = None
        self.budget = Budget(max_time, max_total_epochs, target, max_trials_without_improvement)
        self.max_failure_fraction = max_failure_fraction
        self._failure_count = FailureCount()
        self._stopped = False
        self.ended_because: str | None = None
        self.failure_report: str | None = None
        self.when_ended: Callable[[TrialRecord], None] = lambda _: None
        super().__init__(
            objective,
            objectives=objectives,
            constraints=constraints,
            weights=weights,
            max_trials=max_trials,
            hyperparameters=hyperparameters,
            seed=seed,
            allow_new_entries=allow_new_entries,
            tune_new_entries=tune_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        self._next_trial = NextTrial(
            Exhaustive(Distinct(sampler)), scheduler, max_retries_per_trial, priors, try_defaults
        )
        self._past_sources = sources
        self.pruner = pruner
        self.fold_pruner: FoldPruner | None = None  # of a tuner that cross-validates
        check_fits_goals(self.goals, target=target, pruner=pruner, scheduler=scheduler)

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

    @property
    def prior(self) -> Mapping[str, Prior]:
        """What the user believes of hyperparameters, by name."""
        return self._next_trial.prior

    @property
    def is_informed(self) -> bool:
        """Whether points are suggested from what is known beforehand, as far as it proves right."""
        return bool(self.prior or self._past_sources or self._state.history.past)

    def check_prior(self) -> None:
        """Raise if `prior` does not fit the space that is declared.

        Raises:
            ValueError: It has a name that the space does not have, or values out of a range.
        """
        may_grow = self.allow_new_entries and self.tune_new_entries
        check_priors_fit(self.prior, self.space, may_grow=may_grow)

    # KerasTuner's protocol.

    @in_turn
    def create_trial(self, tuner_id: str) -> Trial:
        """Return the next trial for a worker.

        Args:
            tuner_id: The worker; while its trial runs, it is given the same one again.  If that
                has reported epochs, the worker has been started anew, and so is the trial.

        Returns:
            A trial to run, or one whose status is `"STOPPED"` when nothing is left to do.  If a
            chief has ended the search since too many trials have failed, it has the report.
        """
        self._take_from_the_dead()
        record = self._in_hand(tuner_id)
        if record is None:
            self.tuner_ids.add(tuner_id)
            self._sync_space()
            self._record_past()
            self._record_data()
            if not self._state.trials:
                self.check_prior()
            event = self._next()
            if event is None and self._more_may_follow():
                return self._no_trial(TrialStatus.IDLE)
            if event is None:
                self.ended_because = self._with_failures(self.ended_because)
                self.tuner_ids.discard(tuner_id)
                warn_of_unused(self.prior, self.space)
                return self._no_trial(TrialStatus.STOPPED, self.failure_report)
            self._recorder.write(replace(event, worker=self._worker(tuner_id)))
            record = self._state.trials[event.trial]
            self._show(record.trial)
            self.ongoing_trials[tuner_id] = record.trial
        self._next_trial.bring_state(record)
        self._recorder.save_trial(record.trial)
        return record.trial

    @in_turn
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
            TrialTakenError: As for `end_trial`.
            ValueError: It is not running.
            keras_tuner.errors.FatalValueError: There is a scheduler, and the step does not follow
                the last one, or is above the epochs that the trial was given.
        """
        self._check_taken(trial_id)
        record, step = self._running(trial_id), as_step(step)
        check_step(record, step)
        metrics, last = split_last_epoch(metrics)
        self._recorder.write(EpochReported(trial=trial_id, step=step, metrics=encoded(metrics)))
        stops = not record.stop_asked and last is not Last.OF_TRIAL
        if stops and (self._has_worse_folds(record, last) or self._should_stop(record, metrics)):
            self._recorder.write(StopRequested(trial=trial_id))
        if record.budget_used_up and not record.stop_asked:
            self._extend(record)
        if not (record.stop_asked or record.budget_used_up):
            return record.trial
        answer = copy.copy(record.trial)
        answer.status = TrialStatus.STOPPED
        return answer

    @in_turn
    def end_trial(
        self,
        trial: Trial | str | None = None,
        status: str = TrialStatus.COMPLETED,
        *,
        trial_id: str | None = None,
    ) -> None:
        """Close a trial, or put it back to be run again.

        Args:
            trial: Its status says how it went: `"COMPLETED"` (or `"STOPPED"`, if it was asked to
                stop), `"INVALID"` for a crash, which is retried, `"FAILED"` for what cannot run
                and is not retried, `"IDLE"` for what was rejected before it ran and does not
                count as a trial.  A score that is already set is kept.  May also be the ID of a
                trial, as in early versions of KerasTuner.
            status: Used with an ID alone: how the trial went.  Defaults to `"COMPLETED"`.
            trial_id: The same as an ID in place of `trial`.  Defaults to None.

        Raises:
            ValueError: It is called completed but never reported an objective, or its status is
                not one of KerasTuner's.
            TrialTakenError: This process was cut off from the database, and another one has taken
                over the trial.
            RuntimeError: Too many trials have crashed, or been rejected in a row.  Everything is
                saved by then.  A chief keeps it as `failure_report` instead, and ends the search.
        """
        given = self._given_back(trial if trial_id is None else trial_id, status)
        take_message(given)
        self._check_taken(given.trial_id)
        record = self._running(given.trial_id)
        self.update_space(given.hyperparameters)
        self._sync_space(found_by=given.trial_id)
        outcome = Outcome(given, *self._score_of(record, given), self._next_trial.pause(record))
        if given.status == TrialStatus.COMPLETED and outcome.score is not None:
            check_measured(self.goals, record, given)
        self._close(record, end_event(record, outcome, self.max_retries_per_trial))
        if was_reported_once(record):
            self._do_without_epochs()
        if record.state in {TrialState.FAILED, TrialState.REJECTED}:
            self._check_failures(given.trial_id)

    def stop(self) -> None:
        """Give out no more trials in this call of `search`; those that run are not cut short."""
        self._stopped = True

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called in this search."""
        return self._stopped

    def go_on(self) -> None:
        """Give out trials again, as at the beginning of each search."""
        self._stopped = False

    # Sessions.

    def restore_states(self) -> None:
        """Expect the worker to write the states of trials that pause to files.

        Without that, a trial that is resumed is taken to go on after the last epoch it reported.
        """
        self._restores = True

    def _set_project_dir(self, directory: str, project_name: str) -> None:
        if reports_at_end():
            if self.scheduler is not None:
                refuse_scheduler()
            self._do_without_epochs(stacklevel=5)
        super()._set_project_dir(directory, project_name)
        self._project = Path(directory) / project_name

    def _do_without_epochs(self, stacklevel: int = 3) -> None:
        """Ignore what needs the metrics of every epoch, and warn that it is ignored."""
        needing = {"pruner": self.pruner, "max_total_epochs": self.budget.max_total_epochs}
        if names := [name for name, given in needing.items() if given is not None]:
            self.pruner, self.budget = None, replace(self.budget, max_total_epochs=None)
            warn_without_epochs(names, stacklevel)

    def _begin_session(self) -> None:
        self._failure_count, self._stopped = FailureCount(), False  # the program may be mended
        self.failure_report = None
        if self._restores and self._project is not None:
            self._next_trial.states = StateFiles(self._project)  # with those of other processes
        self._next_trial.forget_states(self._state, self.max_trials)

    # Decisions.

    def _no_trial(self, status: str, message: str | None = None) -> Trial:
        """Return an answer without a trial; KerasTuner would draw an id from Python's `random`."""
        answer = Trial(self.get_space(), trial_id="", status=status, message=message)
        add_message(answer)
        return answer

    def _in_hand(self, tuner_id: str) -> TrialRecord | None:
        """Return the trial that a worker has, None if it has none or has begun anew."""
        trial = self.ongoing_trials.get(tuner_id)
        if trial is None:
            return None
        record = self._state.trials[trial.trial_id]
        if not record.unsaved:  # workers that train one model together have one id
            return record
        self._state.interrupt(trial.trial_id)
        del self.ongoing_trials[tuner_id]
        return None

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
        if self.failure_report is not None:
            return self.failure_report
        if self._stopped:
            return "`stop()` was called; search again to go on."
        totals, best = self._state.totals, self._state.totals.best
        if self.goals is not None and not self._state.front.is_feasible:
            best = None  # that of a trial which violates constraints is no goal
        spent = Usage(self.seconds(), self._state.epochs, best, totals.stale)
        return self.budget.reached(spent, maximised=self.objective.direction == "max")

    def _with_failures(self, reason: str | None) -> str | None:
        """Return why the search has ended, and, if no trial has a score, why none has."""
        if reason is None or reason == self.failure_report or self._state.totals.best is not None:
            return reason
        records = self.trial_records()
        if not (failures := no_score_text(records)):
            return reason
        if any(record.trial.message for record in records):  # which says what to change instead
            reason, _, _ = reason.partition(";")
        return f"{reason.rstrip('.')}.  {failures}"

    def _more_may_follow(self) -> bool:
        """Tell whether the end of a running trial may lead to further work.

        It may for a scheduler, and also where all points have been tried, since a running trial may
        declare hyperparameters that enlarge the space.  A trial of another process may have to be
        run again, since that may die.
        """
        others = self._others_train()
        if not (self.ongoing_trials or others) or self._limit_reached() is not None:
            return False
        waits = others or self.is_shared  # for trials that may have to be run again
        return waits or self.scheduler is not None or self.ended_because == ALL_TRIED

    def _extend(self, record: TrialRecord) -> None:
        """Give a trial that has used up its budget more epochs, if its scheduler wants that."""
        until = self._next_trial.extension(self._state, record, self.seed, self.max_trials)
        if until > record.trained and self._limit_reached() is None:
            self._recorder.write(BudgetExtended(trial=record.trial.trial_id, until=until))

    def _should_stop(self, record: TrialRecord, metrics: Metrics) -> bool:
        """Return the pruner's decision, False where it has nothing to compare."""
        if self.pruner is None or len(record.executions) > 1:
            return False
        if value_in(self.objective, metrics) is None:
            return False
        history = self._state.history.ranked()
        return self.pruner.should_stop(
            history.curve(record.number), history.curves(State.COMPLETED)
        )

    def _has_worse_folds(self, record: TrialRecord, last: Last | None) -> bool:
        """Return whether the folds of a trial are worse than those of the best one."""
        if self.fold_pruner is None or not (folds := ended_folds(record, last)):
            return False
        others = (trial for trial in self.trials.values() if trial is not record.trial)
        best = best_trials(others, self.objective, 1)
        if not best:
            return False
        known = self._state.trials[best[0].trial_id].executions
        losses = (losses_of(runs, self.objective) for runs in (folds, known))
        return self.fold_pruner.should_stop(*losses)

    def _score_of(self, record: TrialRecord, given: Trial) -> tuple[float | None, int | None]:
        """Return the score of an attempt, None if it has none, and its best epoch."""
        draft = copy.copy(record.trial)
        draft.hyperparameters = given.hyperparameters
        draft.score, draft.best_step = given.score, given.best_step
        if record.paused_at_epoch:  # the score of the last pause is out of date
            draft.score, draft.best_step = None, 0
        if given.status not in {TrialStatus.INVALID, TrialStatus.FAILED, TrialStatus.IDLE}:
            self.score_trial(draft)
        elif record.paused_at_epoch:
            return score_at_pause(record, self.objective)
        if draft.score is None:
            return None, 0
        reported = best_step(record, self.objective)
        if reported is None and draft.best_step != NO_EPOCH:
            return draft.score, draft.best_step or 0
        return draft.score, reported

    def _given_back(self, trial: Trial | str | None, status: str) -> Trial:
        """Return the trial that `end_trial` was given, with its status."""
        if isinstance(trial, Trial):
            given = trial
        elif isinstance(trial, str):
            given = copy.copy(self._running(trial).trial)
            given.status = status
        else:
            raise TypeError(f"`trial` must be a trial or the ID of one, got {trial!r}.")
        if given.status not in _STATUSES:
            raise ValueError(f"`status` must be one of {list(_STATUSES)}, got {given.status!r}.")
        return given

    def _ended_elsewhere(self, record: TrialRecord) -> None:
        """Count a trial that another process has ended, and end the search if too many failed."""
        if record.state is TrialState.RUNNING:  # it was resumed since, perhaps by a third process
            return
        if record.state is not TrialState.WAITING:
            self._failure_count = self._failure_count.after(record.state)
            self.when_ended(record)
        if record.state in {TrialState.FAILED, TrialState.REJECTED}:
            self._check_failures(record.trial.trial_id, elsewhere=True)

    def _check_failures(self, last: str, *, elsewhere: bool = False) -> None:
        """End the search if there are too many failures, the last one that of the trial `last`.

        On a chief an error would end the worker that hears of it, and no other process.
        """
        broken = self._failure_count.broken(
            in_a_row=self.max_consecutive_failed_trials, fraction=self.max_failure_fraction
        )
        if broken:
            ended = [self._state.trials[name] for name in self._state.ended if name != last]
            ended.sort(key=lambda record: record.ended or 0.0)  # paused trials end several times
            text = report(broken, [*ended, self._state.trials[last]])
            if not (has_chief() or self.is_shared or elsewhere):
                raise RuntimeError(text)
            self.failure_report = self.failure_report or text

    def _close(self, record: TrialRecord, event: TrialEnded) -> None:
        """Record the end of a trial, and free its worker."""
        counted, name = record.counted, record.trial.trial_id
        self._recorder.write(event, sync=True)
        for tuner_id in self._holders(record):
            del self.ongoing_trials[tuner_id]
        self._note_change()
        if record.counted and not counted:
            self.end_order.append(name)
        self._recorder.save_trial(record.trial)
        if record.budget_used_up and self._next_trial.states is not None:
            self._next_trial.states.written(name, record.trained)
        if record.state is not TrialState.WAITING:
            self._failure_count = self._failure_count.after(record.state)
            self.when_ended(record)
        self._next_trial.forget_states(self._state, self.max_trials)

    def _holders(self, record: TrialRecord) -> list[str]:
        """Return the names under which workers have a trial."""
        name, worker = record.trial.trial_id, record.worker
        known = None if worker is None else self.ongoing_trials.get(worker)
        if worker is not None and known is not None and known.trial_id == name:
            return [worker]  # of perhaps a thousand
        return [held for held, trial in self.ongoing_trials.items() if trial.trial_id == name]
