"""What a search does next: run a trial again, give one more epochs, or begin one."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from kt_extras.arguments import plain
from kt_extras.arrays import FloatArray
from kt_extras.bridge.trial_state import TrialState
from kt_extras.checkpoints.state_paths import StateFiles
from kt_extras.oracles.budget import ALL_TRAINED, ALL_TRIED, all_begun
from kt_extras.records.events import TrialBegun, TrialEnded, TrialResumed
from kt_extras.records.search_state import SearchState
from kt_extras.records.trial_end import Pause, closing
from kt_extras.records.trial_record import TrialRecord
from kt_extras.samplers.exhaustive import innermost
from kt_extras.samplers.grid import Grid
from kt_extras.samplers.informed import Informed
from kt_extras.schedulers import Resume, Scheduler, Start
from kt_extras.schedulers.rungs import unfilled
from kt_extras.search import History, Point, Sampler, Space, SpaceExhausted, State, trial_rng
from kt_extras.search.priors import Prior

Step = TrialBegun | TrialResumed

_INTERRUPTIONS_FORGIVEN = 3  # a trial that was running at more deaths than this is the likely cause


@dataclass
class NextTrial:
    """Chooses the next event of a search, or says why there is none; changes no state.

    Args:
        sampler: Suggests new points.
        scheduler: Chooses who trains how long; without one every trial trains to its end at once.
        max_retries: How often a trial that crashed is run again.
        prior: What the user believes of hyperparameters, by name. Defaults to nothing.
        try_defaults: Whether the first trial has the defaults of the space. Defaults to False.

    Attributes:
        states: Where the states of paused trials are, None if the worker keeps them itself.
        reason: Why there was no further event at the last call.
    """

    sampler: Sampler
    scheduler: Scheduler | None
    max_retries: int
    prior: Mapping[str, Prior] = field(default_factory=dict)
    try_defaults: bool = False
    states: StateFiles | None = None
    reason: str | None = None

    def given_up(self, state: SearchState) -> Iterator[tuple[TrialRecord, TrialEnded]]:
        """Yield an end event for each trial that has used up its attempts.

        Args:
            state: The search; the caller applies each event before it asks for the next.
        """
        while state.waiting:
            record = state.trials[state.waiting[0]]
            if record.attempt <= self.max_retries + _INTERRUPTIONS_FORGIVEN:
                return
            died = f"the process died in each of its {record.attempt} attempts."
            yield (
                record,
                closing(
                    record,
                    TrialState.FAILED,
                    score=None,
                    best_step=0,
                    values=record.trial.values,
                    message=f"Given up: {died}",
                ),
            )

    def next(self, state: SearchState, seed: int, max_trials: int | None) -> Step | None:
        """Return the beginning of the next trial, or of the next part of one.

        Args:
            state: The search; not changed.
            seed: The search's.
            max_trials: How many trials may begin, None for no limit.
        """
        self.reason = None
        if state.waiting:
            return self._again(state.trials[state.waiting[0]])
        may_start = self._may_start(state, max_trials)
        if self.scheduler is None:
            return self._fresh(state, seed, Start(0)) if may_start else None
        history = state.history.ranked().own()
        step = self.scheduler.next_step(history, seed=seed, may_start=may_start)
        if isinstance(step, Start):
            event = self._fresh(state, seed, step)
            if event is not None:
                return event
            step = self.scheduler.next_step(history, seed=seed, may_start=False)
            if step is None and self.scheduler.resumes:  # all points are tried, epochs are left
                step = unfilled(history, self.scheduler.plan(max_trials))
        if isinstance(step, Resume):
            return self._resumed(state, step)
        self.reason = self.reason or ALL_TRAINED
        return None

    def extension(
        self, state: SearchState, record: TrialRecord, seed: int, max_trials: int | None
    ) -> int:
        """Return up to which epoch a running trial may train, now that its budget is used up."""
        if self.scheduler is None or record.epoch_budget == self.scheduler.max_epochs:
            return record.trained
        may_start = self._may_start(state, max_trials)
        return self.scheduler.goes_on(
            state.history.ranked().own(), record.number, seed=seed, may_start=may_start
        )

    def pause(self, record: TrialRecord) -> Pause | None:
        """Return what happens to a trial that ends now, if it has used up its epoch budget."""
        scheduler = self.scheduler
        if scheduler is None or not record.budget_used_up:
            return None
        if record.epoch_budget == scheduler.max_epochs:
            return None
        resumed = TrialState.PAUSED if scheduler.resumes else TrialState.PRUNED
        return Pause(resumed, scheduler.revives)

    def forget_states(self, state: SearchState, max_trials: int | None) -> None:
        """Remove the files of states that nothing can need any more."""
        if self.scheduler is None or self.states is None:
            return
        history = _saved(state)
        needed = self.scheduler.needed(history, max_trials=max_trials)
        if self._may_run_out(history.space, max_trials):  # then any paused trial may be resumed
            paused = history.states == State.PAUSED
            needed = np.where(paused, np.minimum(needed, history.epochs), needed)
        self.states.forget(
            {
                name: min(epochs, record.paused_at_epoch) if record.state.is_open else epochs
                for (name, record), epochs in zip(
                    state.trials.items(), needed.tolist(), strict=True
                )
            }
        )

    def bring_state(self, record: TrialRecord) -> None:
        """Copy the state of a trial's parent into its directory, before its worker reads it."""
        parent, epochs = record.parent, record.paused_at_epoch
        if self.states is None or parent is None or not self.states.exists(parent, epochs):
            return  # an earlier attempt may have copied it
        self.states.copy(parent, record.trial.trial_id, epochs)

    def _may_run_out(self, space: Space, max_trials: int | None) -> bool:
        """Tell whether the sampler has fewer points than the scheduler plans trials."""
        plan = self.scheduler.plan(max_trials) if self.scheduler else []
        begun = {rung.bracket: rung.trials for rung in reversed(plan)}
        sampler = innermost(self.sampler)
        size = sampler.size(space) if isinstance(sampler, Grid) else space.size
        return size < sum(begun.values())

    def _may_start(self, state: SearchState, max_trials: int | None) -> bool:
        """Tell whether `max_trials` allows a new trial; a rejected model uses up none."""
        begun = len(state.trials) - state.totals.rejected - state.totals.added
        if max_trials is None or begun < max_trials:
            return True
        self.reason = all_begun(max_trials)
        return False

    def _again(self, record: TrialRecord) -> TrialBegun:
        """Return a new attempt at a trial, from its last state if that is on disk."""
        kept, name = record.paused_at_epoch, record.trial.trial_id
        sources = {record.parent or name, name}  # an earlier attempt may have copied the parent's
        if self.states is not None and not any(self.states.exists(s, kept) for s in sources):
            kept = 0
        return TrialBegun(trial=name, values=dict(record.trial.values), kept=kept)

    def _resumed(self, state: SearchState, step: Resume) -> Step:
        """Return the next part of a paused trial."""
        names = list(state.trials)
        name, record = names[step.number], state.trials[names[step.number]]
        source = names[step.number if step.parent is None else step.parent]
        if self.states is None or self.states.exists(source, record.paused_at_epoch):
            event = TrialResumed(trial=name, until=step.until)
            if step.parent is not None:
                event = replace(event, parent=source, values=step.point)
            return event
        if step.parent is not None and self.states.exists(name, record.paused_at_epoch):
            return TrialResumed(trial=name, until=step.until)  # the parent's state is lost
        # Its state was removed since nothing seemed to need it, or is lost: it begins again.
        return TrialBegun(trial=name, values=dict(record.trial.values), until=step.until)

    def _fresh(self, state: SearchState, seed: int, step: Start) -> TrialBegun | None:
        """Return the beginning of a trial that never ran, or None if no point is left."""
        number, space = len(state.trials), state.history.space
        values, dropped, enqueued = None, 0, False
        if self.try_defaults and number == state.totals.added:
            values = _completed("point of defaults", space.with_defaults({}), space)
        elif state.enqueued:
            values, dropped = _queued(state, space, trial_rng(seed, number).random(len(space)))
            enqueued = values is not None
        try:
            if values is None:
                sampler = Informed(self.sampler, self.prior)
                values = sampler.suggest(state.history.ranked(), space, trial_rng(seed, number))
        except SpaceExhausted:
            self.reason = ALL_TRIED
            return None
        name = unused_id(state.trials)
        event = TrialBegun(trial=name, values=plain(values), enqueued=enqueued, dropped=dropped)
        return replace(event, until=step.until, bracket=step.bracket) if step.until else event


def unused_id(trials: Collection[str]) -> str:
    """Return the number of the next trial, or a higher one where a repair has lost trials."""
    number = len(trials)
    while f"{number:04d}" in trials:
        number += 1
    return f"{number:04d}"


def _queued(state: SearchState, space: Space, draws: FloatArray) -> tuple[Point | None, int]:
    """Return the first queued point that lies in the space, and how many before it do not.

    While nothing is declared, the points wait.
    """
    if not len(space):
        return None, 0
    for dropped, values in enumerate(state.enqueued):
        point = _completed("queued point", values, space, draws)
        if point is not None:
            return point, dropped
    return None, len(state.enqueued)


def _completed(
    kind: str, values: Point, space: Space, draws: FloatArray | None = None
) -> Point | None:
    """Return a point of the space with given values; None, with a warning, if there is none."""
    try:
        return space.complete(values, np.zeros(len(space)) if draws is None else draws)
    except ValueError as error:
        warnings.warn(
            f"The {kind} {values!r} is left out, since it does not lie in the space that is "
            f"searched now: {error}",
            stacklevel=2,
        )
        return None


def _saved(state: SearchState) -> History:
    """Return the history as it would be if all workers died now: without epochs not saved."""
    history, records = state.history.ranked().own(), list(state.trials.values())
    lengths = history.epochs.copy()
    for number in np.flatnonzero(history.states == State.RUNNING):
        lengths[number] = min(lengths[number], records[number].paused_at_epoch)
    return history.cut_to(lengths)
