"""The state of a search as the fold of its events.

Everything that changes is an event: a plain record that is written to the journal and then applied
here.  A reload applies the same events again, so one piece of code changes the state and no second
one restores it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass
from functools import singledispatchmethod

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.arrays import FloatArray
from kt_extras.bridge.declarations import empty_like
from kt_extras.bridge.goals import goals_record
from kt_extras.bridge.lazy_trial import LazyTrial
from kt_extras.bridge.metrics import Metrics, decoded, metric_history, rows
from kt_extras.bridge.objective import loss_of, sign_of, value_in
from kt_extras.bridge.spaces import to_space
from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.events import (
    BudgetExtended,
    DataSeen,
    EpochReported,
    Event,
    Exploit,
    ModelEvaluated,
    PastKnown,
    PastTrial,
    PointEnqueued,
    ProjectOpened,
    SnapshotCompleted,
    SpaceDeclared,
    StopRequested,
    TrialAbandoned,
    TrialAdded,
    TrialBegun,
    TrialEnded,
    TrialRepeated,
    TrialResumed,
)
from kt_extras.records.scores import best_metrics, best_trials, is_scored, score_at_pause
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import History, Point
from kt_extras.search.history import ELSEWHERE
from kt_extras.search.outcome import Front, Goals
from kt_extras.search.past import Past


@dataclass
class Totals:
    """Sums over a search, kept up to date so that reading them takes no pass over the trials.

    Attributes:
        ended: Trials that have ended at least once; paused ones count, rejected ones do not.
        pruned: Trials that were stopped early.
        failed: Trials that failed or are infeasible.
        rejected: Models that `constraint` refused.
        epochs: Epochs trained, over all executions; those of an attempt count until the next one.
        best: The best score, None before the first.
        stale: Trials with a score that ended since the best one.
        promotions: How often a trial was given more epochs.
        exploits: How often a member of a population took over from another.
        added: Trials that were trained elsewhere; the others do not count them, but for `best`.
    """

    ended: int = 0
    pruned: int = 0
    failed: int = 0
    rejected: int = 0
    epochs: int = 0
    best: float | None = None
    stale: int = 0
    promotions: int = 0
    exploits: int = 0
    added: int = 0


class SearchState:
    """All that is known of a search.

    It is changed by `apply` alone, with events that `kt_extras.records.event_check.check` accepts.
    What follows from a death is no event: `recover` and `interrupt` let trials wait, and `go_on`
    takes that back.

    Args:
        objective: With its direction known.
        hyperparameters: The declared space; grows as hyperparameters are found.
        goals: What is wanted of outcomes, if that is more than one low loss.  Defaults to None.

    Attributes:
        trials: All trials by their ids, in the order in which they began.
        waiting: Ids of trials to run again, oldest first.
        given_back: Ids of those whose last attempt does not count.
        enqueued: Points to try before the sampler is asked.
        ever_enqueued: All points that were enqueued, those that are tried too.
        ended: Ids of counted trials, in the order of their first end.
        totals: Sums over the trials.
        clock: Seconds on the search's clock at the last event.
        format: As recorded, None before the first event.
        seed: As recorded, None before the first event.
        objective_recorded: As recorded.
        goals_recorded: As recorded, see `kt_extras.bridge.goals.goals_record`.
        model: As recorded, None if it is unknown.
        directory: What marks the directory with the files of the search, None if nothing does.
        declared: How many hyperparameters the records know.
        rungs: Epoch budgets that a scheduler has given to trials.
        front: The outcomes that no other one dominates, of several objectives.
        found: Names of hyperparameters that were declared by running trials.
        seen: The data that were used, each once for a part.
        evaluations: Of models on test sets, oldest first.
        repeats: Trainings of trials with other seeds, oldest first.
        history: What samplers, pruners and schedulers see.
    """

    def __init__(
        self,
        objective: keras_tuner.Objective,
        hyperparameters: keras_tuner.HyperParameters,
        goals: Goals | None = None,
    ) -> None:
        self.objective, self.goals = objective, goals
        self.hyperparameters = hyperparameters
        self.trials: dict[str, TrialRecord] = {}
        self.waiting: deque[str] = deque()
        self.given_back: set[str] = set()
        self.enqueued: deque[Point] = deque()
        self.ever_enqueued: list[Point] = []
        self.ended: list[str] = []
        self.totals = Totals()
        self.clock = 0.0
        self.format: int | None = None
        self.seed: int | None = None
        self.objective_recorded = str(objective)
        self.goals_recorded = goals_record(goals)
        self.front = Front()
        self.model: str | None = None
        self.directory: str | None = None
        self.declared = 0
        self.rungs: set[int] = set()
        self.found: set[str] = set()
        self.seen: list[DataSeen] = []
        self.evaluations: list[ModelEvaluated] = []
        self.repeats: list[TrialRepeated] = []
        self.history = History(to_space(hyperparameters), sign_of(objective), goals)

    # Changing it.

    def apply(self, event: Event) -> None:
        """Change the state by one event."""
        self.clock = max(self.clock, event.t)
        self._apply(event)

    def recover(self, ongoing: Container[str] = ()) -> None:
        """Let the trials that were running when the last session ended wait to be run again.

        To be called once all events are applied; it follows from them, so it is not an event.

        Args:
            ongoing: Ids of trials that run in this process.
        """
        interrupted = self.interrupted()
        for name in interrupted:
            if self.trials[name].paused_at_epoch:  # a snapshot does not hold the score of a pause
                self._set_score_at_pause(self.trials[name])
        still_open = [name for name in self.waiting if self.trials[name].state.is_open]
        more = [name for name in interrupted if name not in ongoing]
        self.waiting = deque(dict.fromkeys([*still_open, *more]))

    def interrupt(self, name: str) -> None:
        """Let a running trial wait to be run again, before others, since its worker has died."""
        if name not in self.waiting:
            self.waiting.appendleft(name)

    def go_on(self, name: str) -> None:
        """Let a running trial wait no more, since its worker lives."""
        self.waiting.remove(name)

    # Looking at it.

    @property
    def epochs(self) -> int:
        """Epochs trained, without those of attempts that failed or died and are made again."""
        return self.totals.epochs - sum(self.trials[name].unsaved for name in self.waiting)

    def best_trials(self, num_trials: int | None = None) -> list[Trial]:
        """Return the trials with the best outcomes, best first; never one that failed.

        Of several objectives these are the trials of the first front, a knee of it first, then
        those of the next ones.

        Args:
            num_trials: How many; fewer if there are not as many with a score.  Defaults to None:
                all.
        """
        trials = [record.trial for record in self.trials.values()]
        if self.goals is None:
            return best_trials(trials, self.objective, num_trials)
        scored = [record for record in self.trials.values() if is_scored(record.trial)]
        places = self.history.places([record.number for record in scored])
        return [scored[place].trial for place in places[:num_trials]]

    def interrupted(self) -> list[str]:
        """Return the trials that are running, oldest first; after a reload no worker runs them."""
        return [name for name, record in self.trials.items() if record.state is TrialState.RUNNING]

    # One method for each kind of event.

    @singledispatchmethod
    def _apply(self, event: Event) -> None:
        raise TypeError(f"`event` must be one of `kt_extras.records.events`, got {event!r}.")

    @_apply.register
    def _on_project(self, event: ProjectOpened) -> None:
        self.format, self.model, self.directory = event.format, event.model, event.directory
        self.seed, self.objective_recorded = event.seed, event.objective
        several = {"objectives": event.objectives, "constraints": event.constraints}
        any_goals = event.objectives or event.constraints
        self.goals_recorded = {**several, "weights": event.weights} if any_goals else {}

    @_apply.register
    def _on_space(self, event: SpaceDeclared) -> None:
        self.declared = len(event.hyperparameters["space"])
        declared = keras_tuner.HyperParameters.from_config(event.hyperparameters)
        if event.trial is not None:
            self.found |= {p.name for p in declared.space} - set(self.history.space.names)
        if event.anew:
            self.hyperparameters = empty_like(self.hyperparameters)
        self.hyperparameters.merge(declared, overwrite=False)
        self._refresh_space()

    @_apply.register
    def _on_enqueue(self, event: PointEnqueued) -> None:
        self.enqueued.append(event.values)
        self.ever_enqueued.append(event.values)

    @_apply.register
    def _on_past_search(self, event: PastKnown) -> None:
        past = Past(event.source, tuple(event.points), tuple(event.ranks))
        self.history.past = (*self.history.past, past)

    @_apply.register
    def _on_begin(self, event: TrialBegun) -> None:
        if event.trial in self.trials:
            self._begin_again(self.trials[event.trial], event)
            return
        for _ in range(event.dropped + event.enqueued):
            self.enqueued.popleft()
        record = self._add(event)
        record.began, record.worker = event.t, event.worker

    @_apply.register
    def _on_abandon(self, event: TrialAbandoned) -> None:
        self.trials[event.trial].attempt -= 1
        self.given_back.add(event.trial)
        if event.trial not in self.waiting:  # as after `recover`
            self.waiting.append(event.trial)

    @_apply.register
    def _on_grant(self, event: BudgetExtended) -> None:
        self._set_budget(self.trials[event.trial], event.until)
        self.totals.promotions += 1

    @_apply.register
    def _on_resume(self, event: TrialResumed) -> None:
        record = self.trials[event.trial]
        self._set_budget(record, event.until)
        record.attempt, record.state, record.worker = 1, TrialState.RUNNING, event.worker
        record.seconds_before_resume += (record.ended or record.began) - record.began
        record.began, record.ended, record.results = event.t, None, {}
        self.history.resume(record.number)
        record.trial.status = TrialStatus.RUNNING  # its score stays that of its last pause
        if event.parent is None:
            self.totals.promotions += 1
        else:
            self.totals.exploits += 1
            self._exploit(record, event.parent, event.values or {})

    @_apply.register
    def _on_report(self, event: EpochReported) -> None:
        record, metrics = self.trials[event.trial], decoded(event.metrics)
        if not record.executions or event.step <= max(record.executions[-1]):
            record.executions.append({})
        record.executions[-1][event.step] = metrics
        self.totals.epochs += 1
        self._add_epoch(record, event.step, metrics)

    @_apply.register
    def _on_stop(self, event: StopRequested) -> None:
        self.trials[event.trial].stop_asked = not event.withdrawn

    @_apply.register
    def _on_end(self, event: TrialEnded) -> None:
        record = self.trials[event.trial]
        self.given_back.discard(event.trial)
        self._end(record, event)
        if record.state is TrialState.WAITING:
            self.waiting.append(event.trial)
            return
        if event.trial in self.waiting:  # it has used up its attempts
            self.waiting.remove(event.trial)
        if record.state is TrialState.PAUSED:
            record.paused_at_epoch = record.trained
        loss, outcome = loss_of(self.objective, event.score), self._outcome(record)
        self.history.finish(record.number, record.state.observed, loss, outcome)
        self._count(record, loss, outcome)

    @_apply.register
    def _on_past(self, event: PastTrial) -> None:
        record = self._add(event)
        record.began, record.stop_asked = event.began, event.stop_asked
        record.worker = event.worker
        for run in map(rows, event.executions):
            record.executions.append(run)
            for step, metrics in run.items():
                self._add_epoch(record, step, metrics, decoded(event.results))
        self._on_end(event)

    @_apply.register
    def _on_data(self, event: DataSeen) -> None:
        self.seen.append(event)

    @_apply.register
    def _on_evaluate(self, event: ModelEvaluated) -> None:
        self.evaluations.append(event)

    @_apply.register
    def _on_repeat(self, event: TrialRepeated) -> None:
        self.repeats.append(event)

    @_apply.register
    def _on_restore(self, event: SnapshotCompleted) -> None:
        self.found, self.ended = set(event.found), list(event.ended)
        self.waiting, self.totals = deque(event.waiting), Totals(**event.totals)
        self.ever_enqueued[:0] = event.tried
        own = (record for record in self.trials.values() if not record.added)
        self.totals.epochs = sum(record.reports for record in own)
        self.given_back = {*event.waiting} & {*self.interrupted()}
        for name in self.ended:
            self.trials[name].counted = True

    # Parts of these.

    def _refresh_space(self) -> None:
        space = to_space(self.hyperparameters)
        if space != self.history.space:
            self.history = self.history.moved_to(space)

    def _add(self, event: TrialBegun | PastTrial) -> TrialRecord:
        """Add a trial; events of a snapshot bring its exploits with them."""
        exploits = list(event.takeovers)
        first = exploits[0].before if exploits else event.values
        trial, added = self._trial(event.trial, event.values), isinstance(event, TrialAdded)
        number = self.history.start(first, ELSEWHERE if added else event.bracket)
        record = TrialRecord(trial, number, added=added)
        self._set_budget(record, event.until)
        record.attempt, record.paused_at_epoch = event.attempt, event.rested
        record.seconds_before_resume, record.exploits = event.spent, exploits
        for exploit in exploits:
            self.history.change(record.number, exploit.epoch, exploit.after)
        self.trials[event.trial] = record
        return record

    def _begin_again(self, record: TrialRecord, event: TrialBegun) -> None:
        """Begin another attempt, which keeps the metrics of the epochs whose state is on disk."""
        if event.trial in self.waiting:
            self.waiting.remove(event.trial)
        self.given_back.discard(event.trial)
        run, kept = record.executions[0] if record.executions else {}, event.kept
        self.totals.epochs -= record.reports
        record.trial = self._trial(event.trial, event.values)
        record.executions, record.results, record.stop_asked = [], {}, False
        record.state, record.began, record.ended = TrialState.RUNNING, event.t, None
        record.attempt, record.paused_at_epoch = record.attempt + 1, kept
        record.worker = event.worker
        self._set_budget(record, record.epoch_budget if event.until is None else event.until)
        record.exploits = [exploit for exploit in record.exploits if exploit.epoch <= kept]
        self.history.restart(record.number, kept)
        if kept:
            record.executions.append({step: m for step, m in run.items() if step < kept})
            self.totals.epochs += record.reports
            for step, metrics in record.executions[0].items():
                self._add_epoch(record, step, metrics)
            self._set_score_at_pause(record)

    def _set_budget(self, record: TrialRecord, epochs: int | None) -> None:
        record.epoch_budget = epochs
        if epochs is not None:
            self.rungs.add(epochs)

    def _exploit(self, record: TrialRecord, parent: str, values: Point) -> None:
        epoch, before = record.paused_at_epoch, dict(self.history.points[record.number])
        generation = self.trials[parent].generation_at(epoch)
        record.exploits.append(
            Exploit(
                epoch=epoch,
                parent=parent,
                generation=generation,
                before=before,
                after=dict(values),
            )
        )
        record.trial.set_values(values)
        self.history.change(record.number, epoch, values)

    def _add_epoch(
        self, record: TrialRecord, step: int, metrics: Metrics, final: Metrics | None = None
    ) -> None:
        """Add an epoch to KerasTuner's metrics of a trial and to the history.

        The curve of an added trial is of the objective alone; the rest is that of its end.
        """
        for name, value in metrics.items():
            metric_history(record.trial, name, self.objective).update(value, step=step)
        objective = value_in(self.objective, metrics)
        first = len(record.executions) == 1  # trials are compared on their first execution
        if objective is not None and first:
            known = {**final, **metrics} if record.added and final else metrics
            outcome = None if self.goals is None else self.goals.outcome(known)
            self.history.report(record.number, step, loss_of(self.objective, objective), outcome)

    def _end(self, record: TrialRecord, event: TrialEnded) -> None:
        """Set what an end says of a trial."""
        trial = record.trial
        record.state, record.ended = TrialState(event.state), event.t
        record.results = decoded(event.results)
        for name, value in record.results.items():
            if not trial.metrics.exists(name):
                metric_history(trial, name, self.objective).update(value, step=event.best_step or 0)
        trial.set_values(event.values)
        trial.status, trial.message = event.status, event.message
        self._set_score(record, event.score, event.best_step)
        if event.values != self.history.points[record.number]:
            self.history.move(record.number, event.values)

    @staticmethod
    def _set_score(record: TrialRecord, score: float | None, best_step: int | None) -> None:
        record.trial.score, record.trial.best_step = score, best_step

    def _set_score_at_pause(self, record: TrialRecord) -> None:
        self._set_score(record, *score_at_pause(record, self.objective))
        if (outcome := self._outcome(record)) is not None:
            self.history.set_outcome(record.number, outcome)

    def _outcome(self, record: TrialRecord) -> FloatArray | None:
        """Return the outcome of a trial, None without a score or where scores are all there is."""
        if self.goals is None or record.trial.score is None:
            return None
        return self.goals.outcome(best_metrics(record, self.objective))

    def _improves(self, loss: float, outcome: FloatArray | None) -> bool:
        """Return whether no earlier trial is as good as one that has ended."""
        if self.goals is None:
            return loss < loss_of(self.objective, self.totals.best)
        return outcome is not None and self.front.add(outcome)

    def _count(self, record: TrialRecord, loss: float, outcome: FloatArray | None) -> None:
        totals, first = self.totals, not record.counted
        record.counted = True
        if first:
            self.ended.append(record.trial.trial_id)
        if record.state is TrialState.REJECTED:
            totals.rejected += 1
            return
        totals.added += record.added
        totals.ended += first and not record.added
        totals.pruned += record.state is TrialState.PRUNED
        totals.failed += record.state in {TrialState.INFEASIBLE, TrialState.FAILED}
        if self._improves(loss, outcome):
            if outcome is None or self.front.leads(outcome):
                totals.best = record.trial.score
            totals.stale = 0
        elif record.trial.score is not None:
            totals.stale += first and not record.added

    def _trial(self, name: str, values: Point) -> LazyTrial:
        return LazyTrial(values, lambda: self.hyperparameters, name)
