"""What a search does next: run a trial again, give one more epochs, or begin one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keras_tuner.engine.trial import TrialStatus

from kt_extras.checkpoints.state_paths import StateFiles
from kt_extras.oracles.budget import ALL_TRAINED, ALL_TRIED, all_begun
from kt_extras.records.search_state import Event, Ledger
from kt_extras.records.trial_end import Rest, closing
from kt_extras.records.trial_record import Entry
from kt_extras.schedulers import Resume, Scheduler, Start
from kt_extras.search import Sampler, SpaceExhausted, trial_rng

_INTERRUPTIONS_FORGIVEN = 3  # a trial that was running at more deaths than this is the likely cause


@dataclass
class Agenda:
    """Settles the next event of a search, and why there is none.

    Args:
        sampler: Asked for new points.
        scheduler: Asked who trains how long; without one every trial trains to its end at once.
        max_retries: How often a trial that crashed is run again.

    Attributes:
        states: Where the states of paused trials are, None if whoever runs the trials sees to that.
        reason: Why there was no further event when last asked for one.
    """

    sampler: Sampler
    scheduler: Scheduler | None
    max_retries: int
    states: StateFiles | None = None
    reason: str | None = None

    def given_up(self, ledger: Ledger) -> Iterator[tuple[Entry, Event]]:
        """Yield the ends of trials that wait to be run again, but in vain."""
        while ledger.waiting:
            entry = ledger.entries[ledger.waiting[0]]
            if entry.attempt <= self.max_retries + _INTERRUPTIONS_FORGIVEN:
                return
            ledger.waiting.popleft()
            died = f"the process died in each of its {entry.attempt} attempts."
            entry.trial.message = f"Given up: {died}"
            yield entry, closing(entry, "failed", TrialStatus.FAILED)

    def next(self, ledger: Ledger, seed: int, max_trials: int | None) -> Event | None:
        """Return the beginning of the next trial, or of the next part of one.

        Args:
            ledger: All that is known; not changed.
            seed: The search's.
            max_trials: How many trials may begin, None for no limit.
        """
        self.reason = None
        if ledger.waiting:
            return self._again(ledger.entries[ledger.waiting[0]])
        may_start = self._may_start(ledger, max_trials)
        if self.scheduler is None:
            return self._fresh(ledger, seed, Start(0)) if may_start else None
        history = ledger.history
        step = self.scheduler.next_step(history, seed=seed, may_start=may_start)
        if isinstance(step, Start):
            event = self._fresh(ledger, seed, step)
            if event is not None:
                return event
            step = self.scheduler.next_step(history, seed=seed, may_start=False)
        if isinstance(step, Resume):
            return self._resumed(ledger, step)
        self.reason = self.reason or ALL_TRAINED
        return None

    def extension(self, ledger: Ledger, entry: Entry, seed: int, max_trials: int | None) -> int:
        """Return the epochs that a running trial may train in all, now that its own are spent."""
        if self.scheduler is None or entry.until == self.scheduler.max_epochs:
            return entry.trained
        may_start = self._may_start(ledger, max_trials)
        return self.scheduler.goes_on(ledger.history, entry.number, seed=seed, may_start=may_start)

    def rest(self, entry: Entry) -> Rest | None:
        """Return what becomes of a trial that ends now, if it has spent its epochs."""
        scheduler = self.scheduler
        if scheduler is None or not entry.budget_spent or entry.until == scheduler.max_epochs:
            return None
        return Rest("paused" if scheduler.resumes else "pruned", scheduler.revives)

    def forget_states(self, ledger: Ledger, max_trials: int | None) -> None:
        """Remove the states that nothing can need any more."""
        if self.scheduler is None or self.states is None:
            return
        needed = self.scheduler.needed(ledger.history, max_trials=max_trials).tolist()
        self.states.forget(
            {
                name: min(least, entry.rested) if entry.state in {"running", "waiting"} else least
                for (name, entry), least in zip(ledger.entries.items(), needed, strict=True)
            }
        )

    def _may_start(self, ledger: Ledger, max_trials: int | None) -> bool:
        """Tell whether `max_trials` allows a new trial; a rejected model uses up none."""
        if max_trials is None or len(ledger.entries) - ledger.totals.rejected < max_trials:
            return True
        self.reason = all_begun(max_trials)
        return False

    def _again(self, entry: Entry) -> Event:
        """Return a new attempt at a trial, from its last state if that is there."""
        kept, name = entry.rested, entry.trial.trial_id
        if self.states is not None and kept and not self.states.exists(entry.parent or name, kept):
            kept = 0
        return {"kind": "create", "trial": name, "values": dict(entry.trial.values), "kept": kept}

    def _resumed(self, ledger: Ledger, step: Resume) -> Event:
        """Return the next part of a paused trial."""
        names = list(ledger.entries)
        name, entry = names[step.number], ledger.entries[names[step.number]]
        source = names[step.number if step.parent is None else step.parent]
        event: Event = {"kind": "resume", "trial": name, "until": step.until}
        if self.states is None or self.states.exists(source, entry.rested):
            if step.parent is not None:
                event = {**event, "parent": source, "values": step.point}
            return event
        # Its state was removed since nothing seemed to need it, or is lost: it trains anew.
        values = dict(entry.trial.values)
        return {"kind": "create", "trial": name, "values": values, "until": step.until}

    def _fresh(self, ledger: Ledger, seed: int, step: Start) -> Event | None:
        """Return the beginning of a trial that never ran, or None if no point is left."""
        number, space = len(ledger.entries), ledger.history.space
        rng = trial_rng(seed, number)
        event: Event = {"kind": "create", "trial": f"{number:04d}"}
        if step.until:
            event = {**event, "until": step.until, "bracket": step.bracket}
        if ledger.enqueued:
            values = space.complete(ledger.enqueued[0], rng.random(len(space)))
            return {**event, "values": values, "enqueued": True}
        try:
            return {**event, "values": self.sampler.suggest(ledger.history, space, rng)}
        except SpaceExhausted:
            self.reason = ALL_TRIED
            return None
